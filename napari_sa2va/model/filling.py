"""Putting tensors from a checkpoint's files into a network, one by one."""

from __future__ import annotations

import ctypes
import sys
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn

from napari_sa2va.errors import CheckpointError
from napari_sa2va.model.device import plain_dtype
from napari_sa2va.model.quantized import quantizer
from napari_sa2va.model.shards import AGAIN

if TYPE_CHECKING:
    from napari_sa2va.model.names import Stored
    from napari_sa2va.model.network import Sa2VANetwork
    from napari_sa2va.model.quantized import Quantize
    from napari_sa2va.model.shards import Shards

# Positions are multiplied with this matrix: rounding it moves every point prompt.
ALWAYS_FLOAT32: Final = "positional_encoding_gaussian_matrix"
# Values that are checked at a time: the sum makes them float32 first.
_CHECKED: Final = 1 << 22


def stored_shape(network: nn.Module, places: list[tuple[str, Stored]]) -> tuple[int, ...]:
    """Return the shape that a stored tensor must have to fill its places (see `match_names`)."""
    ours, place = places[0]
    rows, *rest = _parameter(network, ours).shape
    return place.stored_rows(rows), *rest


class Filling:
    """Fills a network on the meta device from shards.

    Parameters
    ----------
    dtype : torch.dtype
        As in `checkpoint.load_network`.
    """

    def __init__(
        self, network: Sa2VANetwork, shards: Shards, device: torch.device, dtype: torch.dtype
    ) -> None:
        self._network, self._shards, self._device = network, shards, device
        self._dtype = plain_dtype(dtype, device)
        self._quantize: Quantize | None = quantizer(dtype, self._dtype, device)
        decoder: nn.Module = network.backbone.decoder
        self._few_bits = {id(part) for part in decoder.modules() if isinstance(part, nn.Linear)}

    def place(self, name: str, places: list[tuple[str, Stored]]) -> int:
        """Put one stored tensor where it belongs; return how many values it has."""
        shards, expected = self._shards, stored_shape(self._network, places)
        if shards.shape(name) != expected:
            raise CheckpointError(
                f"{shards.file(name)}: {name} has the shape {shards.shape(name)} where config.json "
                f"asks for {expected}. {AGAIN}"
            )
        tensor = shards.read(name)
        if not tensor.is_floating_point() or not _finite(tensor):
            raise CheckpointError(
                f"{shards.file(name)} is damaged: {name} holds no numbers. {AGAIN}"
            )
        kept = torch.float32 if name.endswith(ALWAYS_FLOAT32) else self._dtype
        for ours, place in places:
            part = place.of(tensor)
            if not self._replaced(ours, part):
                # A copy in any case: the tensor read may be a view of the file.
                target = torch.empty(part.shape, dtype=kept, device=self._device)
                _assign(self._network, ours, target.copy_(part))
        return tensor.numel()

    def _replaced(self, ours: str, weight: Tensor) -> bool:
        """Put a layer of few bits in place of one that is to become so."""
        path, _, leaf = ours.rpartition(".")
        if self._quantize is None or leaf != "weight":
            return False
        layer = self._network.get_submodule(path)
        if id(layer) not in self._few_bits:
            return False
        assert isinstance(layer, nn.Linear)
        self._network.set_submodule(path, self._quantize(layer, weight))
        return True


def emptied(network: nn.Module) -> None:
    """Let go of all weights, also where somebody keeps the network, as a traceback does."""
    for module in network.modules():
        module._parameters.clear()
        module._buffers.clear()
    give_back()


def give_back() -> None:
    """Have the C library give back what was freed and it keeps for later.

    That is half a gigabyte after a checkpoint of 2 billion weights was cancelled half way.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:  # glibc's alone
        trim(0)


def _finite(tensor: Tensor) -> bool:
    """Tell whether all values are numbers: a sum shows any infinity or nan among its terms."""
    pieces = torch.split(tensor.reshape(-1), _CHECKED)
    return all(bool(piece.sum(dtype=torch.float32).isfinite()) for piece in pieces)


def _parameter(network: nn.Module, name: str) -> Tensor:
    path, _, leaf = name.rpartition(".")
    tensor = getattr(network.get_submodule(path), leaf)
    assert isinstance(tensor, Tensor)
    return tensor


def _assign(network: nn.Module, name: str, tensor: Tensor) -> None:
    path, _, leaf = name.rpartition(".")
    module = network.get_submodule(path)
    if leaf in module._parameters:
        module.register_parameter(leaf, nn.Parameter(tensor, requires_grad=False))
    else:
        module.register_buffer(leaf, tensor)
