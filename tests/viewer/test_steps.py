"""Steps of the time-line: pixels and rows together, beside napari's own strokes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr
from napari.components import ViewerModel

from napari_sa2va.annotation import ObjectRecord
from napari_sa2va.errors import InvalidInput
from napari_sa2va.viewer.entries import NOWHERE, Entry, Spot
from napari_sa2va.viewer.object_actions import delete
from napari_sa2va.viewer.objects import LabelObjects
from napari_sa2va.viewer.store import CannotWrite

if TYPE_CHECKING:
    from napari_sa2va.annotation.actions import Action

SIDE = 32
PLANE = (None, None)


class Scene:
    """Three squares with rows, 1 to 3, and a fourth without one."""

    def __init__(self, data: Any = None, planes: int = 0) -> None:
        self.viewer = ViewerModel()
        shape = (planes, SIDE, SIDE) if planes else (SIDE, SIDE)
        self.plane = (1, None, None) if planes else PLANE
        data = np.zeros(shape, dtype=np.int32) if data is None else data
        self.labels = self.viewer.add_labels(data)
        self.objects = LabelObjects(self.viewer, self.labels, empty=True)
        with self.objects.step("run", "Find") as step:
            for label in (1, 2, 3):
                step.add(entry(label, self.plane))
                step.paint(self.plane, square(label), np.ones((4, 4), dtype=bool), label)
        self.done: list[Action] = []
        self.refused: list[str] = []
        self.objects.done.connect(self.done.append)
        self.objects.refused.connect(self.refused.append)

    @property
    def pixels(self) -> Any:
        return np.array(self.labels.data)

    def row(self, label: int) -> ObjectRecord:
        return {record.label: record for record in self.objects.rows()}[label]

    def stroke(self, label: int, *at: tuple[int, int]) -> None:
        """Paint as a mouse drag does."""
        self.labels.brush_size = 1
        self.labels._begin_stroke()
        for row, column in at:
            place = (row, column) if self.plane == PLANE else (1, row, column)
            self.labels.paint(place, label)
        self.labels._commit_stroke()


def entry(label: int, plane: Any) -> Entry:
    record = ObjectRecord(label, f"cell {label}", "", 0.9, 0.8, 0.0, "pixel", "demo", "now")
    return Entry(record, {plane: Spot(NOWHERE)})


def square(label: int) -> tuple[slice, slice]:
    return slice(8 * label - 4, 8 * label), slice(8 * label - 4, 8 * label)


def test_a_step_tells_before_rows_are_shown_and_is_undone_and_redone() -> None:
    scene = Scene()
    order: list[str] = []
    scene.objects.done.connect(lambda action: order.append(action.kind))
    scene.objects.changed.connect(lambda: order.append("changed"))
    with scene.objects.step("merge", "Merge 2 into 1", labels=(1, 2), detail={"a": 1}) as step:
        step.paint(PLANE, square(2), np.ones((4, 4), dtype=bool), 1)
        step.change(1, note="two in one", status="accepted")
    assert order[:2] == ["merge", "changed"]
    (action,) = scene.done
    assert action.touched == ((slice(12, 16), slice(12, 16)),)
    assert action.labels == (1, 2) and action.detail == {"a": 1}
    assert [record.label for record in scene.objects.rows()] == [1, 3]
    assert scene.row(1).area == 32 and scene.row(1).note == "two in one"
    assert scene.labels.features["note"][1] == "two in one"
    assert scene.objects.undo_text == "Merge 2 into 1"

    assert scene.objects.undo()
    assert scene.row(2).area == 16 == scene.row(1).area
    assert scene.row(1).note == "" and scene.row(1).status == "proposed"
    assert scene.done[-1].kind == "undo" and scene.done[-1].text == "Undo: Merge 2 into 1"
    assert scene.objects.redo_text == "Merge 2 into 1" and scene.objects.undo_text == "Find"
    assert scene.objects.redo()
    assert scene.row(1).note == "two in one" and scene.row(1).area == 32
    assert scene.done[-1].kind == "redo"


def test_rows_alone_are_a_step_among_strokes() -> None:
    scene = Scene()
    with scene.objects.step("rename", "Rename 2") as step:
        step.change(2, phrase="mitosis")
    scene.stroke(3, (20, 2), (20, 3))
    assert [action.kind for action in scene.done] == ["rename", "paint"]
    assert scene.row(3).area == 18
    scene.viewer.layers.selection.clear()  # whatever layer is active
    assert scene.objects.undo()
    assert scene.row(2).phrase == "mitosis" and scene.row(3).area == 16
    assert scene.objects.undo()
    assert scene.row(2).phrase == "cell 2"
    assert scene.labels.features["phrase"][2] == "cell 2"
    assert scene.objects.redo() and scene.objects.redo()
    assert scene.row(2).phrase == "mitosis" and scene.row(3).area == 18
    assert not scene.objects.redo()


def test_a_failing_step_leaves_nothing() -> None:
    scene = Scene()
    before = scene.pixels
    with pytest.raises(ZeroDivisionError), scene.objects.step("x", "X") as step:
        step.paint(PLANE, square(1), np.ones((4, 4), dtype=bool), 3)
        step.change(1, note="never")
        raise ZeroDivisionError
    np.testing.assert_array_equal(scene.pixels, before)
    assert scene.row(1).note == "" and not scene.done
    assert scene.objects.undo_text == "Find"
    with scene.objects.step("x", "X") as step:
        step.change(1, note="")
        step.paint(PLANE, square(1), np.ones((4, 4), dtype=bool), 1)
    assert not scene.done and scene.objects.undo_text == "Find"


def test_what_a_full_disk_does_not_take_back_is_a_step(full_disk: Any) -> None:
    disk = full_disk(np.zeros((3, SIDE, SIDE), dtype=np.int32))
    scene = Scene(disk, planes=3)
    with scene.objects.step("refine", "Extend 1", labels=(1,)) as step:
        for at in (0, 2):
            step.paint((at, None, None), square(1), np.ones((4, 4), dtype=bool), 1)
    before = scene.pixels
    disk.room = 2
    with pytest.raises(CannotWrite, match="No space left"):
        delete(scene.objects, [1])
    assert (scene.pixels == 1).any(axis=(1, 2)).tolist() == [False, False, True]
    assert scene.row(1).frames == 1 and counted(scene) == in_pixels(scene)
    assert scene.objects.undo_text == "Part of: Delete 1"
    assert scene.done[-1].kind == "delete" and len(scene.done[-1].touched) == 2
    disk.room = math.inf
    assert scene.objects.undo()
    np.testing.assert_array_equal(scene.pixels, before)
    assert scene.row(1).frames == 3 and scene.objects.undo_text == "Extend 1"


def test_an_object_for_pixels_that_are_there() -> None:
    scene = Scene()
    scene.labels.data[0:3, 0:3] = 9
    with scene.objects.step("describe", "Describe 9") as step:
        made = entry(9, PLANE)
        made.spots[PLANE].box = (slice(0, 3), slice(0, 3))
        step.add(made)
    assert scene.row(9).area == 9
    scene.objects.undo()
    assert 9 not in [record.label for record in scene.objects.rows()]
    assert scene.pixels[1, 1] == 9
    scene.objects.redo()
    assert scene.row(9).area == 9


def lock(scene: Scene, label: int) -> None:
    with scene.objects.step("lock", f"Lock {label}") as step:
        step.change(label, locked=True)


def test_locked_objects_do_not_change() -> None:
    scene = Scene()
    lock(scene, 2)
    before = scene.pixels
    with pytest.raises(InvalidInput, match="locked"), scene.objects.step("x", "X") as step:
        step.paint(PLANE, square(1), np.ones((4, 4), dtype=bool), 2)
    with scene.objects.step("x", "X") as step:
        everything = slice(0, SIDE), slice(0, SIDE)
        step.paint(PLANE, everything, np.ones((SIDE, SIDE), dtype=bool), 1)
    assert scene.row(2).area == 16 and scene.row(1).area == SIDE**2 - 16
    scene.objects.undo()
    np.testing.assert_array_equal(scene.pixels, before)


@pytest.mark.parametrize("planes", [0, 3])
def test_a_stroke_leaves_locked_objects_out(planes: int) -> None:
    scene = Scene(planes=planes)
    lock(scene, 2)
    before = scene.pixels
    # Over the locked square twice: the second time its pixels look like the brush's own.
    scene.stroke(5, (13, 11), (13, 12), (13, 13), (13, 12), (13, 16))
    assert scene.refused and "2 is locked" in scene.refused[0]
    after = scene.pixels
    assert np.count_nonzero(after != before) == 2  # beside the square
    assert scene.row(2).area == 16
    scene.objects.undo()
    np.testing.assert_array_equal(scene.pixels, before)
    scene.objects.redo()
    np.testing.assert_array_equal(scene.pixels, after)


def test_a_fill_and_a_script_leave_locked_objects_out() -> None:
    scene = Scene()
    lock(scene, 2)
    before = scene.pixels
    scene.labels.fill((13, 13), 7)
    np.testing.assert_array_equal(scene.pixels, before)
    assert scene.objects.undo_text == "Lock 2"  # nothing came of the fill
    scene.labels.data_setitem((np.array([0, 13]), np.array([0, 13])), 2)
    np.testing.assert_array_equal(scene.pixels, before)
    scene.stroke(2, (0, 0))  # it does not grow either
    np.testing.assert_array_equal(scene.pixels, before)


def test_one_object_is_taken_back_alone() -> None:
    scene = Scene()
    for label in (1, 2):
        with scene.objects.step("rename", f"Rename {label}") as step:
            step.change(label, phrase=f"nucleus {label}")
        scene.stroke(label, (2, 20 + label))
    scene.stroke(2, (4, 4))  # takes a pixel of 1
    assert scene.objects.undo_object(1)  # gets it back
    assert scene.pixels[4, 4] == 1
    assert scene.objects.undo_object(1)  # loses its stroke
    assert scene.pixels[2, 21] == 0 and scene.pixels[2, 22] == 2
    assert scene.objects.undo_object(1)
    assert scene.row(1).phrase == "cell 1" and scene.row(2).phrase == "nucleus 2"
    assert scene.objects.undo_object(1)  # it was never found
    assert [record.label for record in scene.objects.rows()] == [2, 3]
    assert not scene.objects.undo_object(1)
    assert scene.objects.undo()  # each of these is a step of its own
    assert scene.row(1).phrase == "cell 1"


def test_on_disk_as_in_memory(tmp_path: Any) -> None:
    data = zarr.create_array(
        store=tmp_path / "a.zarr", shape=(3, SIDE, SIDE), chunks=(1, 16, 16), dtype="int32"
    )
    scene = Scene(data, planes=3)
    before = scene.pixels
    with scene.objects.step("delete", "Delete 1") as step:
        box, inside = scene.objects.pixels_of(1, scene.plane) or pytest.fail("it is there")
        step.paint(scene.plane, box, inside, 0)
    assert [record.label for record in scene.objects.rows()] == [2, 3]
    scene.objects.undo()
    np.testing.assert_array_equal(scene.pixels, before)
    assert scene.row(1).area == 16


def counted(scene: Scene) -> dict[int, int]:
    """By label, how many pixels the rows say."""
    return {row.label: round(row.area * row.frames) for row in scene.objects.rows()}


def in_pixels(scene: Scene) -> dict[int, int]:
    labels, counts = np.unique(scene.pixels[scene.pixels > 0], return_counts=True)
    return dict(zip(labels.tolist(), counts.tolist(), strict=True))


def test_a_step_in_planes_of_other_axes_is_counted_where_objects_were_found() -> None:
    scene = Scene(planes=6)
    found = in_pixels(scene)
    along_y = (None, 5, None)
    with scene.objects.step("refine", "Correct 1", labels=(1,)) as step:
        box = slice(0, 4), slice(4, 10)
        step.paint(along_y, box, np.ones((4, 6), dtype=bool), 1)
    first = in_pixels(scene)
    assert first[1] == 36 and counted(scene) == first
    assert (scene.row(1).first_frame, scene.row(1).last_frame) == (0, 3)
    assert scene.done[-1].touched == ((slice(0, 4), slice(5, 6), slice(4, 10)),)
    box, inside = scene.objects.pixels_of(1, (2, None, None)) or pytest.fail("it is there")
    assert inside.sum() == 6 and scene.objects.pixels_of(1, along_y) is None

    along_x = (None, None, 14)
    with scene.objects.step("refine", "New object 9", labels=(9,)) as step:  # over all of a row
        step.add(entry(9, along_x))
        step.paint(along_x, (slice(0, 2), slice(0, SIDE)), np.ones((2, SIDE), dtype=bool), 9)
    second = in_pixels(scene)
    assert (second[2], second[9]) == (12, 2 * SIDE) and counted(scene) == second
    assert list(scene.objects.entry(2).spots) == [scene.plane]  # in no plane where it never was
    scene.stroke(1, (14, 14), (14, 15))  # takes a pixel of 9 and one of 2
    third = in_pixels(scene)
    assert third[9] == 2 * SIDE - 1 and counted(scene) == third

    for state in (second, first, found):
        assert scene.objects.undo()
        assert in_pixels(scene) == state == counted(scene)
    for state in (first, second, third):
        assert scene.objects.redo()
        assert in_pixels(scene) == state == counted(scene)
    kinds = [action.kind for action in scene.done]
    assert kinds == ["refine", "refine", "paint", *["undo"] * 3, *["redo"] * 3]
    assert scene.objects.undo_object(9)  # gets the pixel of the stroke back
    assert in_pixels(scene) == counted(scene)


def test_an_object_lost_along_one_axis_can_come_again_along_another() -> None:
    scene = Scene(planes=6)
    box, inside = scene.objects.pixels_of(1, scene.plane) or pytest.fail("it is there")
    with scene.objects.step("delete", "Delete 1") as step:
        step.paint(scene.plane, box, inside, 0)
    along_y = (None, 5, None)
    with scene.objects.step("refine", "Make 1 again") as step:
        step.add(entry(1, along_y))
        step.paint(along_y, (slice(2, 5), slice(0, 4)), np.ones((3, 4), dtype=bool), 1)
    assert counted(scene) == in_pixels(scene)
    for _ in range(2):
        assert scene.objects.undo()
        assert counted(scene) == in_pixels(scene)
    scene.stroke(1, (6, 9))
    assert counted(scene) == in_pixels(scene)


def test_an_object_made_again_gives_the_earlier_one_back_when_undone() -> None:
    scene = Scene()
    with scene.objects.step("note", "Note") as step:
        step.change(1, note="precious", status="accepted")
    box, inside = scene.objects.pixels_of(1, PLANE) or pytest.fail("it is there")
    with scene.objects.step("delete", "Delete 1") as step:
        step.paint(PLANE, box, inside, 0)
    with scene.objects.step("refine", "Make 1 again") as step:
        step.add(entry(1, PLANE))
        step.paint(PLANE, box, inside, 1)
    assert scene.row(1).note == ""
    scene.objects.undo()
    scene.objects.undo()
    assert (scene.row(1).note, scene.row(1).status) == ("precious", "accepted")
    scene.objects.redo()
    scene.objects.redo()
    assert scene.row(1).note == "" and scene.row(1).area == 16


def test_rows_follow_though_a_log_fails() -> None:
    scene = Scene()

    def fail(_: object) -> None:
        raise OSError("disk")

    scene.objects.done.connect(fail)
    with pytest.raises(Exception, match="disk"), scene.objects.step("rename", "R") as step:
        step.change(1, phrase="named")
    assert scene.labels.features["phrase"][1] == "named"
    scene.objects.done.disconnect(fail)
    assert scene.objects.undo()
    assert scene.row(1).phrase == "cell 1"
