"""What the model manager does in worker threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from napari_sa2va.zoo.machine import Device
    from napari_sa2va.zoo.meter import DownloadState
    from napari_sa2va.zoo.shelf import Model


def look(device: str) -> tuple[tuple[Model, ...], Device]:
    """List all models for a device, and say which device that is."""
    from napari_sa2va.engine.imports import uncollected
    from napari_sa2va.model.linker import load_torch_libraries

    with uncollected():
        load_torch_libraries()  # beside an open canvas torch must not come in another way
        from napari_sa2va.zoo.machine import device_named
        from napari_sa2va.zoo.shelf import models

        place = device_named(device)
    return models(place), place


def get(name: str, told: Any, stop: threading.Event) -> None:
    """Fetch a model.

    Parameters
    ----------
    name : str
    told : Qt signal
        Emits each `DownloadState`.
    stop : threading.Event
        Ends it when set.
    """
    from napari_sa2va.zoo.manager import get_model

    get_model(name, _teller(told, stop), stop.is_set)


def repair(name: str, told: Any, stop: threading.Event) -> tuple[str, ...]:
    """Check a model's files, and fetch those anew that are not right; return their names.

    Parameters
    ----------
    name, told, stop
        As in `get`.
    """
    from napari_sa2va.zoo.manager import repair_model

    return repair_model(name, _teller(told, stop), stop.is_set)


def _teller(told: Any, stop: threading.Event) -> Callable[[DownloadState], None]:
    def tell(state: DownloadState) -> None:
        try:
            told.emit(state)
        except RuntimeError:  # the window is gone, and with it who wanted this
            stop.set()

    return tell


def remove(name: str) -> str:
    """Remove a model; return what happened, for people."""
    from napari_sa2va.zoo.fit import gib
    from napari_sa2va.zoo.manager import remove_model

    done = remove_model(name)
    return f"{name} is removed{f', {gib(done.freed)} are free again' if done.freed else ''}."


def add(name: str, where: str) -> str:
    """Put a folder or Hub id on the list; return what happened, for people."""
    from napari_sa2va.zoo.manager import add_model

    return f"{add_model(name, where).name} is on the list."
