"""Language models in 8 and 4 bits a weight."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import nn

from napari_sa2va.errors import CheckpointError, InvalidInput
from napari_sa2va.model import Sa2VA, precision
from napari_sa2va.model.checkpoint import load_network, official_state
from napari_sa2va.model.device import choose_dtype, plain_dtype
from napari_sa2va.model.precision import INT4, INT8, weights_size
from napari_sa2va.model.quantized import Int8Linear, quantized_as
from napari_sa2va.model.shards import Shards

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sa2va.model.network import Sa2VANetwork

CPU, CUDA, MPS = (torch.device(name) for name in ("cpu", "cuda", "mps"))


@pytest.mark.parametrize("rows", [1, 8, 40])
def test_eight_bits_are_near_the_weights_also_beside_a_huge_input(rows: int) -> None:
    torch.manual_seed(1)
    linear = nn.Linear(1536, 1100).requires_grad_(False)
    inputs = torch.randn(rows, 1536)
    inputs[:, 7] = 300.0  # as in language models: one channel far above the others
    with torch.inference_mode():
        small = Int8Linear(linear, linear.weight.bfloat16())
        found, wanted = small(inputs[None]), linear(inputs)[None]
    assert found.shape == wanted.shape and found.dtype == torch.float32
    assert small.weight.dtype == torch.int8 and small.bias is linear.bias
    # With inputs of 8 bits, in steps of 300 / 127, this would be about 0.7.
    others = inputs.clone()
    others[:, 7] = 0
    assert (found - wanted).norm() / linear(others).norm() < 0.1


def layers(network: Sa2VANetwork) -> list[str]:
    return [type(m).__name__ for m in network.backbone.decoder.modules() if hasattr(m, "bias")]


def test_a_checkpoint_in_eight_bits_answers_on_the_processor(
    internvl: Sa2VA, internvl_folder: Path
) -> None:
    model = Sa2VA.from_pretrained(internvl_folder, "cpu", "int8")
    assert set(layers(model.network)) == {"Int8Linear"}
    assert model.dtype_name == quantized_as(model.network) == INT8
    assert quantized_as(internvl.network) is None
    with Shards(internvl_folder) as shards:
        shapes = {name: shards.shape(name) for name in shards.names}
    # Scales weigh more in layers as narrow as these.
    assert weights_size(shapes, INT8, "float32") == pytest.approx(model.bytes_held, rel=0.01)
    assert (
        weights_size(shapes, "float32", "float32")
        == internvl.bytes_held - internvl._cache.bytes_held
    )
    image = np.random.default_rng(2).integers(0, 255, (64, 80, 3), np.uint8)
    answer = model.answer(image, "Please segment it.", max_new_tokens=12)
    assert answer.tokens == internvl.answer(image, "Please segment it.", max_new_tokens=12).tokens
    with pytest.raises(CheckpointError, match="int8 cannot be saved"):
        official_state(model.network, torch.float16)


def stand_in() -> ModuleType:
    """bitsandbytes.nn, as far as it is used: what is moved to a device is rounded on the way."""
    nn_module = ModuleType("bitsandbytes.nn")

    class Moved(nn.Parameter):
        def __new__(cls, data: torch.Tensor, requires_grad: bool, **named: Any) -> Any:
            made = torch.Tensor._make_subclass(cls, data, requires_grad)
            made.named = named
            return made

        def to(self, place: Any) -> Any:
            return nn.Parameter(self.data.to(place, copy=True), requires_grad=False)

    class Linear8bitLt(nn.Linear):
        def __init__(self, inside: int, out: int, bias: bool, device: str, **named: Any) -> None:
            super().__init__(inside, out, bias, device)
            self.named = named

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return nn.functional.linear(inputs, self.weight.to(inputs.dtype), self.bias)

    class Linear4bit(Linear8bitLt):
        pass

    nn_module.Int8Params = nn_module.Params4bit = Moved  # type: ignore[attr-defined]
    nn_module.Linear8bitLt, nn_module.Linear4bit = Linear8bitLt, Linear4bit  # type: ignore[attr-defined]
    return nn_module


@pytest.mark.parametrize("real", [False, True])
def test_layers_of_bitsandbytes_take_the_place_of_the_language_models(
    internvl: Sa2VA, internvl_folder: Path, monkeypatch: pytest.MonkeyPatch, real: bool
) -> None:
    # What CUDA runs; bitsandbytes' own layers run on a processor too, where it is installed.
    if real:
        pytest.importorskip("bitsandbytes")
    else:
        monkeypatch.setitem(sys.modules, "bitsandbytes.nn", stand_in())
    network = load_network(internvl_folder, "cpu", torch.int4)
    assert set(layers(network)) == {"Linear4bit"}
    assert quantized_as(network) == INT4
    assert not any(tensor.is_meta for tensor in network.state_dict().values())
    assert not any(module.training for module in network.modules())
    with torch.inference_mode():
        wanted = internvl.network.backbone.decoder.layers[0].mlp
        found = network.backbone.decoder.layers[0].mlp
        inputs = torch.randn(1, 5, network.config.width)
        difference = (found(inputs) - wanted(inputs)).norm() / wanted(inputs).norm()
    assert difference < (0.3 if real else 1e-5)


def test_where_few_bits_do_not_work_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInput, match=r"NVIDIA GPU\. Choose int8"):
        choose_dtype(INT4, CPU)
    with pytest.raises(InvalidInput, match="do not work on 'mps'"):
        choose_dtype(INT8, MPS)
    monkeypatch.setattr(precision, "find_spec", lambda name: None)
    for dtype in (INT8, torch.int4):
        with pytest.raises(InvalidInput, match=r"napari-sa2va\[quantized\]"):
            choose_dtype(dtype, CUDA)
    monkeypatch.setattr(precision, "find_spec", lambda name: object())
    assert choose_dtype(INT4, CUDA) == torch.int4
    assert plain_dtype(choose_dtype(INT8, CPU), CPU) == torch.float32
    assert plain_dtype(torch.float16, CPU) == torch.float16
