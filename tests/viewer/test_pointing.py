"""A click on a pixel of the screen is a click on that pixel of the frame, however it is shown."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel

from napari_sa2va.viewer import snapshot
from napari_sa2va.viewer.pointing import in_frame, mask_in_frame, on_layer, plane_shown

# napari says so about tilted layers, which are on purpose here.
pytestmark = pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")

SHAPE = (4, 20, 30)


def shown(**arguments: Any) -> tuple[ViewerModel, Any]:
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros(SHAPE, np.uint8), contrast_limits=(0, 255), **arguments)
    viewer.dims.set_current_step(0, 2)
    return viewer, layer


MIRRORED = np.array([[1, 0, 0, 5], [0, -2, 0, 3], [0, 0, -1, 9], [0, 0, 0, 1]])
STRAIGHT = [{}, {"scale": (3, 0.5, 0.25), "translate": (10, -40, 7)}, {"affine": MIRRORED}]
# Out of the plane, napari does not follow a tilt.
TILTED = [{"rotate": 30, "scale": (1, 2, 2)}, {"rotate": 90}, {"shear": (0, 0, 0.4)}]
ORDERS = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (2, 1, 0)]


@pytest.mark.parametrize(
    ("arguments", "order"),
    [*itertools.product(STRAIGHT, ORDERS), *itertools.product(TILTED, ORDERS[:2])],
)
@pytest.mark.parametrize("pixel", [(2, 3, 17), (2, 19, 0)])
def test_a_pixel_of_the_layer_is_found_in_the_frame_and_back(
    arguments: dict[str, Any], order: tuple[int, ...], pixel: tuple[int, ...]
) -> None:
    viewer, layer = shown(**arguments)
    viewer.dims.order = order
    hidden = order[0]
    world = np.asarray(layer.data_to_world(pixel))
    viewer.dims.set_point(hidden, world[hidden])
    place = snapshot(viewer, [layer])
    row, column = in_frame(viewer, place.placement, tuple(world))
    layer.data[pixel] = 255
    assert np.argwhere(place.frames[0][..., 0]).tolist() == [[round(row), round(column)]]
    np.testing.assert_allclose(on_layer(place.placement, [(row, column)])[0], pixel, atol=1e-6)
    assert plane_shown(viewer, place.placement) == place.placement.index


def test_a_region_has_its_own_coordinates() -> None:
    viewer, layer = shown(scale=(1, 2, 2))
    corners = np.array([[2, 8, 10], [2, 8, 40], [2, 30, 40], [2, 30, 10]])
    place = snapshot(viewer, [layer], corners)
    row, column = in_frame(viewer, place.placement, (2, 2 * 7, 2 * 9))
    region = place.placement.region
    assert (row, column) == pytest.approx((7 - region.top, 9 - region.left))
    outside, _ = in_frame(viewer, place.placement, (2, 0, 20))
    assert outside < -0.5


def test_a_viewer_with_more_axes_than_the_layer() -> None:
    viewer, layer = shown()
    viewer.add_image(np.zeros((3, 4, 20, 30)))
    viewer.dims.set_current_step(1, 2)
    place = snapshot(viewer, [layer])
    assert in_frame(viewer, place.placement, (1, 2, 5, 6)) == pytest.approx((5, 6))


def test_levels_of_a_pyramid() -> None:
    viewer = ViewerModel()
    full = np.zeros((8192, 8192), np.uint8)
    layer = viewer.add_image([full, full[::4, ::4], full[::16, ::16]], multiscale=True)
    place = snapshot(viewer, [layer])
    height, _ = place.placement.frame_shape
    row, column = in_frame(viewer, place.placement, (8191.5, -0.5))
    assert (row, column) == pytest.approx((height - 0.5, -0.5))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(0, 1, 2), (0, 2, 1)]), st.booleans())
def test_a_mask_that_was_pasted_comes_back(seed: int, order: Any, region: bool) -> None:
    random = np.random.default_rng(seed)
    viewer, layer = shown()
    viewer.dims.order = order
    corners = np.array([[2, 3, 4], [2, 3, 22], [2, 15, 22], [2, 15, 4]])
    placement = snapshot(viewer, [layer], corners if region else "whole").placement
    mask = random.random(placement.frame_shape) < 0.3
    _, inside = placement.paste(mask)
    whole = placement.region.slices
    assert np.array_equal(mask_in_frame(placement, whole, inside), mask)
    part = (slice(5, 9), slice(6, 18))
    cut = random.random((4, 12)) < 0.5
    plane = np.zeros(placement.plane_shape, bool)
    plane[part] = cut
    expected = placement.orientation.to_screen(plane[whole])
    assert np.array_equal(mask_in_frame(placement, part, cut), expected)
