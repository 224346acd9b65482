from __future__ import annotations

import numpy as np
import pytest

from napari_sa2va.errors import InvalidInput
from napari_sa2va.model.prompts import region_string
from napari_sa2va.model.regions import (
    FEWEST_TOKENS,
    closer_look,
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
    crop = closer_look(mask, 16)
    assert crop is not None
    inside = mask[crop]
    assert inside.sum() == mask.sum()
    assert tokens_covered(inside, 16) >= FEWEST_TOKENS
    if shape == "square" and side >= 11:
        assert inside.shape == (3 * side, 3 * side)


def test_the_margin_is_the_regions_own_size_on_every_side() -> None:
    mask = np.zeros((900, 900), bool)
    mask[300:320, 400:440] = True
    assert closer_look(mask, 16) == (slice(280, 340), slice(360, 480))


def test_no_crop_where_it_would_not_help() -> None:
    mask = np.zeros((160, 160), bool)
    mask[:40, :40] = True
    assert closer_look(mask, 16) is None  # large enough
    assert closer_look(np.ones((1, 1), bool), 1) is None  # the whole image
    with pytest.raises(InvalidInput, match="region is empty"):
        closer_look(np.zeros((8, 8), bool), 16)
