"""Undo and redo of a step over many planes in pieces: exact, and safe from what comes between."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_sa2va.annotation import ObjectRecord
from napari_sa2va.annotation.session.pixels import unpack_patch
from napari_sa2va.errors import InvalidInput
from napari_sa2va.viewer.entries import Entry
from napari_sa2va.viewer.object_actions import delete, merge
from napari_sa2va.viewer.objects import LabelObjects
from napari_sa2va.viewer.store import new_array

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_sa2va.annotation.actions import Action
    from napari_sa2va.viewer.stamps import PlaneChange

PLANES = 30
BOX = slice(2, 5), slice(3, 6)


class Window:
    """Stands for the window: has time when it is told to."""

    def __init__(self, objects: LabelObjects) -> None:
        self.piece: Callable[[], bool] | None = None
        objects.replay_in_pieces(self.take)

    def take(self, piece: Callable[[], bool]) -> None:
        self.piece = piece

    def rest(self) -> None:
        assert self.piece is not None
        while self.piece():
            pass


def record(label: int) -> ObjectRecord:
    return ObjectRecord(label, "a cell", "", 0.9, 0.9, 0.0, "px", "demo", "2026")


@pytest.fixture
def objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabelObjects:
    """A track through all planes of an array on the disk; a piece is one plane."""
    from napari_sa2va.viewer import timeline

    monkeypatch.setattr(timeline, "_PIECE_SECONDS", 0.0)
    viewer = ViewerModel()
    data = new_array((PLANES, 8, 8), "cells", folder=tmp_path, most_in_memory=0)
    objects = LabelObjects(viewer, viewer.add_labels(data, name="cells"))
    with objects.step("track", "Track", labels=(1,)) as step:
        for plane in range(PLANES):
            step.paint((plane, None, None), BOX, np.eye(3, dtype=bool), 1)
        step.add(Entry(record(1), {}, axis=0))
    return objects


def pixels(objects: LabelObjects) -> np.ndarray[Any, Any]:
    return np.asarray(objects.labels.data[:])


def test_it_comes_in_pieces_and_is_as_if_it_had_not(objects: LabelObjects) -> None:
    window, before = Window(objects), pixels(objects)
    told: list[Action] = []
    packed: list[Any] = []
    moved: list[tuple[int, int]] = []

    def hear(action: Action) -> None:
        told.append(action)
        packed.append(objects.packed(action.touched))

    objects.done.connect(hear)
    objects.replay_moved.connect(lambda *far: moved.append(far))
    objects.labels.mode = "paint"
    objects.labels.undo()  # as napari's key does
    assert objects.replaying and moved == [(0, PLANES)]
    assert window.piece is not None and window.piece()
    now = pixels(objects)
    assert (now != before).any(axis=(1, 2)).sum() == 1
    assert len(objects.rows()) == 1 and told == []
    objects.labels.mode = "erase"  # tools stay down
    assert objects.labels.mode == "pan_zoom"
    objects.viewer.dims.set_current_step(0, 3)
    objects.labels.refresh()
    assert objects.undo() and told == []  # one at a time
    window.rest()
    assert not objects.replaying and not pixels(objects).any()
    assert objects.labels.mode == "paint"
    assert objects.rows() == [] and not objects.undo_text and objects.redo_text == "Track"
    assert [action.kind for action in told] == ["undo"]
    assert len(packed[0]) == len(told[0].touched) == PLANES
    assert not any(unpack_patch(patch).values.any() for patch in packed[0])
    assert moved[-1] == (PLANES, PLANES)

    objects.redo()
    window.rest()
    np.testing.assert_array_equal(pixels(objects), before)
    (row,) = objects.rows()
    assert (row.frames, row.area) == (PLANES, 3.0)
    patch = unpack_patch(packed[1][0])
    np.testing.assert_array_equal(patch.values, before[patch.where])
    assert objects.packed(told[1].touched) is None  # later ones are read


@pytest.mark.parametrize("undoing", [True, False])
def test_an_edit_in_between_waits_or_comes_after(objects: LabelObjects, undoing: bool) -> None:
    window, before = Window(objects), pixels(objects)
    if not undoing:
        objects.undo()
        window.rest()
    objects.undo() if undoing else objects.redo()
    assert window.piece is not None and window.piece()
    objects.labels.brush_size = 1
    objects.labels.paint((PLANES // 2, 0, 0), 7)  # a script: the tools are put down
    assert not objects.replaying and not window.piece()
    expected = np.zeros_like(before) if undoing else before.copy()
    expected[PLANES // 2] = pixels(objects)[PLANES // 2]
    np.testing.assert_array_equal(pixels(objects), expected)
    assert (pixels(objects)[PLANES // 2] == 7).any()
    assert (objects.undo_text, objects.redo_text) == ("Paint", "")
    objects.undo()  # the stroke
    assert not (pixels(objects) == 7).any()
    assert len(objects.rows()) == (not undoing)
    assert objects.undo_text == ("" if undoing else "Track")


def test_a_step_in_between_comes_after(objects: LabelObjects) -> None:
    window = Window(objects)
    objects.undo()
    assert window.piece is not None and window.piece()
    with objects.step("merge", "Another", labels=(2,)) as step:
        step.paint((0, None, None), BOX, np.eye(3, dtype=bool), 2)
        step.add(Entry(record(2), {}))
    assert set(np.unique(pixels(objects))) == {0, 2}
    assert [row.label for row in objects.rows()] == [2]
    assert (objects.undo_text, objects.redo_text) == ("Another", "")


def test_actions_wait_before_they_look_at_objects(objects: LabelObjects) -> None:
    window = Window(objects)
    with objects.step("merge", "Another", labels=(2,)) as step:
        step.paint((0, None, None), BOX, np.eye(3, dtype=bool)[::-1], 2)
        step.add(Entry(record(2), {}))
    objects.undo()
    objects.undo()
    assert window.piece is not None and window.piece()
    assert not objects.undo_object(1)  # nothing of it is left, so nothing is done
    assert objects.redo_text == "Track"
    objects.redo()
    assert window.piece()
    delete(objects, [1])
    assert not pixels(objects).any() and objects.undo_text == "Delete 1"
    objects.undo()
    assert window.piece()
    with pytest.raises(InvalidInput, match="no object 2"):
        merge(objects, [1, 2])
    assert not objects.replaying and [row.frames for row in objects.rows()] == [PLANES]


def test_a_fault_is_told_once(objects: LabelObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    window, change = Window(objects), objects.labels._undo_history[-1][3].change
    undone = type(change).undone

    def fail(self: PlaneChange, region: Any) -> Any:
        return 1 / 0 if self is change else undone(self, region)

    monkeypatch.setattr(type(change), "undone", fail)
    objects.labels.mode = "paint"
    objects.undo()
    assert window.piece is not None
    with pytest.raises(ZeroDivisionError):
        window.rest()
    assert not window.piece() and not objects.replaying and objects.labels.mode == "paint"
    assert [row.frames for row in objects.rows()] == [4]
    monkeypatch.setattr(type(change), "undone", undone)
    assert objects.undo_text == "Track" and objects.undo()
    window.rest()
    assert objects.rows() == [] and not pixels(objects).any()


def test_a_short_step_that_a_full_disk_refuses_stays(full_disk: Any) -> None:
    viewer, disk = ViewerModel(), full_disk(np.zeros((3, 8, 8), dtype=np.int32))
    objects = LabelObjects(viewer, viewer.add_labels(disk), empty=True)
    Window(objects)
    with objects.step("track", "Track", labels=(1,)) as step:
        for plane in range(3):
            step.paint((plane, None, None), BOX, np.eye(3, dtype=bool), 1)
        step.add(Entry(record(1), {}, axis=0))
    refused: list[str] = []
    objects.refused.connect(refused.append)
    disk.room = 1
    objects.labels.undo()  # as napari's key does
    assert "No space left" in refused[0] and not objects.replaying
    assert (objects.undo_text, objects.redo_text) == ("Track", "")
    assert [row.frames for row in objects.rows()] == [2]
    disk.room = math.inf
    assert objects.undo() and not disk.data.any() and objects.rows() == []
    disk.room = 0
    assert objects.redo() and len(refused) == 2
    assert (objects.undo_text, objects.redo_text) == ("", "Track")
    disk.room = math.inf
    assert objects.redo() and np.count_nonzero(disk.data) == 9
    assert [row.frames for row in objects.rows()] == [3]


def test_a_layer_that_goes_or_gets_another_array(objects: LabelObjects) -> None:
    window = Window(objects)
    objects.undo()
    assert window.piece is not None and window.piece()
    objects.labels.data = np.ones((PLANES, 8, 8), dtype=np.int32)
    assert not objects.replaying and not window.piece()
    assert objects.labels.data.all() and not objects.undo()
    objects.close()
    assert not {"undo", "redo"} & vars(objects.labels).keys()
