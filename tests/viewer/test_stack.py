"""Stacks: the axes to choose from, and masks that land on the plane where they were seen."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel

from napari_sa2va.errors import InvalidInput
from napari_sa2va.viewer import snapshot, stack_axes, stack_snapshot

# napari says so about tilted layers, which are on purpose here.
pytestmark = pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
RNG = np.random.default_rng(11)


def bytes_of(*shape: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return RNG.integers(0, 255, shape, dtype=np.uint8)


def names(viewer: Any, layer: Any) -> list[str]:
    return [axis.name for axis in stack_axes(viewer, [layer])]


def test_time_comes_before_depth_and_channels_last() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(
        np.zeros((2, 5, 4, 3, 8, 8)), axis_labels=("c", "z", "position", "t", "y", "x")
    )
    assert names(viewer, layer) == ["t", "z", "position", "c"]
    viewer.dims.set_current_step(3, 2)
    best = stack_axes(viewer, [layer])[0]
    assert (best.axis, best.length, best.current) == (3, 3, 2)


def test_units_tell_what_an_axis_is() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((3, 4, 8, 8)), units=("um", "s", "um", "um"))
    assert names(viewer, layer) == ["axis 1", "axis 0"]


def test_planes_and_shown_axes_are_no_stack() -> None:
    viewer = ViewerModel()
    flat = viewer.add_image(np.zeros((8, 8)))
    assert stack_axes(viewer, [flat]) == ()
    assert stack_axes(viewer, []) == ()
    single = viewer.add_image(np.zeros((1, 8, 8)))
    assert stack_axes(viewer, [single]) == ()
    rgb = viewer.add_image(bytes_of(4, 40, 41, 3))
    assert names(viewer, rgb) == ["axis 0"]
    viewer.dims.order = (1, 0, 2)  # rows along the slider
    assert [axis.axis for axis in stack_axes(viewer, [rgb])] == [1]
    for layers, axis in (([flat], 0), ([rgb], 0), ([rgb], 7), ([], 0)):
        with pytest.raises(InvalidInput):
            stack_snapshot(viewer, layers, axis)
    labels = viewer.add_labels(np.zeros((4, 8, 8), dtype=int))
    assert stack_axes(viewer, [labels]) == ()


def test_a_3d_view_is_refused() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((6, 5, 8, 8)))
    viewer.dims.ndisplay = 3
    assert [axis.axis for axis in stack_axes(viewer, [layer])] == [0]
    with pytest.raises(InvalidInput, match="3-D"):
        stack_snapshot(viewer, [layer], 0)


def test_frames_are_the_planes_wherever_the_slider_is() -> None:
    viewer = ViewerModel()
    data = bytes_of(5, 4, 20, 31)
    layer = viewer.add_image(data, name="cells", axis_labels=("t", "z", "y", "x"))
    viewer.dims.current_step = (3, 1, 0, 0)
    stack = stack_snapshot(viewer, [layer], 0)
    assert len(stack.frames) == 5
    for frame in range(5):
        np.testing.assert_array_equal(stack.frames[frame][..., 1], data[frame, 1])
        assert stack.placement(frame).index == (frame, 1, None, None)
    assert stack.title == "cells · 20×31 · uint8 · t 0–4 · z 1"  # noqa: RUF001
    assert stack.line == (None, 1, None, None)
    other = stack_snapshot(viewer, [layer], 0, at={1: 3})
    np.testing.assert_array_equal(other.frames[2][..., 1], data[2, 3])
    assert other.key != stack.key
    viewer.dims.current_step = (0, 1, 0, 0)
    assert stack_snapshot(viewer, [layer], 0).key == stack.key
    assert stack_snapshot(viewer, [layer], 1).frames.shape == (20, 31)
    with pytest.raises(InvalidInput, match="no plane 4"):
        stack_snapshot(viewer, [layer], 0, at={1: 4})
    with pytest.raises(IndexError):
        stack.placement(5)


def test_a_slider_beside_the_stack_does_not_matter_but_others_do() -> None:
    viewer = ViewerModel()
    viewer.add_image(np.zeros((20, 9, 8, 8)))
    short = viewer.add_image(bytes_of(5, 4, 8, 8))
    viewer.dims.current_step = (12, 2, 0, 0)
    assert stack_snapshot(viewer, [short], 0).axis.current == 4
    viewer.dims.current_step = (2, 7, 0, 0)
    with pytest.raises(InvalidInput, match="outside"):
        stack_snapshot(viewer, [short], 0)
    assert len(stack_snapshot(viewer, [short], 1).frames) == 4


def test_channels_and_a_rectangle() -> None:
    viewer = ViewerModel()
    layers = [
        viewer.add_image(bytes_of(4, 30, 40), colormap=colour, blending="additive")
        for colour in ("red", "green")
    ]
    stack = stack_snapshot(viewer, layers, 0, [[4.6, 9.6], [14.4, 30.4]])
    assert stack.frames.shape == (10, 21)
    viewer.dims.set_current_step(0, 3)
    plane = snapshot(viewer, layers, [[4.6, 9.6], [14.4, 30.4]])
    np.testing.assert_array_equal(stack.frames[3], plane.frames[0])
    assert stack.placement(3).where == plane.placement.where


def test_taking_a_stack_reads_nothing() -> None:
    read = []

    def block(block_info: Any = None) -> np.ndarray[Any, Any]:
        read.append(tuple(block_info[None]["chunk-location"]))
        return np.ones((1, 8, 8), np.uint8)

    lazy = da.map_blocks(block, chunks=((1,) * 500, (8,), (8,)), dtype=np.uint8)
    viewer = ViewerModel()
    layer = viewer.add_image(lazy, cache=False, contrast_limits=(0, 1))
    read.clear()
    stack = stack_snapshot(viewer, [layer], 0)
    assert not read
    assert stack.frames[77].shape == (8, 8, 3)
    assert read == [(77, 0, 0)]


def test_a_pyramid_that_has_fewer_planes_above() -> None:
    full = np.zeros((4, 4096, 3072), dtype=np.uint8)
    full[2, 100:200] = 255
    small = full.reshape(2, 2, 2048, 2, 1536, 2).max(axis=(1, 3, 5))
    viewer = ViewerModel()
    layer = viewer.add_image([full, small], multiscale=True)
    stack = stack_snapshot(viewer, [layer], 0)
    assert len(stack.frames) == 4
    assert stack.frames.shape == (2048, 1536)
    placement = stack.placement(2)
    assert placement.labels_shape == (4, 4096, 3072)
    assert placement.index == (2, None, None)
    assert stack.frames[2][75, 5, 0] == 255


@st.composite
def views(draw: st.DrawFn) -> tuple[Any, Any]:
    """An image of 3 or 4 dimensions, stretched, turned and moved, in any order of axes."""
    ndim = draw(st.integers(3, 4))
    shape = [draw(st.integers(2, 5)) for _ in range(ndim - 2)]
    shape += [draw(st.integers(5, 12)) for _ in range(2)]
    turn = np.eye(ndim)
    radians = np.radians(draw(st.sampled_from([0, 90, 180, 270, 33])))
    order = tuple(draw(st.permutations(range(ndim))))
    if set(order[-2:]) == {ndim - 2, ndim - 1}:
        turn[-2:, -2:] = [
            [np.cos(radians), -np.sin(radians)],
            [np.sin(radians), np.cos(radians)],
        ]
    viewer = ViewerModel()
    factors = st.sampled_from([1, -1, 0.3, -2.5, 7])
    layer = viewer.add_image(
        np.zeros(shape, dtype=np.uint8),
        contrast_limits=(0, 255),
        scale=[draw(factors) for _ in range(ndim)],
        translate=[draw(st.floats(-50, 50)) for _ in range(ndim)],
        rotate=turn,
    )
    viewer.dims.order = order
    viewer.scene.camera.orientation2d = (
        draw(st.sampled_from(["up", "down"])),
        draw(st.sampled_from(["left", "right"])),
    )
    viewer.dims.current_step = [draw(st.integers(0, int(n) - 1)) for n in viewer.dims.nsteps]
    return viewer, layer


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(views(), st.data())
def test_a_mask_of_a_frame_lies_where_the_user_sees_that_frame(
    view: tuple[Any, Any], data: st.DataObject
) -> None:
    viewer, layer = view
    axis = data.draw(st.sampled_from([axis.axis for axis in stack_axes(viewer, [layer])]))
    stack = stack_snapshot(viewer, [layer], axis)
    index = data.draw(st.integers(0, len(stack.frames) - 1))
    height, width = stack.frames.shape
    mask = np.zeros((height, width), dtype=bool)
    mask[data.draw(st.integers(0, height - 1)), : data.draw(st.integers(1, width))] = True
    placement = stack.placement(index)
    painted = np.zeros(placement.labels_shape, dtype=np.uint8)
    where, inside = placement.paste(mask)
    painted[where][inside] = 255

    # Were the image what was painted, the user, gone to that frame, would see the mask.
    layer.data = painted
    at = layer.data_to_world(
        [index if i == axis else p or 0 for i, p in enumerate(placement.index)]
    )
    slider = viewer.dims.ndim - layer.ndim + axis
    viewer.dims.set_point(slider, at[slider])
    seen = snapshot(viewer, [layer])
    assert seen.placement.index == placement.index
    np.testing.assert_array_equal(seen.frames[0][..., 0] == 255, mask)
    np.testing.assert_array_equal(
        stack_snapshot(viewer, [layer], axis).frames[index], seen.frames[0]
    )
    others = [i for i in range(len(stack.frames)) if i != index]
    assert not any(stack_snapshot(viewer, [layer], axis).frames[i].any() for i in others)
