"""Objects are found again wherever others put their pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr
from napari.components import ViewerModel

from napari_sa2va.annotation import ObjectRecord
from napari_sa2va.viewer.entries import Entry
from napari_sa2va.viewer.object_actions import delete
from napari_sa2va.viewer.objects import LabelObjects

if TYPE_CHECKING:
    from collections.abc import Callable

SHAPE = (4, 32, 32)
SQUARE = (slice(4, 8), slice(4, 8))


@pytest.fixture
def objects() -> LabelObjects:
    """Object 1 in a plane of rows and columns, object 2 in one of planes and columns."""
    viewer = ViewerModel()
    objects = LabelObjects(viewer, viewer.add_labels(np.zeros(SHAPE, np.int32)), empty=True)
    for label, plane, box in (
        (1, (1, None, None), SQUARE),
        (2, (None, 20, None), (slice(0, 2), slice(3, 9))),
    ):
        record = ObjectRecord(label, f"cell {label}", "", 0.9, 0.8, 0.0, "pixel", "demo", "now")
        with objects.step("run", "Find") as step:
            inside = np.ones([side.stop - side.start for side in box], dtype=bool)
            step.paint(plane, box, inside, label)
            step.add(Entry(record, {}))
    return objects


def counted(objects: LabelObjects) -> dict[int, int]:
    """By label, how many pixels the rows say."""
    return {row.label: round(row.area * row.frames) for row in objects.rows()}


@pytest.mark.parametrize("stored", [np.asarray, lambda data: zarr.array(data, chunks=(1, 16, 16))])
def test_in_another_array(objects: LabelObjects, stored: Callable[[Any], Any]) -> None:
    moved = np.roll(objects.labels.data, (1, 10, 10), (0, 1, 2))  # as a registration does
    moved[3, 0, 0] = 9
    objects.labels.data = stored(moved)
    assert counted(objects) == {1: 16, 2: 12}
    row = objects.rows()[0]
    assert (row.first_frame, row.last_frame, row.phrase) == (2, 2, "cell 1")
    place = tuple(round(at) for at in objects.point(1) or ())
    assert moved[place] == 1
    assert objects.next_label() == 10
    delete(objects, [1])
    assert not (np.asarray(objects.labels.data[:]) == 1).any(), "no crumb is left"


def test_in_the_plane_in_view_when_a_script_has_it_drawn_anew(objects: LabelObjects) -> None:
    objects.viewer.dims.set_current_step(0, 2)
    objects.labels.data[2, 1:7, 20:30] = 1
    objects.labels.refresh()
    row = objects.rows()[0]
    assert counted(objects)[1] == 76 and (row.first_frame, row.last_frame) == (1, 2)
    objects.viewer.dims.set_current_step(0, 0)
    objects.viewer.add_image(np.zeros((9, 32, 32)))
    objects.viewer.dims.set_current_step(0, 7)  # beyond the labels
    objects.labels.refresh()
    assert counted(objects)[1] == 76
