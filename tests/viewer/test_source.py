"""Snapshots of what the viewer shows: layers, slices, channels, levels, refusals."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from napari.layers import Shapes

from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames import Region
from napari_sa2va.viewer import snapshot

RNG = np.random.default_rng(7)


def bytes_of(*shape: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return RNG.integers(0, 255, shape, dtype=np.uint8)


def test_the_plane_at_the_sliders() -> None:
    viewer = ViewerModel()
    data = bytes_of(5, 4, 20, 31)
    layer = viewer.add_image(data, name="cells", axis_labels=("t", "z", "y", "x"))
    viewer.dims.current_step = (3, 1, 0, 0)
    taken = snapshot(viewer, [layer])
    np.testing.assert_array_equal(taken.frames[0][..., 1], data[3, 1])
    assert taken.title == "cells · 20×31 · uint8 · t 3 · z 1"  # noqa: RUF001
    assert taken.placement.index == (3, 1, None, None)
    assert taken.placement.labels_shape == (5, 4, 20, 31)


def test_a_snapshot_does_not_follow_the_viewer() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(bytes_of(5, 20, 31))
    taken = snapshot(viewer, [layer])
    before = taken.frames[0]
    viewer.dims.current_step = (0, 0, 0)
    layer.contrast_limits, layer.gamma, layer.colormap = (90, 100), 0.3, "red"
    layer.scale = (1, -1, 2)
    np.testing.assert_array_equal(taken.frames[0], before)
    again = snapshot(viewer, [layer])
    assert again.key != taken.key
    assert not np.array_equal(again.frames[0], before)


def test_equal_planes_have_equal_keys() -> None:
    viewer = ViewerModel()
    first, second = viewer.add_image(bytes_of(5, 9, 9)), viewer.add_image(bytes_of(5, 9, 9))
    assert snapshot(viewer, [first]).key == snapshot(viewer, [first]).key
    assert snapshot(viewer, [first]).key != snapshot(viewer, [second]).key
    assert hash(snapshot(viewer, [first, second]).key)


def test_rgb_stack() -> None:
    viewer = ViewerModel()
    data = bytes_of(4, 40, 41, 3)
    layer = viewer.add_image(data)
    viewer.dims.current_step = (2, 0, 0)
    taken = snapshot(viewer, [layer])
    np.testing.assert_array_equal(taken.frames[0], data[2])
    assert taken.placement.labels_shape == (4, 40, 41)
    assert "RGB" in taken.title and taken.title.endswith("axis 0: 2")


def test_layers_shifted_against_each_other_have_their_own_index() -> None:
    viewer = ViewerModel()
    first = viewer.add_image(bytes_of(5, 9, 9))
    second = viewer.add_image(bytes_of(5, 9, 9), translate=(2, 0, 0))
    viewer.dims.point = (3, 0, 0)
    assert snapshot(viewer, [first]).placement.index[0] == 3
    assert snapshot(viewer, [second]).placement.index[0] == 1


def test_a_flat_layer_below_a_stack_is_shown_at_every_slice() -> None:
    viewer = ViewerModel()
    viewer.add_image(bytes_of(5, 9, 9))
    flat = viewer.add_image(bytes_of(9, 9))
    viewer.dims.current_step = (4, 0, 0)
    assert snapshot(viewer, [flat]).placement.index == (None, None)


def test_units_of_the_layer_count() -> None:
    viewer = ViewerModel()
    data = bytes_of(5, 9, 9)
    viewer.add_image(bytes_of(5, 9, 9), units=("nm", "um", "um"), scale=(500, 1, 1))
    layer = viewer.add_image(data, units=("um", "um", "um"), scale=(0.5, 1, 1))
    viewer.dims.current_step = (3, 0, 0)
    assert snapshot(viewer, [layer]).placement.index[0] == 3
    np.testing.assert_array_equal(layer._data_view, data[3])


@pytest.mark.parametrize("kind", ["zarr", "dask"])
def test_lazy_arrays(kind: str) -> None:
    data = RNG.integers(0, 4000, (5, 30, 40), dtype=np.uint16)
    lazy = da.from_array(data, chunks=(1, 10, 10)) if kind == "dask" else zarr.array(data)
    viewer = ViewerModel()
    layer = viewer.add_image(lazy, contrast_limits=(0, 4000))
    taken = snapshot(viewer, [layer])
    reference = viewer.add_image(data, contrast_limits=(0, 4000))
    np.testing.assert_array_equal(taken.frames[0], snapshot(viewer, [reference]).frames[0])


def test_taking_a_snapshot_reads_nothing() -> None:
    read = []

    def block(block_info: Any = None) -> np.ndarray[Any, Any]:
        read.append(tuple(block_info[None]["chunk-location"]))
        return np.ones((1, 8, 8), np.uint8)

    lazy = da.map_blocks(block, chunks=((1,) * 6, (8,) * 4, (8,) * 4), dtype=np.uint8)
    viewer = ViewerModel()
    layer = viewer.add_image(lazy, cache=False, contrast_limits=(0, 1))
    viewer.dims.current_step = (4, 0, 0)
    read.clear()
    taken = snapshot(viewer, [layer], [[9, 9], [14, 20]])
    assert read == []
    assert taken.frames[0].shape == (6, 12, 3)
    assert sorted(read) == [(4, 1, 1), (4, 1, 2)]


# --- channels


def test_channels_are_added_up() -> None:
    viewer = ViewerModel()
    data = bytes_of(2, 20, 30)
    layers = viewer.add_image(
        data, channel_axis=0, colormap=["red", "green"], contrast_limits=(0, 255), name="cells"
    )
    layers[1].opacity = 0.5
    taken = snapshot(viewer, layers)
    frame = taken.frames[0]
    np.testing.assert_array_equal(frame[..., 0], data[0])
    np.testing.assert_allclose(frame[..., 1], data[1] / 2, atol=1)
    assert "2 channels" in taken.title


def test_opacity_of_a_single_layer_does_not_darken_it() -> None:
    viewer = ViewerModel()
    data = bytes_of(20, 30)
    layer = viewer.add_image(data, opacity=0.1)
    np.testing.assert_array_equal(snapshot(viewer, [layer]).frames[0][..., 0], data)


@pytest.mark.parametrize(
    "other",
    [
        {"data": np.ones((20, 31))},
        {"data": np.ones((2, 20, 30))},
        {"data": np.ones((20, 30)), "scale": (1, 1.01)},
        {"data": np.ones((20, 30)), "translate": (0.5, 0)},
        {"data": np.ones((20, 30)), "rotate": 1},
        {"data": np.ones((20, 30)), "units": ("um", "um")},
    ],
    ids=["shape", "dimensions", "scale", "translate", "rotate", "units"],
)
@pytest.mark.filterwarnings("ignore:Inconsistent units")
def test_channels_must_lie_on_one_grid(other: dict[str, Any]) -> None:
    viewer = ViewerModel()
    first = viewer.add_image(np.ones((20, 30)), name="a")
    second = viewer.add_image(**other, name="b")
    with pytest.raises(InvalidInput, match="'a' and 'b'"):
        snapshot(viewer, [first, second])


# --- multiscale


def pyramid(*shape: int, levels: int = 4) -> list[np.ndarray[Any, Any]]:
    full = np.zeros(shape, np.uint8)
    full[..., shape[-2] // 4, shape[-1] // 2] = 255
    full[..., : shape[-2] // 4, :] = 100
    return [full[..., :: 2**level, :: 2**level] for level in range(levels)]


def test_multiscale_is_looked_at_where_it_suits_the_model() -> None:
    viewer = ViewerModel()
    levels = pyramid(3, 4096, 4400)
    layer = viewer.add_image(levels, multiscale=True, contrast_limits=(0, 255))
    viewer.dims.current_step = (1, 0, 0)
    taken = snapshot(viewer, [layer])
    assert taken.frames.shape == (1024, 1100)
    np.testing.assert_array_equal(taken.frames[0][..., 0], levels[2][1])
    assert taken.placement.labels_shape == (3, 4096, 4400)
    assert taken.placement.region == Region.whole((4096, 4400))
    where, inside = taken.placement.paste(np.ones((1024, 1100), bool))
    assert where == (1, slice(0, 4096), slice(0, 4400))
    assert inside.shape == (4096, 4400) and inside.all()


def test_a_small_region_of_a_pyramid_is_looked_at_in_full() -> None:
    viewer = ViewerModel()
    levels = pyramid(4096, 4400)
    layer = viewer.add_image(levels, multiscale=True, contrast_limits=(0, 255))
    taken = snapshot(viewer, [layer], [[1000, 2000], [1100, 2300]])
    np.testing.assert_array_equal(taken.frames[0][..., 0], levels[0][1000:1101, 2000:2301])


def test_above_a_hundred_megapixels_labels_take_the_chosen_level() -> None:
    viewer = ViewerModel()
    levels = [
        da.zeros((2, 12_000, 10_000), dtype=np.uint8, chunks=(1, 4000, 4000)),
        da.zeros((2, 3_000, 2_500), dtype=np.uint8, chunks=(1, 3000, 2500)),
        da.zeros((2, 300, 250), dtype=np.uint8, chunks=(1, 300, 250)),
    ]
    image = viewer.add_image(
        levels, multiscale=True, scale=(3, 0.5, 0.25), translate=(1, 2, 3), contrast_limits=(0, 1)
    )
    taken = snapshot(viewer, [image])
    assert taken.placement.labels_shape == (2, 3_000, 2_500)
    labels = viewer.add_labels(np.zeros((2, 3, 4), int), **taken.placement.labels_geometry())
    np.testing.assert_allclose(labels.data_to_world((1, 0, 0)), image.data_to_world((1, 1.5, 1.5)))


def test_a_plane_of_a_pyramid_with_fewer_planes() -> None:
    viewer = ViewerModel()
    planes = np.arange(8, dtype=np.uint8)[:, None, None] * np.ones((1, 2048, 2048), np.uint8)
    layer = viewer.add_image([planes, planes[1::2, ::2, ::2]], multiscale=True)
    viewer.dims.current_step = (5, 0, 0)
    taken = snapshot(viewer, [layer])
    assert taken.frames.shape == (1024, 1024)
    # Planes 4 and 5 went into plane 2 of the smaller level, which holds 5.
    assert taken.frames[0].max() == 5
    assert taken.placement.index[0] == 5


# --- look at


def test_what_is_on_the_screen() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(bytes_of(400, 500))
    viewer.canvas.size = (581, 752)
    viewer.scene.camera.zoom = 4
    viewer.scene.camera.center = (100, 150)
    # As napari's own canvas reported for these numbers: pixels 27 to 173, 56 to 244.
    region = snapshot(viewer, [layer], "screen").placement.region
    assert region == Region(27, 56, 174, 245)


def test_what_is_on_the_screen_at_another_scale_and_flipped() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(bytes_of(400, 500), scale=(0.5, -2), translate=(10, 900))
    viewer.canvas.size = (100, 200)
    viewer.scene.camera.zoom = 2
    viewer.scene.camera.center = (60, 500)
    # World 35..85 down, 450..550 right.
    region = snapshot(viewer, [layer], "screen").placement.region
    assert region == Region(50, 175, 151, 226)


def test_in_grid_mode_the_screen_is_one_cell() -> None:
    viewer = ViewerModel()
    layers = [viewer.add_image(bytes_of(400, 500)) for _ in range(2)]
    viewer.canvas.size = (100, 200)
    viewer.canvas.grid.enabled = True
    viewer.scene.camera.zoom = 1
    viewer.scene.camera.center = (200, 250)
    region = snapshot(viewer, layers[:1], "screen").placement.region
    assert region == Region(150, 200, 251, 301)


def test_nothing_on_the_screen() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(bytes_of(40, 50))
    viewer.scene.camera.zoom = 100
    viewer.scene.camera.center = (1000, 1000)
    with pytest.raises(InvalidInput, match="on the screen"):
        snapshot(viewer, [layer], "screen")


def rectangle(*, top: float, left: float, bottom: float, right: float) -> np.ndarray[Any, Any]:
    return np.array([[top, left], [top, right], [bottom, right], [bottom, left]])


def test_a_drawn_rectangle() -> None:
    viewer = ViewerModel()
    data = bytes_of(3, 40, 50)
    layer = viewer.add_image(data, scale=(1, 2, 2))
    shapes = viewer.add_shapes(scale=(2, 2))
    shapes.add_rectangles(rectangle(top=1, left=1, bottom=4, right=4))
    shapes.add_rectangles(rectangle(top=4.6, left=9.6, bottom=20.4, right=30.4))
    shapes.selected_data = set()
    taken = snapshot(viewer, [layer], shapes)
    assert taken.placement.region == Region(5, 10, 21, 31)
    np.testing.assert_array_equal(taken.frames[0][..., 0], data[1, 5:21, 10:31])
    shapes.selected_data = {0}
    assert snapshot(viewer, [layer], shapes).placement.region == Region(1, 1, 5, 5)


def test_a_rectangle_drawn_in_a_stack_seen_from_the_side() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(bytes_of(30, 40, 50))
    viewer.dims.order = (1, 2, 0)
    corners = [[3, 20, 7], [3, 20, 17], [9, 20, 17], [9, 20, 7]]
    shapes = viewer.add_shapes([corners], shape_type="rectangle")
    taken = snapshot(viewer, [layer], shapes)
    assert taken.placement.index == (None, 19, None)
    assert taken.placement.region == Region(3, 7, 10, 18)
    assert taken.frames.shape == (11, 7)
    assert snapshot(viewer, [layer], corners).placement.region == taken.placement.region


def test_rectangles_that_cannot_be_looked_at() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(bytes_of(40, 50))
    with pytest.raises(InvalidInput, match="holds no rectangle"):
        snapshot(viewer, [layer], Shapes(ndim=2))
    with pytest.raises(InvalidInput, match="beside the image"):
        snapshot(viewer, [layer], rectangle(top=90, left=1, bottom=99, right=9))
    with pytest.raises(InvalidInput, match="corners"):
        snapshot(viewer, [layer], [1, 2, 3])
    with pytest.raises(InvalidInput, match="'whole'"):
        snapshot(viewer, [layer], "half")


# --- refusals


def test_no_layer() -> None:
    with pytest.raises(InvalidInput, match="no image"):
        snapshot(ViewerModel(), [])


def test_a_labels_layer_is_no_image() -> None:
    viewer = ViewerModel()
    labels: Any = viewer.add_labels(np.zeros((9, 9), int), name="nuclei")
    with pytest.raises(InvalidInput, match="'nuclei' is no image"):
        snapshot(viewer, [labels])


def test_three_dimensional_view() -> None:
    viewer = ViewerModel(ndisplay=3)
    layer = viewer.add_image(bytes_of(5, 9, 9))
    with pytest.raises(InvalidInput, match="3-D"):
        snapshot(viewer, [layer])


def test_complex_data(monkeypatch: pytest.MonkeyPatch) -> None:
    # napari 0.9 cannot draw a layer of complex numbers; one whose data were replaced can be there.
    viewer = ViewerModel()
    layer = viewer.add_image(bytes_of(9, 9), name="field")
    monkeypatch.setattr(type(layer), "dtype", np.dtype(complex))
    with pytest.raises(InvalidInput, match="'field': The image holds complex"):
        snapshot(viewer, [layer])


def test_a_slice_beside_the_layer() -> None:
    viewer = ViewerModel()
    viewer.add_image(bytes_of(9, 9, 9))
    short = viewer.add_image(bytes_of(3, 9, 9), name="short")
    viewer.dims.current_step = (7, 0, 0)
    with pytest.raises(InvalidInput, match="outside 'short'"):
        snapshot(viewer, [short])


def test_a_projection_of_several_planes() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(bytes_of(9, 9, 9), projection_mode="max", name="spots")
    assert snapshot(viewer, [layer]).placement.index[0] == 4
    viewer.dims.margin_left = (2, 0, 0)
    with pytest.raises(InvalidInput, match="'spots' shows a projection"):
        snapshot(viewer, [layer])


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
def test_a_layer_seen_edge_on() -> None:
    viewer = ViewerModel()
    affine = np.eye(4)[[1, 0, 2, 3]]
    layer = viewer.add_image(bytes_of(9, 9, 9), affine=affine)
    with pytest.raises(InvalidInput, match="edge-on"):
        snapshot(viewer, [layer])


def test_all_nan_is_told_when_the_frame_is_read() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(np.full((9, 9), np.nan), contrast_limits=(0, 1))
    with pytest.raises(InvalidInput, match="NaN"):
        snapshot(viewer, [layer]).frames[0]
