"""Turning what torch raises into errors that a user can act on."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from napari_sa2va.errors import Cancelled, EngineError, NotEnoughMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# CPU and MPS have no class of their own for this error.
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


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
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _no_memory(doing) from error
    except RuntimeError as error:
        if any(words in str(error).lower() for words in _OUT_OF_MEMORY):
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


def stop_if(cancelled: Callable[[], bool] | None) -> None:
    """Raise `Cancelled` when the user asked for it."""
    if cancelled is not None and cancelled():
        raise Cancelled("Cancelled.")
