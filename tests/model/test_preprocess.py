from __future__ import annotations

from dataclasses import replace

import golden
import numpy as np
import pytest
import torch

from napari_sa2va.model.config import Sa2VAConfig
from napari_sa2va.model.preprocess import frame_tile, image_tiles, sam2_image, tile_grid
from napari_sa2va.model.prompts import first_question, segmentation_question

CONFIG = Sa2VAConfig.from_folder(golden.GOLDEN / "internvl")


@pytest.mark.parametrize(
    ("height", "width", "grid"),
    [
        (448, 448, (1, 1)),
        # Square grids tie: a larger one needs an area over half of its own pixels.
        (633, 633, (1, 1)),
        (634, 634, (2, 2)),
        (2000, 2000, (3, 3)),
        (200, 300, (3, 2)),
        (100, 1200, (12, 1)),
        (5000, 10, (1, 12)),
        (1, 1, (1, 1)),
    ],
)
def test_the_grid_follows_the_aspect_ratio(height: int, width: int, grid: tuple[int, int]) -> None:
    assert tile_grid(height, width, CONFIG) == grid


def test_tiles_come_in_reading_order_with_the_thumbnail_last() -> None:
    pixels = np.zeros((896, 1344, 3), np.uint8)
    pixels[:448, 448:896] = 255  # the second tile of the first row of three
    tiles = image_tiles(pixels, CONFIG)
    assert tiles.shape == (7, 3, 448, 448)
    means = tiles.mean(dim=(1, 2, 3))
    assert means.argmax() == 1
    assert means[0] < means[6] < means[1]
    assert len(image_tiles(pixels, replace(CONFIG, use_thumbnail=False))) == 6


def test_frames_and_images_become_squares() -> None:
    pixels = np.full((30, 50, 3), 255, np.uint8)
    assert frame_tile(pixels, CONFIG).shape == (3, 448, 448)
    square = sam2_image(pixels, CONFIG)
    assert square.shape == (3, 256, 256)
    mean, std = (torch.tensor(v).bfloat16().float() for v in (0.485, 0.229))
    assert torch.equal(square[0], torch.full((256, 256), float((1 - mean) / std)))


@pytest.mark.parametrize("phrase", ["The red cell", "the red cell.", "  THE RED CELL. "])
def test_phrases_become_the_question_of_training(phrase: str) -> None:
    assert segmentation_question(phrase) == "Please segment the red cell in this image."


def test_the_image_goes_in_front_unless_the_question_places_it() -> None:
    assert first_question("What?") == "<image>\nWhat?"
    assert first_question("<image>What?") == "<image>What?"
