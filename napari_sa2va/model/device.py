"""Which device a model runs on, and in which dtype."""

from __future__ import annotations

from typing import Final

import torch

from napari_sa2va.errors import InvalidInput
from napari_sa2va.model.precision import INT4, INT8, why_not

# torch's type stubs lack it.
FOUR_BITS: Final[torch.dtype] = getattr(torch, "int4")  # noqa: B009
_DTYPES: Final = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    # Of the language model's layers; see `plain_dtype` for the rest.
    INT8: torch.int8,
    INT4: FOUR_BITS,
}
_QUANTIZED: Final = {torch.int8: INT8, FOUR_BITS: INT4}


def choose_device(name: str | torch.device = "auto") -> torch.device:
    """Return a device by name; ``"auto"`` prefers CUDA, then Apple's MPS, then the CPU.

    Raises
    ------
    InvalidInput
        If the device is not there.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InvalidInput(f"There is no device called {name!r}. Try auto, cpu or cuda.") from error
    there = {
        "cpu": True,
        "cuda": (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there.get(device.type, False):
        raise InvalidInput(f"This machine has no device {str(device)!r}. Choose auto or cpu.")
    return device


def choose_dtype(name: str | torch.dtype, device: torch.device) -> torch.dtype:
    """Return a dtype by name; ``"auto"`` is bfloat16 where a CUDA device computes in it natively.

    Elsewhere it is float32, in which the published results are reproduced. ``"int8"`` and
    ``"int4"`` are of the language model's layers alone.

    Raises
    ------
    InvalidInput
        If the name is unknown, or this dtype does not work on this device.
    """
    if name == "auto":
        if device.type == "cuda":
            with torch.cuda.device(device):
                native = torch.cuda.is_bf16_supported(including_emulation=False)
            return torch.bfloat16 if native else torch.float32
        return torch.float32
    if isinstance(name, str) and name not in _DTYPES:
        raise InvalidInput(f"There is no dtype {name!r}. Choose auto, {', '.join(_DTYPES)}.")
    dtype = name if isinstance(name, torch.dtype) else _DTYPES[name]
    if dtype in _QUANTIZED and (reason := why_not(_QUANTIZED[dtype], device.type)):
        raise InvalidInput(reason)
    return dtype


def plain_dtype(dtype: torch.dtype, device: torch.device) -> torch.dtype:
    """Return the dtype of what is not held in few bits: the vision tower, SAM2, embeddings."""
    return choose_dtype("auto", device) if dtype in _QUANTIZED else dtype
