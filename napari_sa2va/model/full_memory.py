"""How torch says that memory ran out."""

from __future__ import annotations

from typing import Final

# CUDA and MPS say the first (torch 2.9 to 2.15), the CPU allocator the second, cuBLAS and cuDNN the
# last. The CPU and MPS have no class of their own for this error.
_WORDS: Final = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of Python or torch means that there was not enough memory."""
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in text for words in _WORDS)
