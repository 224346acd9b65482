"""From a user's choice of a model to the model in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sa2va.engine.events import ModelLoading
from napari_sa2va.engine.imports import uncollected
from napari_sa2va.errors import CheckpointError, NotEnoughMemory
from napari_sa2va.model.linker import load_torch_libraries
from napari_sa2va.model.precision import FEW_BITS, weights_size
from napari_sa2va.model.shards import Shards
from napari_sa2va.zoo import check_fits, resolve
from napari_sa2va.zoo.fit import dtype_on, estimate, gib
from napari_sa2va.zoo.machine import device_named
from napari_sa2va.zoo.weights import WeightsIdentity, weights_identity

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_sa2va.engine.request import ModelChoice
    from napari_sa2va.model import Sa2VA


def load_model(
    choice: ModelChoice, report: Callable[[ModelLoading], None], stopped: Callable[[], bool]
) -> Sa2VA:
    """Find a model, fetching it if need be, check that it fits, and read it.

    Parameters
    ----------
    choice : ModelChoice
    report : callable
        Told how far it is.
    stopped : callable
        Asked now and then; true ends the loading.

    Raises
    ------
    CheckpointError
        If the model cannot be had, or is damaged.
    NotEnoughMemory
        If it would not fit into memory.
    InvalidInput
        If this machine has no such device.
    Cancelled
        If `stopped` was true.
    """

    def progress(message: str, fraction: float) -> None:
        report(ModelLoading(message, fraction))

    folder = resolve(choice.name, progress, stopped)
    report(ModelLoading("Loading PyTorch"))
    with uncollected():
        load_torch_libraries()
        _check_fits(folder, choice)  # the first to import torch
        from napari_sa2va.model import Sa2VA

    return Sa2VA.from_pretrained(folder, choice.device, choice.dtype, progress, stopped)


def _check_fits(folder: Path, choice: ModelChoice) -> None:
    """Raise `NotEnoughMemory` where a model would not fit, with the numbers."""
    if choice.dtype not in FEW_BITS:
        check_fits(folder, choice.device, choice.dtype)
        return
    device = device_named(choice.device)
    rest = dtype_on(device, "auto")
    with Shards(folder) as shards:
        shapes = {name: shards.shape(name) for name in shards.names}
    weights = weights_size(shapes, choice.dtype, rest)
    need = weights + estimate(folder, rest).working
    if device.total and need > device.free:
        raise NotEnoughMemory(
            f"{folder.name} needs about {gib(need)} on {device.name} in {choice.dtype} "
            f"({gib(weights)} for its weights), and {gib(device.free)} of {gib(device.total)} are "
            "free. Close other programs, or choose a smaller model."
        )


def identify(
    choice: ModelChoice, report: Callable[[ModelLoading], None], stopped: Callable[[], bool]
) -> WeightsIdentity:
    """Tell which weights a model on this machine has; parameters as of `load_model`.

    Raises
    ------
    CheckpointError
        If they cannot be read.
    Cancelled
        If `stopped` was true.
    """

    def progress(message: str, fraction: float) -> None:
        report(ModelLoading(message, fraction))

    folder = resolve(choice.name, download=False)
    try:
        return weights_identity(folder, progress, stopped)
    except OSError as error:
        raise CheckpointError(f"The weights in {folder} cannot be read ({error}).") from error
