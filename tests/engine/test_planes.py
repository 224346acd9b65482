from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sa2va.engine.planes import (
    first_planes,
    format_planes,
    parse_planes,
    planes_visited,
    spread_planes,
)
from napari_sa2va.errors import InvalidInput


@given(st.sets(st.integers(0, 99), min_size=1))
def test_what_is_written_can_be_read(planes: set[int]) -> None:
    assert parse_planes(format_planes(planes), 0, 100) == tuple(sorted(planes))


@pytest.mark.parametrize("text", ["3", " 3 ,", "3-3", "3–3", "3:3"])  # noqa: RUF001
def test_spellings(text: str) -> None:
    assert parse_planes(text, 0, 9) == (3,)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "Write which"),
        ("a", "“a”"),
        ("1-", "“1-”"),
        ("-2", "“-2”"),
        ("9", "no plane 9"),
        ("2-20", "no plane 20"),
        ("1", "no plane 1"),
    ],
)
def test_what_cannot_be_read(text: str, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        parse_planes(text, 2, 9)


@given(st.integers(0, 50), st.integers(1, 50))
def test_spread_planes_have_both_ends(start: int, length: int) -> None:
    stop = start + length
    planes = spread_planes(start, stop)
    assert planes[0] == start
    assert planes[-1] == stop - 1
    assert len(planes) == min(5, length)
    assert list(planes) == sorted(set(planes))
    assert first_planes(start, stop) == tuple(range(start, stop))[:5]


def test_the_official_spread() -> None:
    """As Sa2VA-i chooses them: linspace over the clip, truncated."""
    assert spread_planes(0, 24) == (0, 5, 11, 17, 23)


@pytest.mark.parametrize(("direction", "planes"), [("forward", 12), ("backward", 16), ("both", 20)])
def test_planes_that_a_tracking_comes_to(direction: str, planes: int) -> None:
    assert planes_visited((18, 25), (10, 30), direction) == planes
