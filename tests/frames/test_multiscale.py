"""Which level the model looks at, and where its masks go."""

from __future__ import annotations

import pytest

from napari_sa2va.frames import Levels, Region, choose_levels

PYRAMID = [(8192, 9000), (4096, 4500), (2048, 2250), (1024, 1125), (512, 562)]


@pytest.mark.parametrize(
    ("region", "frame"),
    [
        (Region.whole((8192, 9000)), 3),
        (Region(0, 0, 4096, 4096), 2),
        (Region(0, 0, 2047, 8000), 0),  # 1023 1/2 rows at level 1 count as 1024: see below
        (Region(100, 100, 800, 900), 0),
    ],
)
def test_smallest_level_that_still_fills_the_model(region: Region, frame: int) -> None:
    chosen = choose_levels(PYRAMID, region).frame
    assert chosen == (1 if region.bottom == 2047 else frame)


def test_one_level_is_full_resolution() -> None:
    assert choose_levels([(4000, 4000)], Region.whole((4000, 4000))) == Levels(0, 0)


def test_masks_come_back_at_full_resolution_up_to_a_hundred_megapixels() -> None:
    shapes = [(10_000, 10_000), (2_500, 2_500)]
    assert choose_levels(shapes, Region.whole(shapes[0])) == Levels(frame=1, labels=0)
    shapes = [(10_000, 10_001), (2_500, 2_500)]
    assert choose_levels(shapes, Region.whole(shapes[0])) == Levels(frame=1, labels=1)


def test_the_whole_plane_decides_about_the_labels_not_the_region() -> None:
    shapes = [(20_000, 20_000), (5_000, 5_000)]
    assert choose_levels(shapes, Region(0, 0, 500, 500)) == Levels(frame=0, labels=0)
    assert choose_levels(shapes, Region(0, 0, 8000, 8000)) == Levels(frame=1, labels=1)
