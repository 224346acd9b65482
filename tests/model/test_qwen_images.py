from __future__ import annotations

import golden
import numpy as np
import pytest
import torch
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from napari_sa2va.errors import InvalidInput
from napari_sa2va.model.config import Sa2VAConfig
from napari_sa2va.model.qwen_images import SECOND, image_patches, smart_size

FAMILIES = ["qwen2_5_vl", "qwen3_vl"]


@pytest.mark.parametrize(
    ("size", "unit", "chosen"),
    [
        ((200, 300), 28, (532, 784)),  # too small: grown
        ((1000, 1000), 28, (1008, 1008)),
        ((4000, 2000), 32, (1792, 896)),  # too large: shrunk
        ((100, 1000), 28, (224, 2016)),
    ],
)
def test_sides_are_multiples_and_the_area_is_bounded(
    size: tuple[int, int], unit: int, chosen: tuple[int, int]
) -> None:
    assert smart_size(*size, unit, *SECOND) == chosen


def test_a_very_thin_image_keeps_one_unit() -> None:
    assert smart_size(8, 1000, 28, 4 * 28**2, 16384 * 28**2)[0] == 28


def test_images_that_are_lines_are_refused() -> None:
    config = Sa2VAConfig.from_folder(golden.GOLDEN / "qwen3_vl")
    with pytest.raises(InvalidInput, match="200 times as long as wide"):
        image_patches(np.zeros((1, 201, 3), np.uint8), config)


@pytest.mark.parametrize("family", FAMILIES)
def test_patches_are_those_of_transformers(family: str) -> None:
    config = Sa2VAConfig.from_folder(golden.GOLDEN / family)
    unit = 2 * config.patch_size
    # A size that both resizes keep, so that only cutting and normalising is compared.
    pixels = np.random.default_rng(1).integers(0, 255, (28 * 32, 28 * 16, 3), np.uint8)
    patches, grid = image_patches(pixels, config)
    processor = Qwen2VLImageProcessorPil(
        patch_size=config.patch_size, image_mean=config.image_mean, image_std=config.image_std
    )
    least, most = SECOND
    expected = processor(
        images=[pixels],
        return_tensors="pt",
        size={"shortest_edge": least, "longest_edge": most},
    )
    assert unit * grid[0] // 2 == 28 * 32
    assert expected["image_grid_thw"].tolist() == [[1, *grid]]
    assert torch.allclose(patches, expected["pixel_values"], atol=1e-5)


def test_mean_and_deviation_come_from_the_checkpoint() -> None:
    stored = Sa2VAConfig.from_folder(golden.GOLDEN / "qwen2_5_vl")
    black = np.zeros((28 * 32, 28 * 16, 3), np.uint8)
    first = image_patches(black, stored)[0][0].reshape(3, -1)
    for values, mean, std in zip(first, stored.image_mean, stored.image_std, strict=True):
        assert torch.allclose(values, torch.full_like(values, -mean / std))
