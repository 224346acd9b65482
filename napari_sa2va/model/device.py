"""Which device a model runs on, and in which dtype."""

from __future__ import annotations

from typing import Final

import torch

from napari_sa2va.errors import InvalidInput

_DTYPES: Final = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


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

    Elsewhere it is float32, in which the published results are reproduced.

    Raises
    ------
    InvalidInput
        If the name is unknown.
    """
    if isinstance(name, torch.dtype):
        return name
    if name == "auto":
        if device.type == "cuda":
            with torch.cuda.device(device):
                native = torch.cuda.is_bf16_supported(including_emulation=False)
            return torch.bfloat16 if native else torch.float32
        return torch.float32
    if name not in _DTYPES:
        raise InvalidInput(f"There is no dtype {name!r}. Choose auto, {', '.join(_DTYPES)}.")
    return _DTYPES[name]
