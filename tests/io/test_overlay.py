from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from napari_sa2va.io.colours import label_colour
from napari_sa2va.io.overlay import draw_overlay, write_overlay

if TYPE_CHECKING:
    from pathlib import Path

GREY = np.full((600, 800, 3), 100, np.uint8)


def two_objects(shape: tuple[int, int]) -> np.ndarray:
    labels = np.zeros(shape, np.int32)
    labels[50:200, 100:400] = 1
    labels[300:500, 300:700] = 2
    return labels


def test_outline_tint_and_words_stand_where_the_objects_are() -> None:
    labels = two_objects((600, 800))
    drawn = draw_overlay(GREY, labels, {1: "the red cell"})
    assert drawn.shape == GREY.shape
    np.testing.assert_array_equal(drawn[50, 250], label_colour(1))
    np.testing.assert_array_equal(drawn[300, 500], label_colour(2))
    expected = 0.7 * 100 + 0.3 * np.array(label_colour(2))
    np.testing.assert_allclose(drawn[310, 310], expected, atol=1)
    np.testing.assert_array_equal(drawn[10, 10], [100, 100, 100])
    halo = (drawn == 0).all(axis=-1)
    assert halo[50:200, 100:400].sum() > 200  # "1 the red cell"
    assert 20 < halo[300:500, 300:700].sum() < halo[50:200, 100:400].sum()  # "2" alone


def test_captions_of_neighbours_do_not_cover_each_other() -> None:
    one = np.zeros((600, 800), np.int32)
    one[295:305, 390:400] = 1
    two = one.copy()
    two[295:305, 400:410] = 2
    single = (draw_overlay(GREY, one, {1: "a long expression"}) == 0).all(axis=-1).sum()
    both = draw_overlay(GREY, two, {1: "a long expression", 2: "a long expression"})
    assert (both == 0).all(axis=-1).sum() > 1.9 * single


def test_captions_stay_inside_the_picture() -> None:
    corner = np.zeros((600, 800), np.int32)
    corner[:4, 797:] = 1
    middle = np.zeros((600, 800), np.int32)
    middle[300:304, 400:403] = 1
    ink = [
        (draw_overlay(GREY, labels, {1: "the cell"}) == 0).all(axis=-1).sum()
        for labels in (corner, middle)
    ]
    assert ink[0] == ink[1]


def test_a_small_image_is_enlarged_so_that_words_fit() -> None:
    labels = np.zeros((64, 100), np.int32)
    labels[20:40, 30:60] = 1
    drawn = draw_overlay(GREY[:64, :100], labels, {1: "x"})
    assert drawn.shape == (512, 800, 3)


def test_no_objects_leave_the_image_as_it_is(tmp_path: Path) -> None:
    write_overlay(tmp_path / "o.png", GREY, np.zeros((600, 800), np.uint16), {})
    with Image.open(tmp_path / "o.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), GREY)
