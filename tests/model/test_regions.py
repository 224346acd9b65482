from __future__ import annotations

import numpy as np
import pytest

from napari_sa2va.errors import InvalidInput
from napari_sa2va.model.prompts import region_string
from napari_sa2va.model.regions import region_tokens


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
