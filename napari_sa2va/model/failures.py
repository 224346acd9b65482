"""Turning what torch raises into errors that a user can act on."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING, TypeVar

from napari_sa2va.errors import Cancelled, EngineError, NotEnoughMemory
from napari_sa2va.model.full_memory import is_out_of_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import nn

    Cancel = Event | Callable[[], bool] | None

T = TypeVar("T")


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raise `NotEnoughMemory` or `EngineError` in place of torch's errors.

    Parameters
    ----------
    doing : str
        What was going on, to follow "while": ``"answering"``.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            raise _no_memory(doing) from error
        raise EngineError(
            f"The model failed while {doing}: {error} Try another device; if it fails on the CPU "
            "too, please report it."
        ) from error


def _no_memory(doing: str) -> NotEnoughMemory:
    return NotEnoughMemory(
        f"The memory of the device was full while {doing}. Close other programs, look at a smaller "
        "region, or choose a smaller model or the CPU."
    )


@contextmanager
def interruptible(
    layers: Sequence[nn.Module], cancelled: Callable[[], bool] | None
) -> Iterator[None]:
    """Raise `Cancelled` before any of these layers runs, once the user asked for it.

    On a CPU, one look at an image by a large model takes a minute; between layers it is seconds.
    Runs in other threads are left alone.
    """
    if cancelled is None:
        yield
        return
    thread = threading.get_ident()

    def check(*_: object) -> None:
        if threading.get_ident() == thread:
            stop_if(cancelled)

    handles = [layer.register_forward_pre_hook(check) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def guarded(
    parts: Iterator[T],
    doing: str,
    layers: Sequence[nn.Module],
    cancelled: Callable[[], bool] | None,
    on_full_memory: Callable[[], object],
) -> Iterator[T]:
    """Yield from `parts`, each made `interruptible` and its errors `translated`.

    Parameters
    ----------
    on_full_memory : callable
        Called when memory ran out, before the error goes on.
    """
    while True:
        try:
            # Not round the yield: the caller's own errors are none of the model's.
            with translated(doing), interruptible(layers, cancelled):
                part = next(parts, None)
        except NotEnoughMemory:
            on_full_memory()
            raise
        if part is None:
            return
        yield part


def as_callable(cancelled: Cancel) -> Callable[[], bool] | None:
    """Return what to call to know whether the user cancelled."""
    return cancelled.is_set if isinstance(cancelled, Event) else cancelled


def stop_if(cancelled: Callable[[], bool] | None) -> None:
    """Raise `Cancelled` when the user asked for it."""
    if cancelled is not None and cancelled():
        raise Cancelled("Cancelled.")
