"""What torch raises, as errors that a user understands."""

from __future__ import annotations

import gc
import logging
import sys
from typing import TYPE_CHECKING, Final

from napari_sa2va.errors import EngineError, NotEnoughMemory, Sa2VAError
from napari_sa2va.model.full_memory import is_out_of_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    _Event = TypeVar("_Event")

_LOG: Final = logging.getLogger(__name__)


def guarded(steps: Iterator[_Event], free_memory: Callable[[], object]) -> Iterator[_Event]:
    """Yield from `steps`; what they raise becomes a `Sa2VAError`.

    Parameters
    ----------
    steps : iterator
    free_memory : callable
        Called when memory ran out, at a moment when the failed step holds none any more.

    Raises
    ------
    NotEnoughMemory
        If the system or the device ran out of memory.
    EngineError
        If anything else failed that nobody foresaw.
    """
    try:
        yield from steps
        return
    except NotEnoughMemory as error:
        out_of_memory = NotEnoughMemory(str(error))
    except Sa2VAError:
        raise
    except Exception as error:
        if not is_out_of_memory(error):
            _LOG.exception("A run failed")
            raise EngineError(
                f"The model failed while running: {str(error) or type(error).__name__}. "
                "The log file has the details."
            ) from error
        _LOG.warning("Memory ran out", exc_info=True)
        out_of_memory = NotEnoughMemory(
            "Memory ran out during the run. Close other programs, look at a smaller region or "
            "image, or choose a smaller model; memory of earlier images has been freed."
        )
    # The traceback of what was caught holds the failed step's tensors. Here it is gone.
    free_memory()
    release_unused_memory()
    raise out_of_memory


def release_unused_memory() -> None:
    """Give memory that torch keeps in reserve back to the system."""
    gc.collect()
    torch = sys.modules.get("torch")  # not imported: then it keeps nothing
    if torch is None:
        return
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()
