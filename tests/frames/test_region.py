"""Region: which pixels a box touches, and the same box at other levels of a pyramid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames import Region


def test_around_takes_every_pixel_that_is_touched() -> None:
    assert Region.around([[1.4, 2.6], [3.6, 4.4]], (10, 10)) == Region(1, 3, 5, 5)


def test_borders_that_only_meet_are_left_out() -> None:
    assert Region.around([[1.5, 2.5], [3.5, 4.5]], (10, 10)) == Region(2, 3, 4, 5)


def test_around_is_clipped_to_the_plane() -> None:
    assert Region.around([[-50, -50], [50, 50]], (7, 9)) == Region.whole((7, 9))


@pytest.mark.parametrize("points", [[[-9, -9], [-1, -1]], [[20, 2], [30, 4]]])
def test_a_box_beside_the_plane_is_refused(points: list[list[float]]) -> None:
    with pytest.raises(InvalidInput, match="no pixel"):
        Region.around(points, (10, 10))


def test_coordinates_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(InvalidInput, match="not numbers"):
        Region.around([[np.nan, 0], [1, 1]], (10, 10))


def test_slices_cut_the_region() -> None:
    plane = np.arange(30).reshape(5, 6)
    np.testing.assert_array_equal(plane[Region(1, 2, 3, 6).slices], plane[1:3, 2:6])


@given(st.data())
def test_reduced_then_enlarged_covers_the_region(data: st.DataObject) -> None:
    rows, columns = data.draw(st.integers(1, 60)), data.draw(st.integers(1, 60))
    small = (data.draw(st.integers(1, rows)), data.draw(st.integers(1, columns)))
    top, left = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    region = Region(
        top,
        left,
        data.draw(st.integers(top + 1, rows)),
        data.draw(st.integers(left + 1, columns)),
    )
    factors = (rows / small[0], columns / small[1])
    reduced = region.reduced(factors, small)
    assert reduced.is_within(small)
    back = reduced.enlarged(factors, (rows, columns))
    assert back.is_within((rows, columns))
    # A pixel of the region may be missed by less than half of itself, never by a whole one.
    assert back.top <= region.top + 0.5 and back.left <= region.left + 0.5
    assert back.bottom >= region.bottom - 0.5 and back.right >= region.right - 0.5


@given(st.integers(1, 90), st.data())
def test_enlarged_neighbours_share_no_pixel(rows: int, data: st.DataObject) -> None:
    small = data.draw(st.integers(1, rows))
    factors = (rows / small, 1.0)
    seen = [
        row
        for at in range(small)
        for row in range(
            *Region(at, 0, at + 1, 1).enlarged(factors, (rows, 1)).slices[0].indices(rows)
        )
    ]
    assert seen == list(range(rows))
