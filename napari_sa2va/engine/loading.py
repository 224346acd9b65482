"""From a user's choice of a model to the model in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sa2va.engine.events import ModelLoading

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from napari_sa2va.engine.request import ModelChoice
    from napari_sa2va.model import Sa2VA


def load_model(
    choice: ModelChoice, report: Callable[[ModelLoading], None], stop: threading.Event
) -> Sa2VA:
    """Find a model on this machine, check that it fits, and read it.

    Parameters
    ----------
    choice : ModelChoice
    report : callable
        Told how far it is.
    stop : threading.Event
        When set, loading ends soon.

    Raises
    ------
    CheckpointError
        If the model is not on this machine, or damaged.
    NotEnoughMemory
        If it would not fit into memory.
    Cancelled
        If `stop` was set.
    """
    raise NotImplementedError
