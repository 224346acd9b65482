"""How much memory weights take in each number format; imports no torch."""

from __future__ import annotations

import math
import re
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

INT8: Final = "int8"
INT4: Final = "int4"
# Bytes a weight of the language model's layers, scales included: one of float32 a row, and in 4
# bits one of 8 bits for 64 weights and one of float32 for 256 of those (QLoRA's double
# quantisation).
FEW_BITS: Final = {INT8: 1.003, INT4: 0.5 + 1 / 64 + 4 / (64 * 256)}
_BYTES: Final = {"float32": 4, "bfloat16": 2, "float16": 2}
# Layers of the language model in all families; other parts have layers too.
_LAYER: Final = re.compile(r"\.layers\.\d+\.")
_OTHERS: Final = ("vision_model.", "visual.", "grounding_encoder.")


def why_not(dtype: str, kind: str) -> str:
    """Say why a number format does not work on a kind of device; empty where it does.

    Parameters
    ----------
    dtype : str
        As in `napari_sa2va.Sa2VA.from_pretrained`.
    kind : str
        ``"cpu"``, ``"cuda"`` or ``"mps"``.
    """
    if dtype not in FEW_BITS:
        return ""
    if kind == "cuda":
        if find_spec("bitsandbytes") is not None:
            return ""
        return (
            "8-bit and 4-bit weights on a GPU need the package bitsandbytes. Install it with "
            'pip install "napari-sa2va[quantized]", or choose bfloat16.'
        )
    if dtype == INT4:
        instead = "int8 or float32" if kind == "cpu" else "float32 or float16"
        return f"4-bit weights need an NVIDIA GPU. Choose {instead} here."
    if kind != "cpu":
        return f"8-bit weights do not work on {kind!r}. Choose float32 or float16, or the cpu."
    return ""


def weights_size(shapes: Mapping[str, tuple[int, ...]], dtype: str, rest: str) -> int:
    """Return the bytes that a checkpoint's weights take once they are loaded.

    Parameters
    ----------
    shapes : mapping of str to tuple of int
        By official name.
    dtype : str
        As in `napari_sa2va.Sa2VA.from_pretrained`, not ``"auto"``.
    rest : str
        The number format of what is not made smaller, when `dtype` is one of `FEW_BITS`.
    """
    size = 0.0
    for name, shape in shapes.items():
        few = FEW_BITS.get(dtype)
        each = few if few is not None and is_quantized(name, shape) else _BYTES.get(dtype)
        size += math.prod(shape) * (_BYTES[rest] if each is None else each)
    return int(size)


def is_quantized(name: str, shape: tuple[int, ...]) -> bool:
    """Tell from its official name whether a tensor is a matrix of the language model's layers.

    Only these are held in few bits. The embedding is read a row at a time, and the head decides
    between words that are almost as likely.
    """
    inside = len(shape) == 2 and _LAYER.search(name) is not None
    return inside and not any(other in name for other in _OTHERS)
