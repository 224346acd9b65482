"""Labels and shapes as masks of the frame, however their layer lies on the image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_sa2va.errors import InvalidInput
from napari_sa2va.viewer import snapshot
from napari_sa2va.viewer.descriptions import describe_regions, entries_for
from napari_sa2va.viewer.labels import METADATA
from napari_sa2va.viewer.regions import (
    RegionChoice,
    add_regions_layer,
    region_layers,
    region_snapshot,
)
from napari_sa2va.viewer.results import results_of

RNG = np.random.default_rng(3)
PICTURE = RNG.integers(0, 255, (40, 60), np.uint8)


def some_labels(shape: tuple[int, ...] = (40, 60)) -> np.ndarray:
    labels = np.zeros(shape, np.int32)
    labels[..., 5:12, 8:20], labels[..., 20:33, 30:41], labels[..., 3, 50] = 3, 7, 12
    return labels


def masks_of(viewer: Any, layer: Any, *, labels: Any = None, look_at: Any = "whole") -> Any:
    image = viewer.layers[0]
    placement = snapshot(viewer, [image], look_at).placement
    return region_snapshot(viewer, RegionChoice(layer, labels), placement).masks()


def same(masks: Any, labels: np.ndarray) -> None:
    assert list(masks) == [label for label in np.unique(labels) if label]
    for label, mask in masks.items():
        np.testing.assert_array_equal(mask.unpack(), labels == label)


# --- labels


def test_labels_of_the_plane_in_view() -> None:
    viewer = ViewerModel()
    viewer.add_image(np.stack([PICTURE] * 3))
    data = np.stack([np.zeros((40, 60), np.int32), some_labels(), np.ones((40, 60), np.int32)])
    layer = viewer.add_labels(data)
    viewer.dims.set_current_step(0, 1)
    same(masks_of(viewer, layer), some_labels())
    assert list(masks_of(viewer, layer, labels=(7,))) == [7]
    with pytest.raises(InvalidInput, match="no label 9 of 'data'"):
        masks_of(viewer, layer, labels=(7, 9))
    viewer.dims.set_current_step(0, 0)
    assert masks_of(viewer, layer) == {}


def test_a_flat_layer_lies_under_every_plane() -> None:
    viewer = ViewerModel()
    viewer.add_image(np.stack([PICTURE] * 3))
    same(masks_of(viewer, viewer.add_labels(some_labels())), some_labels())


def test_the_frame_may_be_turned_and_a_part_of_the_plane() -> None:
    viewer = ViewerModel()
    image = viewer.add_image(PICTURE)
    layer = viewer.add_labels(some_labels())
    viewer.dims.order = (1, 0)
    viewer.scene.camera.orientation2d = ("up", "right")
    frames = snapshot(viewer, [image]).frames
    found = masks_of(viewer, layer)
    np.testing.assert_array_equal(
        frames[0][..., 0][found[3].unpack()].sum(), PICTURE[5:12, 8:20].sum()
    )
    viewer.dims.order = (0, 1)
    viewer.scene.camera.orientation2d = ("down", "right")
    part = masks_of(viewer, layer, look_at=np.array([[4.0, 10.0], [24.0, 35.0]]))
    np.testing.assert_array_equal(part[7].unpack(), some_labels()[4:25, 10:36] == 7)


def test_another_scale_offset_and_a_missing_corner() -> None:
    viewer = ViewerModel()
    viewer.add_image(PICTURE, scale=(0.5, 0.5), translate=(3, 4))
    coarse = some_labels()[1::2, 1::2]  # pixels of two by two
    layer = viewer.add_labels(coarse, scale=(1, 1), translate=(3.25, 4.25))
    same(masks_of(viewer, layer), np.kron(coarse, np.ones((2, 2), np.int32)))
    layer.translate = (3.25 + 5, 4.25)
    moved = np.zeros((40, 60), np.int32)
    moved[10:] = np.kron(coarse, np.ones((2, 2), np.int32))[:30]
    same(masks_of(viewer, layer), moved)


def test_a_layer_that_is_rotated_against_the_image() -> None:
    viewer = ViewerModel()
    viewer.add_image(PICTURE)
    # By a right angle about the origin: label (r, c) lies at (-c, r).
    layer = viewer.add_labels(np.rot90(some_labels(), -1).copy(), rotate=90, translate=(39, 0))
    same(masks_of(viewer, layer), some_labels())


# --- shapes


def test_each_closed_shape_is_a_region() -> None:
    viewer = ViewerModel()
    viewer.add_image(np.stack([PICTURE] * 3))
    layer = viewer.add_shapes(ndim=3)
    layer.add_rectangles(np.array([[1, 4.5, 7.5], [1, 4.5, 19.5], [1, 11.5, 19.5], [1, 11.5, 7.5]]))
    layer.add_lines(np.array([[1, 2, 2], [1, 30, 30]]))
    layer.add_ellipses(np.array([[1, 10, 30], [1, 10, 50], [1, 30, 50], [1, 30, 30]]))
    layer.add_polygons(np.array([[2, 0, 0], [2, 0, 9], [2, 9, 0]]))
    layer.add_rectangles(
        np.array([[1, 35.1, 55.1], [1, 35.1, 55.3], [1, 35.3, 55.3], [1, 35.3, 55.1]])
    )
    viewer.dims.set_current_step(0, 1)
    found = masks_of(viewer, layer)
    assert list(found) == [1, 3, 5]
    np.testing.assert_array_equal(found[1].unpack(), some_labels() == 3)
    rows, columns = np.mgrid[:40, :60]
    disk = np.hypot(rows - 20, columns - 40) < 10
    assert (found[3].unpack() != disk).mean() < 0.01
    assert found[5].area == 1
    assert list(masks_of(viewer, layer, labels=(3,))) == [3]


# --- layers


def test_the_layer_to_paint_in() -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.stack([PICTURE] * 3), name="cells", scale=(2, 0.5, 0.5))
    layer = add_regions_layer(viewer, [image], snapshot(viewer, [image]).placement)
    assert layer.name == "cells · regions"
    assert layer.data.shape == (3, 40, 60)
    assert tuple(layer.scale) == (2, 0.5, 0.5)
    assert (layer.mode, layer.selected_label) == ("paint", 1)
    assert viewer.layers.selection.active is layer


def test_layers_that_hold_regions() -> None:
    viewer = ViewerModel()
    viewer.add_image(PICTURE)
    labels, shapes = viewer.add_labels(some_labels()), viewer.add_shapes()
    viewer.add_shapes(metadata={METADATA: {"kind": "region"}})  # where to look, not what at
    viewer.add_points()
    assert list(region_layers(viewer)) == [shapes, labels]


# --- descriptions


def described(viewer: Any, layer: Any, said: Any) -> Any:
    results = results_of(viewer)
    placement = snapshot(viewer, [viewer.layers[0]]).placement
    regions = region_snapshot(viewer, RegionChoice(layer), placement)
    describe_regions(results, regions, said, {"request": "ask"})
    return results


def test_descriptions_are_rows_and_one_step() -> None:
    viewer = ViewerModel()
    viewer.add_image(PICTURE)
    layer = viewer.add_labels(some_labels())
    results = results_of(viewer)
    actions: list[Any] = []
    results.of(layer).done.connect(actions.append)
    described(viewer, layer, {3: ("A cell.", ""), 12: ("A dot.", "crop")})
    objects = results.of(layer)
    assert [(row.label, row.author, row.area) for row in objects.rows()] == [
        (3, "user", 84.0),
        (12, "user", 1.0),
    ]
    assert [(row.description, row.looked) for row in objects.rows()] == [
        ("A cell.", ""),
        ("A dot.", "crop"),
    ]
    described(viewer, layer, {3: ("A large cell.", "")})
    assert [action.kind for action in actions] == ["describe"] * 2
    assert actions[0].detail == {"request": "ask"}
    assert layer.features["description"][3] == "A large cell."
    objects.undo()
    assert layer.features["description"][3] == "A cell."
    objects.undo()
    assert objects.rows() == []
    objects.redo()
    assert [row.description for row in objects.rows()] == ["A cell.", "A dot."]


def test_a_label_in_a_stack_has_all_its_planes() -> None:
    viewer = ViewerModel()
    viewer.add_image(np.stack([PICTURE] * 3))
    layer = viewer.add_labels(some_labels((3, 40, 60)))
    (entry,) = entries_for(results_of(viewer).of(layer), [3], (1, None, None))
    assert [plane[0] for plane in entry.planes] == [0, 1, 2]


def test_words_go_to_no_shape_when_their_numbers_have_changed() -> None:
    viewer = ViewerModel()
    viewer.add_image(PICTURE)
    square = np.array([[1, 1], [1, 9], [9, 9], [9, 1]])
    shapes = viewer.add_shapes([square, square + 10, square + 20])
    placement = snapshot(viewer, [viewer.layers[0]]).placement
    regions = region_snapshot(viewer, RegionChoice(shapes), placement)
    shapes.selected_data = {0}
    shapes.remove_selected()
    with pytest.raises(InvalidInput, match="added or deleted"):
        describe_regions(results_of(viewer), regions, {2: ("The second.", "")}, {})
    assert "description" not in shapes.features


def test_shapes_and_pyramids_get_columns() -> None:
    viewer = ViewerModel()
    viewer.add_image(PICTURE)
    square = np.array([[1, 1], [1, 9], [9, 9], [9, 1]])
    shapes = viewer.add_shapes([square, square + 20], features={"name": ["a", "b"]})
    described(viewer, shapes, {2: ("A square.", "crop")})
    assert list(shapes.features["description"]) == ["", "A square."]
    assert list(shapes.features["name"]) == ["a", "b"]
    described(viewer, shapes, {1: ("Another.", "")})
    assert list(shapes.features["description"]) == ["Another.", "A square."]
    pyramid = viewer.add_labels([some_labels(), some_labels()[::2, ::2]], multiscale=True)
    described(viewer, pyramid, {7: ("A cell.", "")})
    described(viewer, pyramid, {7: ("A cell.", ""), 3: ("One.", "")})
    assert dict(zip(pyramid.features["index"], pyramid.features["description"], strict=True)) == {
        7: "A cell.",
        3: "One.",
    }
