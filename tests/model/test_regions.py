from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from napari_sa2va.errors import InvalidInput
from napari_sa2va.model.prompts import region_string
from napari_sa2va.model.regions import (
    FEWEST_TOKENS,
    closer_look,
    crop_round,
    fewest_tokens,
    region_tokens,
    tokens_covered,
)


def test_tokens_are_those_under_the_mask_in_reading_order() -> None:
    masks = np.zeros((2, 80, 160), bool)
    masks[0, :20, 40:80] = True  # a grid of 8 x 8: rows of 10 pixels, columns of 20
    masks[1] = True
    first, second = region_tokens(masks, 8)
    assert first.tolist() == [2, 3, 10, 11]
    assert second.tolist() == list(range(64))


@pytest.mark.parametrize(("row", "column"), [(5, 7), (99, 99), (0, 0), (50, 3)])
def test_a_region_too_small_to_hit_a_token_gets_the_one_it_lies_in(row: int, column: int) -> None:
    mask = np.zeros((1, 100, 100), bool)
    mask[0, row, column] = True
    (tokens,) = region_tokens(mask, 8)
    assert tokens.tolist() == [row * 8 // 100 * 8 + column * 8 // 100]


def test_an_empty_region_is_refused_by_its_number() -> None:
    masks = np.ones((3, 10, 10), bool)
    masks[1] = False
    with pytest.raises(InvalidInput, match="Region 2 is empty"):
        region_tokens(masks, 4)


def test_the_prompt_counts_regions_from_one() -> None:
    assert region_string([1, 2]) == (
        "\nThere are 2 part regions in the picture: region1<vp><IMG_CONTEXT></vp>, "
        "region2<vp><IMG_CONTEXT><IMG_CONTEXT></vp>.\n"
    )


def test_tokens_are_counted_without_the_one_of_the_centre() -> None:
    mask = np.zeros((160, 160), bool)
    mask[20:40, 40:80] = True
    assert tokens_covered(mask, 16) == 8
    mask[:] = False
    mask[5, 5] = True
    assert tokens_covered(mask, 16) == 0
    assert len(region_tokens(mask[None], 16)[0]) == 1


@pytest.mark.parametrize("side", [1, 2, 3, 7, 20, 60])
@pytest.mark.parametrize("shape", ["square", "low", "narrow"])
@pytest.mark.parametrize("place", [(0, 0), (300, 411), (899, 1199)])
def test_a_small_region_has_its_tokens_in_the_crop(
    side: int, shape: str, place: tuple[int, int]
) -> None:
    mask = np.zeros((900, 1200), bool)
    height = max(1, side // 8) if shape == "low" else side
    width = max(1, side // 8) if shape == "narrow" else side
    top, left = min(place[0], 900 - height), min(place[1], 1200 - width)
    mask[top : top + height, left : left + width] = True
    crop = closer_look(mask[None], 16)
    assert crop is not None
    inside = mask[crop]
    assert inside.sum() == mask.sum()
    assert tokens_covered(inside, 16) >= FEWEST_TOKENS
    assert inside.shape[0] == min(inside.shape[1], 900)


def test_the_crop_is_as_large_as_the_tokens_allow() -> None:
    mask = np.zeros((1, 900, 900), bool)
    mask[0, 300:320, 400:420] = True
    crop = closer_look(mask, 16)
    assert crop is not None
    rows, columns = crop
    side = rows.stop - rows.start
    assert side == columns.stop - columns.start
    assert 150 <= side < 320  # about two to four tokens span the region
    # The region is in its middle.
    assert abs((rows.start + rows.stop) / 2 - 310) <= 1
    assert abs((columns.start + columns.stop) / 2 - 410) <= 1


def test_tokens_are_taken_as_torch_resizes_masks() -> None:
    for height, width, side in [(260, 180, 16), (1000, 7, 12), (448, 448, 16), (333, 500, 12)]:
        mask = np.random.default_rng(height).random((height, width)) < 0.3
        resized = F.interpolate(
            torch.from_numpy(mask.astype(np.float32))[None, None], size=(side, side)
        )
        (tokens,) = region_tokens(mask[None], side)
        assert tokens.tolist() == resized.flatten().nonzero()[:, 0].tolist()


def test_no_crop_where_it_would_not_help() -> None:
    mask = np.zeros((160, 160), bool)
    mask[:40, :40] = True
    assert closer_look(mask[None], 16) is None  # large enough
    assert closer_look(np.ones((1, 1, 1), bool), 1) is None  # the whole image
    with pytest.raises(InvalidInput, match="Region 1 is empty"):
        closer_look(np.zeros((1, 8, 8), bool), 16)


def two(first: tuple[int, int, int], second: tuple[int, int, int]) -> np.ndarray:
    """Two squares: row, column and side."""
    masks = np.zeros((2, 900, 900), bool)
    for mask, (row, column, side) in zip(masks, (first, second), strict=True):
        mask[row : row + side, column : column + side] = True
    return masks


def test_several_small_regions_get_one_crop_round_all() -> None:
    masks = two((300, 300, 20), (330, 340, 20))
    crop = closer_look(masks, 16)
    assert crop is not None
    inside = masks[:, crop[0], crop[1]]
    assert inside.sum() == masks.sum()
    assert fewest_tokens(inside, 16) >= FEWEST_TOKENS


def test_a_crop_that_helps_a_little_is_better_than_none() -> None:
    masks = two((300, 300, 20), (700, 700, 30))
    crop = closer_look(masks, 16)
    assert crop is not None
    inside = masks[:, crop[0], crop[1]]
    assert fewest_tokens(masks, 16) < fewest_tokens(inside, 16) < FEWEST_TOKENS


def test_far_apart_there_is_nothing_to_look_closer_at() -> None:
    assert closer_look(two((0, 0, 2), (890, 890, 2)), 16) is None


def test_a_crop_without_tokens_to_count() -> None:
    assert crop_round(two((300, 400, 20), (300, 400, 40))) == (slice(260, 380), slice(360, 480))
    wide = np.zeros((1, 100, 900), bool)
    wide[0, 50:60, 400:500] = True
    assert crop_round(wide) == (slice(0, 100), slice(300, 600))
    assert crop_round(two((0, 0, 2), (0, 0, 1))) == (slice(0, 32), slice(0, 32))
    with pytest.raises(InvalidInput, match="region is empty"):
        crop_round(np.zeros((1, 8, 8), bool))
