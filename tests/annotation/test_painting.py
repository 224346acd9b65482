from __future__ import annotations

import numpy as np
import pytest

from napari_sa2va.annotation.masks import number_parts
from napari_sa2va.annotation.painting import (
    Shape,
    check_room,
    match_parts,
    paint,
    shifted,
    union,
)
from napari_sa2va.errors import InvalidInput

WHOLE = (slice(0, 10), slice(0, 10))


def box(rows: slice, columns: slice, size: int = 10) -> np.ndarray:
    mask = np.zeros((size, size), dtype=np.int32)
    mask[rows, columns] = 1
    return mask


def test_existing_labels_keep_their_pixels() -> None:
    plane = box(slice(0, 5), slice(0, 5)) * 7
    shape = Shape(WHOLE, box(slice(3, 8), slice(3, 8)), (8,))
    kept = paint(plane, [shape], replace=False)
    assert np.array_equal(kept == 7, plane == 7)
    assert (kept == 8).sum() == 25 - 4
    replaced = paint(plane, [shape], replace=True)
    assert (replaced == 8).sum() == 25
    assert plane.max() == 7


def test_first_of_two_wins_unless_replacing() -> None:
    plane = np.zeros((10, 10), np.int32)
    shapes = [
        Shape(WHOLE, box(slice(0, 5), slice(0, 5)), (1,)),
        Shape(WHOLE, box(slice(0, 9), slice(0, 9)), (2,)),
    ]
    assert (paint(plane, shapes, replace=False) == 1).sum() == 25
    assert (paint(plane, shapes, replace=True) == 1).sum() == 0


def test_parts_get_their_own_labels() -> None:
    parts = box(slice(0, 2), slice(0, 2)) + 2 * box(slice(5, 7), slice(5, 7))
    painted = paint(np.zeros((10, 10), np.int32), [Shape(WHOLE, parts, (4, 9))], replace=False)
    assert set(np.unique(painted)) == {0, 4, 9}
    assert painted[0, 0] == 4
    assert painted[5, 5] == 9


def test_a_part_of_a_plane_is_painted_in_its_own_coordinates() -> None:
    shape = Shape((slice(4, 6), slice(7, 9)), np.ones((2, 2), np.int32), (3,))
    painted = paint(np.zeros((4, 4), np.int32), [shape], replace=False, origin=(3, 6))
    assert np.argwhere(painted == 3).tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]


def test_boxes() -> None:
    one, other = (slice(2, 5), slice(3, 4)), (slice(4, 9), slice(0, 2))
    assert union(one, other) == (slice(2, 9), slice(0, 4))
    assert shifted(one, (2, 1)) == (slice(0, 3), slice(2, 3))


def test_a_small_dtype_has_no_room() -> None:
    check_room(255, np.dtype(np.uint8))
    with pytest.raises(InvalidInput, match="up to 255"):
        check_room(256, np.dtype(np.uint8))


def test_parts_keep_labels_when_the_border_moves() -> None:
    wide = box(slice(0, 4), slice(0, 10)) + 2 * box(slice(6, 9), slice(0, 3))
    before = Shape(WHOLE, wide, (11, 12))
    # The first part falls into two: the larger keeps the label, the other needs a new one.
    mask = box(slice(0, 4), slice(0, 3)) + box(slice(0, 4), slice(5, 10))
    mask += box(slice(6, 8), slice(0, 2))
    parts, count = number_parts(mask > 0)
    assert count == 3
    assert match_parts(parts, count, before) == [None, 11, 12]
