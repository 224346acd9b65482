"""From a user's choice of a model to the model in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sa2va.engine.events import ModelLoading
from napari_sa2va.engine.imports import uncollected
from napari_sa2va.errors import CheckpointError, InvalidInput
from napari_sa2va.model.linker import load_torch_libraries
from napari_sa2va.zoo import check_fits, resolve
from napari_sa2va.zoo.gpu import why_not_on
from napari_sa2va.zoo.resolve import checkpoint_named
from napari_sa2va.zoo.weights import WeightsIdentity, weights_identity

if TYPE_CHECKING:
    from collections.abc import Callable

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
        If this machine has no such device, or the number format does not work on it.
    Cancelled
        If `stopped` was true.
    """

    def progress(message: str, fraction: float) -> None:
        report(ModelLoading(message, fraction))

    if reason := why_not_on(choice.dtype, choice.device):
        raise InvalidInput(reason)  # before gigabytes are fetched for it
    folder = resolve(choice.name, progress, stopped)
    report(ModelLoading("Loading PyTorch"))
    with uncollected():
        load_torch_libraries()
        check_fits(folder, choice.device, choice.dtype)  # the first to import torch
        from napari_sa2va.model import Sa2VA

    model = Sa2VA.from_pretrained(folder, choice.device, choice.dtype, progress, stopped)
    name = choice.name.strip()
    if checkpoint_named(name) is None:
        model.name = name  # as the request has it, whatever the folder is called
    return model


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
