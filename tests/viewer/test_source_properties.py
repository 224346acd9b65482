"""Whatever the layer's transform: left is left on the screen, and masks lie on what was seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel

from napari_sa2va.viewer import snapshot
from napari_sa2va.viewer.geometry import LayerGeometry, view_plane

# napari says so about tilted layers, which are on purpose here.
pytestmark = pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
PROPERTY = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])

angles = st.sampled_from([0, 0, 90, 180, 270]) | st.floats(-180, 180)
factors = st.sampled_from([1, -1, 0.3, -2.5, 7])
small = st.floats(-0.3, 0.3)


@dataclass(frozen=True)
class Scene:
    viewer: Any
    layer: Any
    data: np.ndarray[Any, Any]


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """A viewer with one image of random size, transform, axis order, slice and camera."""
    ndim = draw(st.integers(2, 4))
    shape = (
        *tuple(draw(st.integers(2, 4)) for _ in range(ndim - 2)),
        draw(st.integers(5, 17)),
        draw(st.integers(5, 17)),
    )
    # Rotation and shear within the last two axes, reflections and scales on all.
    turn = np.eye(ndim)
    radians = np.radians(draw(angles))
    turn[-2:, -2:] = [
        [np.cos(radians), -np.sin(radians)],
        [np.sin(radians), np.cos(radians)],
    ]
    affine = np.eye(ndim + 1)
    affine[-3:-1, -3:-1] += [[draw(small), draw(small)], [draw(small), draw(small)]]
    affine[:-1, -1] = [draw(st.floats(-50, 50)) for _ in range(ndim)]
    shear = np.eye(ndim)
    shear[-2, -1] = draw(small)
    order = tuple(draw(st.permutations(range(ndim))))
    if set(order[-2:]) != {ndim - 2, ndim - 1}:
        # Seen from the side a rotated layer is cut, not turned: keep it straight there.
        turn, shear = np.eye(ndim), np.eye(ndim)
        affine[:-1, :-1] = np.diag(np.diag(affine[:-1, :-1]))
    seed = draw(st.integers(0, 9))
    data = np.random.default_rng(seed).integers(1, 255, shape, dtype=np.uint8)
    viewer = ViewerModel()
    layer = viewer.add_image(
        data,
        scale=[draw(factors) for _ in range(ndim)],
        translate=[draw(st.floats(-50, 50)) for _ in range(ndim)],
        rotate=turn,
        shear=shear,
        affine=affine,
        units=["um"] * ndim,
        axis_labels=["t", "z", "y", "x"][-ndim:],
    )
    viewer.dims.order = order
    viewer.dims.current_step = [
        draw(st.integers(0, max(0, int(n) - 1))) for n in viewer.dims.nsteps
    ]
    viewer.scene.camera.orientation2d = (
        draw(st.sampled_from(["up", "down"])),
        draw(st.sampled_from(["left", "right"])),
    )
    return Scene(viewer, layer, data)


@PROPERTY
@given(scenes())
def test_the_frame_is_the_plane_that_napari_draws(scene: Scene) -> None:
    taken = snapshot(scene.viewer, [scene.layer])
    place, frame = taken.placement, taken.frames[0][..., 0]
    shown = scene.layer._data_view  # rows down, columns right, before transform and camera
    turn = place.orientation
    down, right = scene.viewer.dims.displayed
    drawn = turn.to_data(frame)
    np.testing.assert_array_equal(drawn if down < right else drawn.T, shown)


@PROPERTY
@given(scenes(), st.data())
def test_a_step_in_the_frame_is_a_step_that_way_on_the_screen(
    scene: Scene, data: st.DataObject
) -> None:
    viewer, layer = scene.viewer, scene.layer
    place = snapshot(viewer, [layer]).placement

    def on_screen(row: int, column: int) -> np.ndarray[Any, Any]:
        """World position of a frame's pixel, down and right on the screen."""
        mask = np.zeros(place.frame_shape, bool)
        mask[row, column] = True
        _where, inside = place.paste(mask)
        plane = np.argwhere(inside)[0] + [place.region.top, place.region.left]
        at, steps = list(place.index), iter(plane)
        at = [next(steps) if i is None else i for i in at]
        world = np.asarray(layer.data_to_world(at))[list(viewer.dims.displayed)]
        vertical, horizontal = viewer.scene.camera.orientation2d
        return world * [1 if vertical == "down" else -1, 1 if horizontal == "right" else -1]

    height, width = place.frame_shape
    row = data.draw(st.integers(0, height - 2))
    column = data.draw(st.integers(0, width - 2))
    here = on_screen(row, column)
    down = on_screen(row + 1, column) - here
    right = on_screen(row, column + 1) - here
    # Turned to the nearest of eight: with stretch taken out, the way right goes more right than
    # the way down does, and both the proper way.
    down, right = down / np.linalg.norm(down), right / np.linalg.norm(right)
    assert down[0] + right[1] >= abs(down[1]) + abs(right[0]) - 1e-6


@PROPERTY
@given(scenes(), st.data())
def test_a_mask_covers_the_world_points_that_were_marked(scene: Scene, data: st.DataObject) -> None:
    viewer, layer = scene.viewer, scene.layer
    plane = view_plane(viewer, LayerGeometry.of(layer))
    rows, columns = (scene.data.shape[axis] for axis in plane.axes)
    top = data.draw(st.integers(0, rows - 2))
    left = data.draw(st.integers(0, columns - 2))
    blob = [slice(top, data.draw(st.integers(top + 1, rows))), slice(left, left + 2)]

    # Mark a blob in the image itself, and look at a rectangle around a part of the plane.
    index = snapshot(viewer, [layer]).placement.index
    sides = iter(blob)
    marked = tuple(next(sides) if at is None else at for at in index)
    image = np.zeros_like(scene.data)
    image[marked] = 255
    layer.data = image
    corners = np.array([[max(0, top - 2), left], [min(rows, top + 4), left + 2]]) - 0.5
    box = plane.to_screen[:, :2] @ corners.T + plane.to_screen[:, 2:]
    world = np.tile(np.asarray(viewer.dims.point, dtype=float), (2, 1))
    world[:, list(viewer.dims.displayed)] = box.T
    taken = snapshot(viewer, [layer], data.draw(st.sampled_from(["whole", world])))

    # A model that answers with the bright pixels.
    mask = taken.frames[0][..., 0] > 127
    place = taken.placement
    painted = np.zeros(place.labels_shape, int)
    where, inside = place.paste(mask)
    painted[where][inside] = 1
    labels = viewer.add_labels(painted, **place.labels_geometry())

    region = tuple(
        next(parts) if at is None else at for parts in [iter(place.region.slices)] for at in index
    )
    np.testing.assert_array_equal(painted[region] == 1, image[region] == 255)
    for point in np.argwhere(painted)[:5]:
        at = layer.data_to_world(point)
        np.testing.assert_allclose(labels.world_to_data(at), point, atol=1e-6)
        assert labels.get_value(at, world=True) == 1
    assert viewer.dims.units is not None
