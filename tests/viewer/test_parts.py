"""Connected parts through planes."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_sa2va.viewer.parts import connected_parts


def parts(frames: list[str], axis: int | None = 0) -> list[list[tuple[int, int]]]:
    """Find the parts of rows of pixels, one text a plane; each as (plane, first column)."""
    pixels: dict[Any, Any] = {}
    for number, text in enumerate(frames):
        inside = np.array([[letter == "#" for letter in text]])
        if inside.any():
            pixels[(number, None, None)] = (slice(4, 5), slice(10, 10 + len(text))), inside
    found = connected_parts(pixels, axis)
    return [sorted((p.plane[0], p.box[1].start - 10) for p in part) for part in found]


def test_corners_touch() -> None:
    inside = np.array([[1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 0, 1]], dtype=bool)
    box = slice(5, 8), slice(0, 4)
    first, second = connected_parts({(None, None): (box, inside)}, None)
    (large,), (small,) = first, second
    assert (large.box, large.area) == ((slice(5, 7), slice(0, 2)), 2)
    assert small.box == (slice(6, 8), slice(3, 4))


def test_overlapping_pieces_are_one_part_the_largest_first() -> None:
    assert parts(["#..##", "#..##", "...##"]) == [[(0, 3), (1, 3), (2, 3)], [(0, 0), (1, 0)]]


def test_pieces_that_meet_in_some_plane_are_one() -> None:
    assert parts(["#..#", "####", "#..#"]) == [[(0, 0), (0, 3), (1, 0), (2, 0), (2, 3)]]


def test_one_piece_stays_one_however_far_it_moves() -> None:
    assert parts(["##........", "", "........##"]) == [[(0, 0), (2, 8)]]
    # Found in planes that nobody followed it through.
    assert len(parts(["##........", "........##"], axis=None)) == 2


def test_pieces_without_overlap_are_matched_with_near_ones() -> None:
    assert parts(["##......##", "..##....##"]) == [[(0, 0), (1, 2)], [(0, 8), (1, 8)]]
    assert len(parts(["#...........#", ".....#......#"])) == 3


def test_two_axes_beside_the_plane() -> None:
    inside = np.ones((2, 2), dtype=bool)
    near, far = (slice(0, 2), slice(0, 2)), (slice(9, 11), slice(0, 2))
    pixels: dict[Any, Any] = {
        (0, 0, None, None): (near, inside),
        (0, 1, None, None): (near, inside),
        (1, 1, None, None): (near, inside),
        (1, 0, None, None): (far, inside),
    }
    assert sorted(len(part) for part in connected_parts(pixels, None)) == [1, 3]
