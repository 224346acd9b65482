from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import golden
import pytest

from napari_sa2va.errors import CheckpointError
from napari_sa2va.model.config import Sa2VAConfig, Sam2Config
from napari_sa2va.model.network import Sa2VANetwork

if TYPE_CHECKING:
    from pathlib import Path


def stored() -> dict[str, Any]:
    values: dict[str, Any] = json.loads((golden.GOLDEN / "internvl" / "config.json").read_text())
    return values


def test_sizes_follow_from_the_config() -> None:
    config = Sa2VAConfig.from_folder(golden.GOLDEN / "internvl")
    assert (config.tile_size, config.patch_size, config.token_side) == (448, 14, 16)
    assert config.tokens_per_tile == 256
    assert config.sam2.image_size == 256
    smaller = stored()
    smaller["force_image_size"], smaller["vision_config"]["patch_size"] = 192, 8
    assert Sa2VAConfig.from_dict(smaller).token_side == 12


def test_without_a_block_of_its_own_sam2_is_hiera_large() -> None:
    values = stored()
    del values["sam2"]
    assert Sa2VAConfig.from_dict(values).sam2 == Sam2Config()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"llm_config": None}, "are missing"),
        ({"vision_config": {}}, "damaged"),
        ({"force_image_size": "wide"}, "damaged"),
        ({"ps_version": "v1"}, "no published Sa2VA"),
        ({"sam2": {"image_size": 64, "colour": 1}}, "does not know: colour"),
    ],
)
def test_what_this_version_cannot_run_is_said(change: dict[str, Any], words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        Sa2VAConfig.from_dict(stored() | change)


def test_other_models_are_no_sa2va() -> None:
    with pytest.raises(CheckpointError, match="llm_config and vision_config are missing"):
        Sa2VAConfig.from_dict({"architectures": ["LlamaForCausalLM"]})


def test_unknown_language_models_are_named() -> None:
    values = stored()
    values["llm_config"]["model_type"] = "phi3"
    with pytest.raises(CheckpointError, match="of kind 'phi3'"):
        Sa2VANetwork.empty(Sa2VAConfig.from_dict(values))


@pytest.mark.parametrize(
    ("family", "mean"), [("qwen2_5_vl", 0.48145466), ("qwen3_vl", 0.5)], ids=["2.5", "3"]
)
def test_the_qwen_families_are_told_by_their_vision_tower(family: str, mean: float) -> None:
    config = Sa2VAConfig.from_folder(golden.GOLDEN / family)
    assert config.family == family
    assert config.width == 64
    assert (config.takes_regions, config.token_side) == (False, 0)
    assert config.image_mean[0] == mean
    values = json.loads((golden.GOLDEN / family / "config.json").read_text())
    assert Sa2VAConfig.from_dict(values) == config  # without the image processor's settings
    assert Sa2VAConfig.from_dict(values, {"image_mean": [0, 0, 1]}).image_mean == (0.0, 0.0, 1.0)
    with pytest.raises(CheckpointError, match="damaged"):
        Sa2VAConfig.from_dict(values, {"image_mean": [0.5]})


@pytest.mark.parametrize("content", ["", "[]", "{", "\x00"])
def test_a_broken_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"config\.json"):
        Sa2VAConfig.from_folder(tmp_path)
