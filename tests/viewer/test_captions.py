from __future__ import annotations

from dataclasses import replace

import numpy as np
from napari.components import ViewerModel

from napari_sa2va.annotation import ObjectRecord
from napari_sa2va.annotation.records import now
from napari_sa2va.viewer.captions import (
    MOST_PER_PLANE,
    Caption,
    CaptionLayer,
    captions_in,
    newest,
)
from napari_sa2va.viewer.entries import Entry, Spot
from napari_sa2va.viewer.objects import LabelObjects


def caption(label: int, plane: int = 0, phrase: str = "the cell") -> Caption:
    return Caption(label, phrase, (plane, 1.0, 2.0), (plane, None, None))


def test_text_is_short() -> None:
    assert caption(3).text == "3 · the cell"
    assert caption(3, phrase="").text == "3"
    long = caption(12, phrase="the large round red cell near the upper border").text
    assert long == "12 · the large round red cel…"


def test_only_the_newest_are_shown() -> None:
    many = [caption(label) for label in range(1, MOST_PER_PLANE + 11)]
    kept = newest(reversed(many))
    assert [c.label for c in kept] == list(range(11, MOST_PER_PLANE + 11))


def entry(label: int, *planes: tuple[int | None, ...]) -> Entry:
    record = ObjectRecord(label, "the cell", "", 1, 1, 1, "pixel", "demo", now())
    box = slice(0, 4), slice(0, 4)
    return Entry(record, {plane: Spot(box, pixels=3, point=(1.0, 2.0)) for plane in planes})


def test_captions_are_those_of_the_plane_in_view() -> None:
    entries = [
        entry(1, (0, None, None), (1, None, None), (2, None, None)),
        entry(2, (1, None, None)),
        entry(3, (None, None, 7)),
    ]
    entries[0].spots[1, None, None].pixels = 0

    def shown(plane: tuple[int | None, ...] | None) -> dict[int, tuple[float, ...]]:
        return {c.label: c.point for c in captions_in(entries, plane)}

    # What was found in planes of other axes shows where its own plane crosses: napari's slicing.
    assert shown((0, None, None)) == {1: (0, 1, 2), 3: (1, 2, 7)}
    assert shown((1, None, None)) == {2: (1, 1, 2), 3: (1, 2, 7)}
    assert shown((9, None, None)) == {3: (1, 2, 7)}
    assert shown(None) == {1: (2, 1, 2), 2: (1, 1, 2), 3: (1, 2, 7)}


def test_captions_share_the_labels_place_and_visibility() -> None:
    viewer = ViewerModel()
    labels = viewer.add_labels(
        np.zeros((3, 8, 8), dtype=int),
        scale=(2, 0.5, 0.5),
        translate=(0, 5, 5),
        units=("s", "µm", "µm"),
        axis_labels=("t", "y", "x"),
    )
    viewer.layers.selection.active = labels
    captions = CaptionLayer(viewer, labels)
    captions.show([])
    assert captions.layer is None
    captions.show([caption(1), caption(2, plane=1)])
    layer = captions.layer
    np.testing.assert_allclose(layer.scale, labels.scale)
    assert layer.units == labels.units
    assert layer.axis_labels == labels.axis_labels
    assert viewer.layers.selection.active is labels
    assert list(layer.text.values) == ["1 · the cell", "2 · the cell"]
    labels.visible = False
    assert not layer.visible
    captions.show([caption(2, plane=1)])
    assert list(layer.text.values) == ["2 · the cell"]
    assert len(layer.data) == 1
    captions.show([])
    assert len(layer.data) == 0


def test_a_deleted_layer_comes_back_only_with_news() -> None:
    viewer = ViewerModel()
    labels = viewer.add_labels(np.zeros((3, 8, 8), dtype=int))
    captions = CaptionLayer(viewer, labels)
    captions.show([caption(1)])
    viewer.layers.remove(captions.layer)
    assert captions.layer is None
    captions.show([caption(1, plane=1)])
    captions.show([caption(2, plane=1)], moved=True)
    assert captions.layer is None
    captions.show([caption(1), caption(2)])
    assert len(captions.layer.data) == 2
    captions.remove()
    assert captions.layer is None


def test_beyond_a_hundred_objects_the_phrase_is_in_the_status_line() -> None:
    viewer = ViewerModel()
    labels = viewer.add_labels(np.zeros((64, 64), dtype=np.int32))
    objects = LabelObjects(viewer, labels, empty=True)
    plane, count = (None, None), MOST_PER_PLANE + 20
    with objects.step("run", "Find") as step:
        for number in range(count):
            row, column = divmod(number, 16)
            box = slice(4 * row, 4 * row + 3), slice(4 * column, 4 * column + 3)
            found = entry(number + 1, plane)
            found.record = replace(found.record, phrase=f"cell {number + 1}", score=0.5)
            step.add(found)
            step.paint(plane, box, np.ones((3, 3), dtype=bool), number + 1)
    layer = objects.captions.layer
    assert layer is not None and len(layer.data) == MOST_PER_PLANE
    assert layer.features["label"].min() == 21
    for label, place in ((1, (1, 1)), (17, (5, 1)), (count, (29, 29))):
        status = labels.get_status(place, world=True)["coordinates"]
        assert f"phrase: cell {label}" in status and "score: 0.5" in status
