"""The language model's layers in 8 or 4 bits a weight, made while a checkpoint is read.

On CUDA they are bitsandbytes' layers: LLM.int8() (Dettmers et al. 2022, arXiv 2208.07339) and NF4
(QLoRA, 2023, arXiv 2305.14314). On a processor they are `Int8Linear`, of torch alone.
"""

from __future__ import annotations

import logging
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn

from napari_sa2va.model.device import FOUR_BITS
from napari_sa2va.model.precision import INT4, INT8

if TYPE_CHECKING:
    from collections.abc import Callable

    Quantize = Callable[[nn.Linear, Tensor], nn.Module]

# Columns whose activations exceed this are computed in float16 (section 3.1 of LLM.int8()).
_OUTLIER: Final = 6.0
# Up to so many rows of input, as in decoding, torch multiplies with the int8 weights themselves;
# measured to be slower than `_many` from about 16 rows on.
_FEW: Final = 8
# Rows of weights that are made float at a time: a few megabytes, which stay in a processor's cache.
_PIECE: Final = 1024


class Int8Linear(nn.Module):
    """A linear layer with one byte a weight, and one scale for each row of them.

    What comes in is not rounded to 8 bits, unlike in dynamic quantisation: language models have
    single activations a hundred times larger than all others, beside which 8 bits leave nothing of
    the rest. Decoding computes in bfloat16, everything else in float32.

    Parameters
    ----------
    linear : Linear
        The layer whose place this one takes, for its bias; its weight is not looked at.
    weight : Tensor, shape (out, in)
        Of any float dtype.
    """

    weight: Tensor
    scale: Tensor

    def __init__(self, linear: nn.Linear, weight: Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", torch.empty(weight.shape, dtype=torch.int8))
        self.register_buffer("scale", torch.empty(len(weight), dtype=torch.float32))
        self.bias = linear.bias
        for start in range(0, len(weight), _PIECE):
            rows = slice(start, start + _PIECE)
            piece = weight[rows].float()
            scale = piece.abs().amax(dim=1).div_(127).clamp_(min=torch.finfo(torch.float32).tiny)
            self.scale[rows] = scale
            self.weight[rows] = (piece / scale[:, None]).round_()

    def forward(self, inputs: Tensor) -> Tensor:
        """Multiply; shapes (…, in) to (…, out)."""
        rows = inputs.reshape(-1, inputs.shape[-1])
        out = self._few(rows) if len(rows) <= _FEW else self._many(rows)
        out = out.mul_(self.scale)
        if self.bias is not None:
            out += self.bias
        return out.reshape(*inputs.shape[:-1], -1).to(inputs.dtype)

    def _few(self, rows: Tensor) -> Tensor:
        # In float32 this kernel is twelve times slower than in bfloat16. Its own scales would be
        # rounded to bfloat16 too, so they are left out here.
        ones = torch.ones(len(self.weight), dtype=torch.bfloat16)
        out: Tensor = torch._weight_int8pack_mm(rows.bfloat16(), self.weight, ones)
        return out.float()

    def _many(self, rows: Tensor) -> Tensor:
        rows = rows.float()
        out = torch.empty(len(rows), len(self.weight))
        for start in range(0, len(self.weight), _PIECE):
            some = slice(start, start + _PIECE)
            torch.mm(rows, self.weight[some].float().T, out=out[:, some])
        return out


def quantizer(dtype: torch.dtype, plain: torch.dtype, device: torch.device) -> Quantize | None:
    """Return what makes a layer of few bits from a layer and its weight.

    Parameters
    ----------
    dtype : torch.dtype
        ``torch.int8``, ``torch.int4``, or any other, for which there is nothing to do.
    plain : torch.dtype
        Of the rest of the network.
    """
    if dtype == FOUR_BITS:
        return partial(_four_bits, plain=plain, device=device)
    if dtype == torch.int8:
        return Int8Linear if device.type == "cpu" else partial(_eight_bits, device=device)
    return None


def quantized_as(network: nn.Module) -> str | None:
    """Return ``"int8"`` or ``"int4"`` for a network with such layers, else None."""
    names = {"Int8Linear": INT8, "Linear8bitLt": INT8, "Linear4bit": INT4}
    found = (names.get(type(module).__name__) for module in network.modules())
    return next((name for name in found if name is not None), None)


def _eight_bits(linear: nn.Linear, weight: Tensor, device: torch.device) -> nn.Module:
    layers: Any = import_module("bitsandbytes.nn")
    # It tells in every layer of every step that inputs become float16, which is how it works.
    logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
    made: Any = layers.Linear8bitLt(
        *weight.shape[::-1],
        bias=False,
        has_fp16_weights=False,
        threshold=_OUTLIER,
        device="meta",
    )
    # Moving the parameter to the device is what rounds it.
    moved = layers.Int8Params(weight, requires_grad=False, has_fp16_weights=False).to(device)
    return _with(made, moved, linear)


def _four_bits(
    linear: nn.Linear, weight: Tensor, plain: torch.dtype, device: torch.device
) -> nn.Module:
    layers: Any = import_module("bitsandbytes.nn")
    made: Any = layers.Linear4bit(
        *weight.shape[::-1], bias=False, compute_dtype=plain, quant_type="nf4", device="meta"
    )
    moved = layers.Params4bit(weight.to(plain), requires_grad=False, quant_type="nf4").to(device)
    return _with(made, moved, linear)


def _with(made: nn.Module, weight: nn.Parameter, linear: nn.Linear) -> nn.Module:
    made.register_parameter("weight", weight)
    made.register_parameter("bias", linear.bias)  # on the meta device until it is read
    return made.eval()
