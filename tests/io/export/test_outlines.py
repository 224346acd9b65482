"""Polygons that, filled again, are the mask."""

from __future__ import annotations

import numpy as np
import pycocotools.mask as coco_mask
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_sa2va.io.export.outlines import one_polygon, polygons

# pycocotools 2.0.11 on numpy 2: its own arrays do not know `copy`.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

masks = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda shape: arrays(bool, shape).filter(np.any)
)


def filled(polygon: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Fill by the even-odd rule: a pixel is inside if a ray from its centre meets odd sides."""
    inside = np.zeros(shape, bool)
    for (x1, y1), (x2, y2) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        rows = np.arange(shape[0]) + 0.5
        between = (rows > min(y1, y2)) & (rows < max(y1, y2))
        if not between.any():
            continue
        at = x1 + (rows - y1) * (x2 - x1) / (y2 - y1)
        columns = np.arange(shape[1]) + 0.5
        inside ^= between[:, None] & (columns[None] > at[:, None])
    return inside


@given(masks)
@settings(max_examples=80, deadline=None)
def test_a_polygon_per_part_gives_the_mask_back(mask: np.ndarray) -> None:
    together = np.zeros(mask.shape, int)
    for polygon in polygons(mask):
        together += filled(polygon, mask.shape)
    np.testing.assert_array_equal(together, mask)


@given(masks)
@settings(max_examples=80, deadline=None)
def test_so_does_one_polygon_for_all_parts(mask: np.ndarray) -> None:
    np.testing.assert_array_equal(filled(one_polygon(mask), mask.shape), mask)


def test_corners_alone_are_kept() -> None:
    (square,) = polygons(np.ones((3, 4), bool))
    assert square.tolist() == [[0, 0], [4, 0], [4, 3], [0, 3]]


def test_pycocotools_fills_a_ring_as_it_was() -> None:
    mask = np.zeros((30, 40), bool)
    mask[3:25, 5:35] = True
    mask[10:15, 10:20] = False
    (ring,) = polygons(mask)
    encoded = coco_mask.frPyObjects([ring.ravel().astype(float).tolist()], 30, 40)
    np.testing.assert_array_equal(coco_mask.decode(encoded)[..., 0].astype(bool), mask)


def test_thousands_of_specks_are_joined_in_seconds() -> None:
    mask = np.zeros((120, 120), bool)
    mask[::3, ::3] = True  # 1,600 of them
    polygon = one_polygon(mask)
    assert len(polygon) == 1600 * 4 + 1599 * 2
    encoded = coco_mask.frPyObjects([polygon.ravel().astype(float).tolist()], *mask.shape)
    np.testing.assert_array_equal(coco_mask.decode(encoded)[..., 0].astype(bool), mask)
