"""Each action is one step: pixels, rows and features, there and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel
from numpy.testing import assert_array_equal

from napari_sa2va.annotation import ObjectRecord
from napari_sa2va.errors import InvalidInput
from napari_sa2va.viewer import object_actions as actions
from napari_sa2va.viewer.entries import NOWHERE, Entry, Spot
from napari_sa2va.viewer.objects import LabelObjects

if TYPE_CHECKING:
    from collections.abc import Callable

FLAT = (None, None)


def record(label: int, **fields: Any) -> ObjectRecord:
    named = {"phrase": f"cell {label}", "score": label / 10} | fields
    return ObjectRecord(
        label=label, answer="", iou=0.8, area=0, area_unit="pixel", model="m", created="", **named
    )


def made(data: np.ndarray, axis: int | None = None) -> LabelObjects:
    """The objects of an array: planes are the last two axes."""
    viewer = ViewerModel()
    objects = LabelObjects(viewer, viewer.add_labels(np.zeros_like(data)), empty=True)
    outer = list(np.ndindex(data.shape[:-2]))
    with objects.step("run", "Find") as step:
        for label in np.unique(data[data > 0]).tolist():
            spots = {(*at, None, None): Spot(NOWHERE) for at in outer if (data[at] == label).any()}
            for number, spot in enumerate(spots.values()):
                spot.score = 0.5 + number / 10
            step.add(Entry(record(label), spots, axis))
            for plane in spots:
                box = slice(0, data.shape[-2]), slice(0, data.shape[-1])
                step.paint(plane, box, data[plane[:-2]] == label, label)
    assert_array_equal(objects.labels.data, data)
    return objects


@pytest.fixture
def flat() -> LabelObjects:
    data = np.zeros((12, 12), dtype=np.int32)
    data[1:4, 1:4], data[1:4, 6:9], data[6:8, 1:3] = 1, 2, 3
    data[6:8, 5:7] = data[10, 10] = 4
    return made(data)


@pytest.fixture
def stack() -> LabelObjects:
    data = np.zeros((4, 12, 12), dtype=np.int32)
    data[0:3, 1:4, 1:4] = 1
    data[1:4, 6:9, 6:9] = 2
    data[:, 0, 8:11] = 3  # one part here
    data[1:, 11, 0:2] = 3  # another there
    return made(data, axis=0)


def rows(objects: LabelObjects) -> dict[int, ObjectRecord]:
    return {row.label: row for row in objects.rows()}


def there_and_back(objects: LabelObjects, act: Callable[[], object]) -> None:
    """Act, and check that undo and redo bring the pixels and the rows of before and after."""
    before = objects.labels.data.copy(), objects.rows()
    act()
    after = objects.labels.data.copy(), objects.rows()
    assert objects.undo()
    assert_array_equal(objects.labels.data, before[0])
    assert objects.rows() == before[1]
    assert objects.redo()
    assert_array_equal(objects.labels.data, after[0])
    assert objects.rows() == after[1]


@pytest.mark.parametrize(
    ("act", "fields", "text"),
    [
        (lambda o: actions.set_status(o, [2, 3], "accepted"), {"status": "accepted"}, "Accept"),
        (lambda o: actions.set_status(o, [2, 3], "rejected"), {"status": "rejected"}, "Reject"),
        (lambda o: actions.set_status(o, [2, 3], "flagged"), {"status": "flagged"}, "Flag"),
        (lambda o: actions.rename(o, [2, 3], " a \n b "), {"phrase": "a b"}, "to “a b”"),
        (lambda o: actions.set_note(o, [2, 3], "look here"), {"note": "look here"}, "Note on"),
        (lambda o: actions.set_locked(o, [2, 3], True), {"locked": True}, "Lock"),
        (lambda o: actions.recolour(o, [2, 3], "#ff0000"), {"color": "#ff0000"}, "Recolour"),
    ],
)
def test_fields_of_some_objects(
    flat: LabelObjects, act: Any, fields: dict[str, Any], text: str
) -> None:
    untouched = rows(flat)[1]
    there_and_back(flat, lambda: act(flat))
    for label in (2, 3):
        assert {name: getattr(rows(flat)[label], name) for name in fields} == fields
        (name,) = fields
        assert str(flat.labels.features[name][label]) == str(fields[name])
    assert rows(flat)[1] == untouched
    assert text in flat.undo_text and "2 and 3" in flat.undo_text


def test_a_change_to_what_is_there_already_is_no_step(flat: LabelObjects) -> None:
    text = flat.undo_text
    actions.set_status(flat, [1], "proposed")
    actions.set_note(flat, [1], "  ")
    assert flat.undo_text == text


def test_delete_in_all_planes(stack: LabelObjects) -> None:
    there_and_back(stack, lambda: actions.delete(stack, [1, 3]))
    assert sorted(rows(stack)) == [2]
    assert set(np.unique(stack.labels.data)) == {0, 2}


def test_merge_gives_the_pixels_to_the_first(stack: LabelObjects) -> None:
    before = stack.labels.data.copy()
    there_and_back(stack, lambda: actions.merge(stack, [2, 1]))
    assert_array_equal(stack.labels.data == 2, (before == 2) | (before == 1))
    merged = rows(stack)[2]
    assert merged.phrase == "cell 2" and 1 not in rows(stack)
    assert (merged.frames, merged.first_frame, merged.last_frame) == (4, 0, 3)
    assert merged.area == 9 * 6 / 4
    assert stack.undo_text == "Merge 1 into 2"


def test_split_into_parts(flat: LabelObjects) -> None:
    there_and_back(flat, lambda: actions.split(flat, 4))
    assert flat.labels.data[6, 5] == 4 and flat.labels.data[10, 10] == 5
    assert (rows(flat)[4].area, rows(flat)[5].area) == (4, 1)
    assert rows(flat)[5].phrase == "cell 4" and rows(flat)[5].score == 0.5
    assert flat.undo_text == "Split 4 into 2 parts"


def test_split_through_a_stack(stack: LabelObjects) -> None:
    actions.set_note(stack, [3], "mine")
    actions.recolour(stack, [3], "#ff0000")
    there_and_back(stack, lambda: actions.split(stack, 3))
    large, small = rows(stack)[3], rows(stack)[4]
    assert (large.frames, small.frames) == (4, 3)
    assert (small.first_frame, small.last_frame) == (1, 3)
    assert (large.note, small.note, small.color) == ("mine", "", "")
    assert small.score == pytest.approx(0.7)  # of its own three planes
    assert (stack.labels.data[:, 0, 8] == 3).all() and (stack.labels.data[1:, 11, 0] == 4).all()
    with pytest.raises(InvalidInput, match="one connected part"):
        actions.split(stack, 1)


@pytest.mark.parametrize(
    "act",
    [
        lambda o: actions.delete(o, [1, 4]),
        lambda o: actions.merge(o, [1, 4]),
        lambda o: actions.merge(o, [4, 1]),
        lambda o: actions.split(o, 4),
    ],
)
def test_locked_objects_refuse_and_keep_their_pixels(flat: LabelObjects, act: Any) -> None:
    actions.set_locked(flat, [4], True)
    before, text = flat.labels.data.copy(), flat.undo_text
    with pytest.raises(InvalidInput, match=r"Object 4 is locked\. Unlock it first"):
        act(flat)
    assert_array_equal(flat.labels.data, before)
    assert flat.undo_text == text
    actions.rename(flat, [4], "still mine")  # only pixels are locked
    actions.set_locked(flat, [4], False)
    act(flat)
    assert (flat.labels.data != before).any()


def test_a_look_in_the_middle_of_a_stroke_unlocks_nothing(flat: LabelObjects) -> None:
    actions.set_locked(flat, [4], True)
    labels = flat.labels
    before = labels.data == 4
    labels._begin_stroke()
    labels.brush_size = 3 * max(labels.data.shape)
    labels.paint((0, 0), 9)
    labels.refresh()  # whoever looks now finds no pixel of object 4
    labels._commit_stroke()
    assert_array_equal(labels.data == 4, before)
    assert 4 in {row.label for row in flat.rows()}
    labels.undo()
    assert_array_equal(labels.data == 4, before)


def test_what_cannot_be_done_is_said(flat: LabelObjects) -> None:
    with pytest.raises(InvalidInput, match="two objects or more"):
        actions.merge(flat, [1, 1])
    with pytest.raises(InvalidInput, match="no object 9"):
        actions.delete(flat, [9])
    with pytest.raises(InvalidInput, match="no object 9"):
        actions.rename(flat, [1, 9], "x")
    with pytest.raises(InvalidInput, match="no status 'good'"):
        actions.set_status(flat, [1], "good")


def test_objects_of_planes_along_other_axes_do_not_merge() -> None:
    data = np.zeros((6, 6, 6), dtype=np.int32)
    objects = made(data)
    with objects.step("run", "Find") as step:
        for label, plane in ((1, (2, None, None)), (2, (None, None, 4))):
            step.add(Entry(record(label), {plane: Spot(NOWHERE)}))
            step.paint(plane, (slice(0, 2), slice(0, 2)), np.ones((2, 2), dtype=bool), label)
    with pytest.raises(InvalidInput, match="different axes"):
        actions.merge(objects, [1, 2])


def test_labels_without_a_row_get_one(stack: LabelObjects) -> None:
    stack.labels.data[1:3, 4, 4:8] = 20
    stack.labels.data[2, 5, 0:2] = 21
    stack.viewer.dims.set_current_step(0, 1)
    there_and_back(stack, lambda: actions.adopt(stack))
    new = rows(stack)[20]
    assert (new.area, new.frames, new.author, new.phrase) == (4, 2, "user", "")
    assert 21 not in rows(stack)  # not in this plane
    assert stack.undo_text == "Add 20 to the table"
    with pytest.raises(InvalidInput, match="All labels in this plane"):
        actions.adopt(stack)
    actions.rename(stack, [20], "mine")
    stack.viewer.add_image(np.zeros((9, 12, 12)), translate=(-2, 0, 0))
    for beside in (-1, 6):  # the labels have planes 0 to 3
        stack.viewer.dims.set_point(0, beside)
        with pytest.raises(InvalidInput, match="beyond the labels"):
            actions.adopt(stack)
    stack.viewer.dims.ndisplay = 3
    with pytest.raises(InvalidInput, match="in 2-D"):
        actions.adopt(stack)


def test_rejected_ones_that_are_not_locked(flat: LabelObjects) -> None:
    actions.set_status(flat, [1, 2, 4], "rejected")
    actions.set_locked(flat, [2], True)
    assert actions.rejected(flat) == [1, 4]


def test_rows_come_back_with_an_undo_that_goes_further_than_a_later_edit(
    flat: LabelObjects,
) -> None:
    actions.delete(flat, [3])
    flat.undo()
    flat.redo()  # gone by a redo: an undo can bring it back
    flat.labels.paint((11, 0), 1)
    flat.undo()
    flat.undo()
    assert rows(flat)[3].phrase == "cell 3"
    actions.delete(flat, [3])
    flat.undo_object(3)
    flat.undo()  # gone by an undo: another one can bring it back
    flat.labels.paint((11, 0), 1)
    flat.undo()
    flat.undo()
    assert rows(flat)[3].phrase == "cell 3"


def test_rows_that_cannot_come_back_are_forgotten(flat: LabelObjects) -> None:
    flat.undo()
    assert not rows(flat)
    flat.labels.paint((11, 0), 1)  # the user's label now, and no "cell 1"
    assert not rows(flat) and flat.reserve(1)[0] == 2


def test_a_full_layer_gives_labels_again_that_nothing_brings_back() -> None:
    data = np.zeros((12, 12), dtype=np.uint8)
    data[0, 0], data[0, 1], data[0, 2] = 1, 2, 255
    objects = made(data)
    objects.labels.data_setitem((np.array([5]), np.array([5])), 3)  # by hand
    actions.delete(objects, [1, 2])
    assert list(objects.reserve(2)) == [4, 5]
    objects.labels._undo_history.popleft()  # long ago
    assert list(objects.reserve(2)) == [4, 5]  # an undo brings 1 and 2 back
    objects.labels._undo_history.clear()
    assert list(objects.reserve(3)) == [1, 2, 4]
    with pytest.raises(InvalidInput, match=r"up to 255 only \(uint8\)\. Convert"):
        objects.reserve(254)


def test_a_stroke_with_the_number_of_an_object_deleted_long_ago(flat: LabelObjects) -> None:
    labels = flat.labels
    labels.brush_size = 1
    actions.delete(flat, [2, 3])
    labels.paint((11, 0), 3)  # an undo brings 3 back: it is still that
    assert rows(flat)[3].phrase == "cell 3"
    labels._undo_history.clear()
    labels.paint((11, 11), 2)
    assert labels.data[11, 11] == 2
    assert 2 not in rows(flat)
    assert rows(flat)[3].area == 1


def test_names_in_sentences() -> None:
    assert [actions.named(labels) for labels in ([3], [3, 4], [3, 4, 5], [3, 4, 5, 6])] == [
        "3",
        "3 and 4",
        "3, 4 and 5",
        "3, 4 and 2 more",
    ]
