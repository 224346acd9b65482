"""Measuring objects on their pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from napari_sa2va.annotation.measure import Tally, channel_names, channels_of, regions_in
from napari_sa2va.io.export.space import space_of

MICRO = "micrometer"


def test_areas_volumes_and_places_are_physical() -> None:
    """Thick slices of a turned layer: every number is as in the world."""
    labels = np.zeros((4, 30, 40), np.int32)
    labels[1:3, 5:15, 10:30] = 7
    shown = {"scale": (2.0, 0.5, 0.25), "translate": (100, 0, 0), "units": [MICRO] * 3}
    angle = math.radians(30)
    turn = np.eye(3)
    turn[1:, 1:] = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    for shown_as in (shown, shown | {"rotate": turn}, shown | {"units": ["nanometer"] * 3}):
        space = space_of(("z", "y", "x"), shown_as, 3)
        tally = Tally(space)
        for z, plane in enumerate(labels):
            for region in regions_in(plane):
                tally.add((z, None, None), region)
        (found,) = tally.results().values()
        unit = 1e-3 if "nanometer" in shown_as["units"] else 1.0
        assert (found.label, found.pixels, found.planes) == (7, 400, 2)
        assert found.area == pytest.approx(200 * 0.125 * unit**2)
        assert found.volume == pytest.approx(400 * 0.25 * unit**3)
        assert found.index == pytest.approx((1.5, 9.5, 19.5))
        assert found.centroid == pytest.approx((space.matrix @ [1.5, 9.5, 19.5, 1])[:-1])
        assert found.centroid[0] == pytest.approx(103 * unit)
        assert (found.first, found.last) == ((1, None, None), (2, None, None))


def test_time_is_no_depth() -> None:
    shown = {"units": ["second", MICRO, MICRO, MICRO]}
    tally = Tally(space_of((), shown, 4))
    for t in range(3):
        for z in range(2):
            for region in regions_in(np.ones((2, 5), np.uint8)):
                tally.add((t, z, None, None), region)
    (found,) = tally.results().values()
    assert (found.pixels, found.planes) == (60, 6)
    assert found.volume == 20  # at a time point
    assert found.area == 10
    from_the_side = Tally(space_of(("z", "y", "x"), {"units": [MICRO] * 3}, 3))
    for x in range(4):
        for region in regions_in(np.ones((2, 5), np.uint8)):
            from_the_side.add((None, None, x), region)
    (found,) = from_the_side.results().values()
    assert (found.volume, found.area) == (40, 10)


def test_what_has_no_unit_has_no_area() -> None:
    tally = Tally(space_of((), {"scale": (2, 2)}, 2))
    for region in regions_in(np.ones((2, 5), np.uint8)):
        tally.add((None, None), region)
    (found,) = tally.results().values()
    assert (found.pixels, found.centroid) == (10, (1.0, 4.0))
    assert math.isnan(found.area)
    assert math.isnan(found.volume)


def test_brightness_is_of_raw_numbers_in_every_channel() -> None:
    """Over planes and channels of different types; what is not finite is left out."""
    plane = np.array([[4_000_000_000, 4_000_000_000, 0], [9, 9, 9]], np.uint32)
    short = np.array([[1, 3, 100], [65_535, 65_535, 65_535]], np.uint16)
    float_ = np.array([[np.nan, 0.5, np.inf], [np.nan, np.nan, np.nan]], np.float32)
    colours = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    channels = channel_names(["a", "a", "rgb"], [False, False, True])
    assert channels == ("a", "a 2", "rgb red", "rgb green", "rgb blue")
    tally = Tally(space_of((), {}, 3), channels)
    for at in range(2):
        images = [short * (1 - at), float_, *channels_of(colours, rgb=True)]
        for region in regions_in(plane, images):
            tally.add((at, None, None), region)
    found = tally.results()
    assert list(found) == [9, 4_000_000_000]
    numbers = {one.channel: one for one in found[4_000_000_000].intensities}
    assert (numbers["a"].mean, numbers["a"].lowest, numbers["a"].highest) == (1, 0, 3)
    assert (numbers["a 2"].mean, numbers["rgb green"].highest) == (0.5, 5)
    numbers = {one.channel: one for one in found[9].intensities}
    assert numbers["a"].mean == 65_535 / 2
    assert math.isnan(numbers["a 2"].mean)


def test_a_part_of_a_plane_keeps_its_place() -> None:
    plane = np.zeros((20, 20), np.uint8)
    plane[5:8, 11:13] = 3
    (whole,) = regions_in(plane)
    (part,) = regions_in(plane[4:10, 10:14], corner=(4, 10))
    assert (part.row, part.column, part.box) == (whole.row, whole.column, whole.box)
