"""A run through a stack: what it paints, what it leaves, rows, captions, undo."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import zarr
from napari.components import ViewerModel

from napari_sa2va.annotation.packed import PackedMask
from napari_sa2va.errors import InvalidInput
from napari_sa2va.viewer import stack_snapshot
from napari_sa2va.viewer.labels import create_labels
from napari_sa2va.viewer.objects import LabelObjects
from napari_sa2va.viewer.store import CannotWrite, LayerLost
from napari_sa2va.viewer.track_run import TrackRun
from tests.viewer.conftest import FullDisk

SIDE = 40
FRAMES = 30

Rectangle = tuple[int, int, int, int]


def rectangle(top: int, left: int, bottom: int, right: int) -> PackedMask:
    mask = np.zeros((SIDE, SIDE), dtype=bool)
    mask[top:bottom, left:right] = True
    return PackedMask.pack(mask)


NOTHING = rectangle(0, 0, 0, 0)


class Scene:
    """A stack, its Labels layer in memory or on disk, and runs on it."""

    def __init__(self, kind: str = "numpy", **arguments: Any) -> None:
        self.viewer = ViewerModel()
        self.image = self.viewer.add_image(np.zeros((FRAMES, SIDE, SIDE)), **arguments)
        self.stack = stack_snapshot(self.viewer, [self.image], 0)
        shape = (FRAMES, SIDE, SIDE)
        if kind == "zarr":
            data = zarr.zeros(shape, dtype="int32", chunks=(1, SIDE, SIDE))
            self.labels = self.viewer.add_labels(data, **self.stack.first.labels_geometry())
        else:
            self.labels = create_labels(self.viewer, [self.image], self.stack.first)
        self.objects = LabelObjects(self.viewer, self.labels)

    def start(self, phrases: str = "ab", *, replace: bool = False) -> TrackRun:
        run = TrackRun(self.objects, self.stack, replace=replace, model="demo")
        run.begin([(phrase, "It is [SEG].") for phrase in phrases])
        return run

    def run(self, first: int, last: int, **options: Any) -> TrackRun:
        run = self.start(**options)
        fill(run, first, last)
        run.commit()
        self.objects.write()
        return run

    @property
    def pixels(self) -> np.ndarray[Any, Any]:
        return np.array(self.labels.data)

    def rows(self) -> dict[int, Any]:
        return {record.label: record for record in self.objects.rows()}


def fill(run: TrackRun, first: int, last: int, shift: int = 0) -> None:
    """Add frames with an object that grows and one that stays."""
    for index in range(first, last + 1):
        one = rectangle(2, 2 + shift, 6 + index // 10, 8 + shift)
        masks = [one, rectangle(20, 20, 30, 30)][: len(run._found)]
        count = len(masks)
        run.add(index, masks, [0.9] * count, [0.8] * count, [1.0] * count)


@pytest.fixture(params=["numpy", "zarr"])
def scene(request: pytest.FixtureRequest) -> Scene:
    return Scene(request.param)


def test_frames_show_as_they_come_and_are_one_undo_step(scene: Scene) -> None:
    run = scene.start()
    scene.objects.hold()
    fill(run, 3, 3)
    assert scene.pixels[3, 3, 3] == 1
    scene.objects.write()
    assert [record.phrase for record in scene.objects.rows()] == ["a", "b"]
    fill(run, 4, 12)
    assert run.commit()
    assert not run.commit()
    scene.objects.release()
    painted = scene.pixels
    assert np.unique(np.nonzero(painted)[0]).tolist() == list(range(3, 13))
    row = scene.rows()[1]
    assert (row.first_frame, row.last_frame, row.frames, row.flagged) == (3, 12, 10, ())
    assert row.area == np.count_nonzero(painted == 1) / 10
    assert (row.score, row.iou, row.answer) == (0.8, 0.9, "It is [SEG].")
    features = scene.labels.features
    assert features["first_frame"][1] == 3 and features["frames"][2] == 10

    scene.labels.undo()
    assert not scene.pixels.any()
    assert scene.objects.rows() == []
    scene.labels.redo()
    np.testing.assert_array_equal(scene.pixels, painted)
    assert scene.rows()[1] == row


def test_an_extension_is_a_further_step_with_the_same_labels(scene: Scene) -> None:
    run = scene.run(5, 9)
    after_first = scene.pixels
    assert run.begin([("a", "x"), ("b", "x")]) == (1, 2)
    fill(run, 10, 19)
    run.add(20, [NOTHING] * 2, [0.1] * 2, [math.nan] * 2, [0.0] * 2, [("absent",), ()])
    run.commit()
    scene.objects.write()
    after_second = scene.pixels
    assert scene.rows()[1].last_frame == 19
    assert scene.rows()[1].flagged == (20,)
    assert scene.labels.features["flagged"][1] == "20"
    scene.labels.undo()
    np.testing.assert_array_equal(scene.pixels, after_first)
    assert scene.rows()[1].last_frame == 9
    assert scene.rows()[1].flagged == ()
    scene.labels.undo()
    assert scene.objects.rows() == []
    scene.labels.redo()
    scene.labels.redo()
    np.testing.assert_array_equal(scene.pixels, after_second)
    assert scene.rows()[1].flagged == (20,)


def test_labels_that_were_there_are_kept_unless_replaced(scene: Scene) -> None:
    for frame in (2, 3):
        scene.labels.data[frame, 4:25, 4:25] = 7
    scene.objects._highest_painted = 7
    before = scene.pixels
    scene.run(1, 3)
    there = scene.pixels
    np.testing.assert_array_equal(there[before == 7], 7)
    assert there[2, 3, 3] == 8 and there[2, 28, 28] == 9
    scene.labels.undo()
    np.testing.assert_array_equal(scene.pixels, before)
    scene.run(1, 3, replace=True)
    assert scene.pixels[2, 5, 5] == 8
    scene.labels.undo()
    np.testing.assert_array_equal(scene.pixels, before)
    scene.labels.redo()
    assert scene.pixels[2, 5, 5] == 8 and scene.pixels[2, 22, 22] == 9


@pytest.mark.parametrize("replace", [False, True])
def test_of_two_objects_of_a_run_the_first_has_a_pixel(replace: bool) -> None:
    scene = Scene()
    run = scene.start(replace=replace)
    run.add(0, [rectangle(0, 0, 10, 10), rectangle(5, 5, 15, 15)], [1, 1], [1, 1], [1, 1])
    assert np.count_nonzero(scene.pixels == 1) == 100
    assert np.count_nonzero(scene.pixels == 2) == 75
    scene.objects.write()
    assert scene.rows()[2].area == 75


@pytest.mark.parametrize("replace", [False, True])
def test_what_the_user_paints_in_a_run_stays_the_users(scene: Scene, replace: bool) -> None:
    run = scene.start(replace=replace)
    fill(run, 0, 4)
    scene.labels.brush_size = 2
    scene.labels.paint((2, 4, 4), 9)  # over a mask
    scene.labels.paint((8, 4, 4), 9)  # where a mask is to come
    scene.labels.paint((3, 25, 25), 0)  # a piece rubbed out
    painted = scene.pixels == 9
    assert np.unique(np.nonzero(painted)[0]).tolist() == [2, 8]
    fill(run, 5, 9)
    run.commit()
    scene.objects.write()
    after = scene.pixels
    assert (after[painted] == 9).all()
    assert after[3, 25, 25] == 0
    assert scene.rows()[1].area * 10 == np.count_nonzero(after == 1)
    assert scene.rows()[2].area * 10 == np.count_nonzero(after == 2)
    fill(run, 2, 3)  # planes that come again, when a run goes on from an earlier state
    np.testing.assert_array_equal(scene.pixels, after)
    run.commit()
    scene.labels.undo()
    np.testing.assert_array_equal(scene.pixels, after)
    scene.labels.undo()
    alone = scene.pixels
    assert (alone[painted] == 9).all()
    assert not np.isin(alone, (1, 2)).any()
    scene.labels.redo()
    np.testing.assert_array_equal(scene.pixels, after)


def test_strokes_before_between_and_after(scene: Scene) -> None:
    scene.labels.brush_size = 3
    states = [scene.pixels]

    def keep() -> None:
        states.append(scene.pixels)
        check(-1)

    def check(number: int) -> None:
        np.testing.assert_array_equal(scene.pixels, states[number])
        for label, record in scene.rows().items():
            counts = (states[number] == label).sum(axis=(1, 2))
            present = np.flatnonzero(counts)
            assert record.area == counts.sum() / len(present)
            assert record.frames == len(present)
            assert (record.first_frame, record.last_frame) == (present[0], present[-1])

    scene.labels.paint((4, 3, 3), 5)
    keep()
    run = scene.run(2, 8)
    keep()
    assert run.labels == (6, 7)
    scene.labels.paint((5, 9, 3), 6)
    keep()
    scene.labels.paint((15, 9, 9), 6)  # a plane further on
    keep()
    fill(run, 9, 12)
    run.commit()
    scene.objects.write()
    keep()
    assert scene.rows()[6].last_frame == 15 and scene.rows()[6].frames == 12
    scene.labels.paint((10, 25, 25), 0)
    keep()
    rows = [()] * 2 + [(6, 7)] * 5
    for number in [5, 4, 3, 2, 1, 0]:
        scene.labels.undo()
        check(number)
        assert tuple(scene.rows()) == rows[number]
    for number in [1, 2, 3, 4, 5, 6]:
        scene.labels.redo()
        check(number)
        assert tuple(scene.rows()) == rows[number]


def test_a_frame_that_comes_again_is_painted_anew(scene: Scene) -> None:
    scene.labels.data[2, 0:4, 0:4] = 7
    scene.objects._highest_painted = 7
    before = scene.pixels
    run = scene.start(replace=True)
    fill(run, 1, 3)
    fill(run, 2, 2, shift=10)
    assert scene.pixels[2, 3, 3] == 7
    assert scene.pixels[2, 3, 13] == 8
    run.commit()
    first = scene.pixels
    fill(run, 2, 2)
    run.commit()
    scene.objects.write()
    second = scene.pixels
    assert second[2, 3, 3] == 8
    assert not second[2, :, 13].any()
    assert scene.rows()[8].area == np.count_nonzero(second == 8) / 3
    scene.labels.undo()
    np.testing.assert_array_equal(scene.pixels, first)
    scene.labels.undo()
    np.testing.assert_array_equal(scene.pixels, before)
    scene.labels.redo()
    scene.labels.redo()
    np.testing.assert_array_equal(scene.pixels, second)


def test_undone_and_resumed() -> None:
    scene = Scene()
    run = scene.run(0, 5)
    scene.labels.undo()
    assert run.begin([("a", ""), ("b", "")]) == (1, 2)
    fill(run, 6, 8)
    run.commit()
    scene.objects.write()
    assert scene.rows()[1].first_frame == 6
    scene.labels.undo()
    scene.labels.paint((0, 20, 20), 1)  # the user takes label 1
    labels = run.begin([("a", ""), ("b", "")])
    assert labels == (2, 3)
    fill(run, 0, 1)
    assert set(np.unique(scene.pixels)) == {0, 1, 2, 3}


def test_napari_is_refreshed_only_for_the_plane_in_view(scene: Scene) -> None:
    drawn: list[int] = []
    scene.labels.events.set_data.connect(lambda: drawn.append(1))
    run = scene.start()
    scene.viewer.dims.set_current_step(0, 7)
    drawn.clear()
    fill(run, 0, 6)
    assert not run.refresh()
    fill(run, 7, 9)
    assert run.refresh()
    assert not run.refresh()
    assert len(drawn) == 1
    # What napari shows is what the array holds.
    np.testing.assert_array_equal(scene.labels._slice.image.raw, scene.pixels[7])
    scene.viewer.dims.ndisplay = 3
    fill(run, 11, 11)
    assert run.refresh()


def test_captions_are_those_of_the_plane_in_view() -> None:
    scene = Scene()
    scene.run(3, 20)
    scene.viewer.dims.set_current_step(0, 19)
    points = scene.objects.captions.layer
    assert list(points.features["caption"]) == ["1 · a", "2 · b"]
    for point, label in zip(points.data, (1, 2), strict=True):
        assert scene.pixels[tuple(point.astype(int))] == label
        assert point[0] == 19
    scene.viewer.dims.set_current_step(0, 1)
    assert len(points.data) == 0
    assert scene.objects.point(1)[0] == 3
    scene.viewer.dims.set_current_step(0, 10)
    assert scene.objects.point(1)[0] == 10


def test_a_label_asked_for_again_is_known_in_the_stack() -> None:
    scene = Scene()
    scene.run(3, 6)
    assert scene.objects.labelled("A.", scene.stack.line) == [1]
    assert scene.objects.labelled("a", (5, None, None)) == [1]
    assert scene.objects.labelled("a", (9, None, None)) == []
    assert scene.objects.labelled("c", scene.stack.line) == []


def test_a_layer_that_is_gone_ends_the_run() -> None:
    scene = Scene()
    run = scene.start()
    fill(run, 0, 3)
    scene.labels.data = np.zeros_like(scene.pixels)
    with pytest.raises(LayerLost, match="replaced"):
        fill(run, 4, 4)
    assert not run.refresh()
    assert not run.commit()
    other = Scene()
    run = other.start()
    fill(run, 0, 3)
    other.viewer.layers.remove(other.labels)
    with pytest.raises(LayerLost):
        fill(run, 4, 4)
    assert not run.commit()
    run.close()


def test_a_full_disk_keeps_what_was_written() -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((FRAMES, SIDE, SIDE)))
    stack = stack_snapshot(viewer, [image], 0)
    disk = FullDisk(np.zeros((FRAMES, SIDE, SIDE), dtype=np.int32))
    labels = viewer.add_labels(disk)
    objects = LabelObjects(viewer, labels)
    run = TrackRun(objects, stack, replace=False, model="demo")
    run.begin([("a", ""), ("b", "")])
    fill(run, 0, 4)
    disk.room = 0
    with pytest.raises(CannotWrite, match=r"No space left.*run again"):
        fill(run, 5, 5)
    disk.room = math.inf
    assert run.commit()
    objects.write()
    assert objects.rows()[0].last_frame == 4
    labels.undo()
    assert not disk.data.any()
    assert objects.rows() == []


def test_a_reopened_layer_tells_its_tracks() -> None:
    scene = Scene()
    run = scene.run(5, 9)
    run.add(10, [NOTHING] * 2, [0.1] * 2, [math.nan] * 2, [0.0] * 2, [("absent",), ()])
    fill(run, 11, 11)
    run.commit()
    scene.objects.write()
    rows = scene.rows()
    scene.objects.close()
    again = LabelObjects(scene.viewer, scene.labels)
    for record in again.rows():
        assert record.flagged == rows[record.label].flagged
        assert record.area == pytest.approx(rows[record.label].area)
        assert (record.frames, record.first_frame, record.last_frame) == (6, 5, 11)
    scene.viewer.dims.set_current_step(0, 11)
    assert list(again.captions.layer.features["label"]) == [1, 2]
    scene.labels.undo()
    assert again.rows()[0].last_frame == 9
    scene.labels.undo()
    assert again.rows() == []


def test_time_at_one_depth_in_a_turned_view() -> None:
    viewer = ViewerModel()
    data = np.zeros((5, 3, 24, 32), dtype=np.uint8)
    for frame in range(5):
        data[frame, 2, 4 + frame : 10 + frame, 8:20] = 255
    image = viewer.add_image(
        data, contrast_limits=(0, 255), axis_labels=("t", "z", "y", "x"), scale=(1, 1, -1, 1)
    )
    viewer.dims.order = (0, 1, 3, 2)
    stack = stack_snapshot(viewer, [image], 0, at={1: 2})
    labels = create_labels(viewer, [image], stack.first)
    objects = LabelObjects(viewer, labels, empty=True)
    run = TrackRun(objects, stack, replace=False, model="demo")
    (label,) = run.begin([("the bar", "")])
    for frame in range(5):
        mask = PackedMask.pack(stack.frames[frame][..., 0] > 127)
        run.add(frame, [mask], [1.0], [1.0], [1.0], [("iou",) if frame == 3 else ()])
    run.commit()
    np.testing.assert_array_equal(labels.data == label, data > 127)
    (record,) = objects.rows()
    assert (record.first_frame, record.last_frame, record.area) == (0, 4, 72)
    assert record.flagged == (3,)
    assert objects.labelled("the bar", (None, 2, None, None)) == [label]
    assert objects.labelled("the bar", (None, 1, None, None)) == []
    viewer.dims.set_current_step(0, 4)
    assert objects.point(label)[:2] == (4, 2)
    again = LabelObjects(viewer, labels)
    assert again.rows() == [record]


def again_into(scene: Scene, labels: tuple[int, ...], **options: Any) -> TrackRun:
    run = TrackRun(
        scene.objects,
        scene.stack,
        replace=options.get("replace", False),
        model="demo",
        into=labels,
    )
    run.begin([("a", "")] * len(labels))
    return run


def test_an_object_is_followed_anew_and_others_stay(scene: Scene) -> None:
    scene.run(0, 5)
    before = scene.pixels
    run = again_into(scene, (1,))
    assert run.begin([("a", "")]) == (1,)
    for index in (3, 4):
        # Elsewhere than before, and partly on the other object.
        run.add(index, [rectangle(10, 18, 24, 24)], [0.7], [0.6], [1.0])
    run.commit()
    after = scene.pixels
    np.testing.assert_array_equal(after[[0, 1, 2, 5]], before[[0, 1, 2, 5]])
    np.testing.assert_array_equal(after == 2, before == 2)
    assert (after[3] == 1).sum() == 14 * 6 - 16  # what object 2 has is not taken
    assert after[3, 3, 3] == 0
    assert scene.rows()[1].frames == 6 and scene.rows()[1].phrase == "a"
    assert run.overlapped == (3, 4)
    scene.objects.undo()
    np.testing.assert_array_equal(scene.pixels, before)
    scene.objects.redo()
    np.testing.assert_array_equal(scene.pixels, after)


def test_what_overlaps_can_be_overwritten_afterwards(scene: Scene) -> None:
    scene.run(0, 2)
    before = scene.pixels
    run = again_into(scene, (1,))
    run.add(1, [rectangle(20, 20, 25, 30)], [0.7], [0.6], [1.0])
    run.commit()
    assert (scene.pixels[1] == 1).sum() == 0
    assert run.overwrite()
    assert (scene.pixels[1] == 1).sum() == 50 and (scene.pixels[1] == 2).sum() == 50
    assert not run.overlapped
    assert scene.objects.undo_text == "Overwrite what overlaps"
    run.add(2, [rectangle(20, 20, 25, 30)], [0.7], [0.6], [1.0])
    run.commit()
    assert (scene.pixels[2] == 2).sum() == 100 and run.overlapped == (2,)  # asked about anew
    scene.objects.undo()
    scene.objects.undo()
    scene.objects.undo()
    np.testing.assert_array_equal(scene.pixels, before)


def test_locked_objects_are_neither_followed_anew_nor_painted_over(scene: Scene) -> None:
    scene.run(0, 2)
    with scene.objects.step("lock", "Lock 2") as step:
        step.change(2, locked=True)
    before = scene.pixels == 2
    with pytest.raises(InvalidInput, match="2 is locked"):
        again_into(scene, (2,))
    run = again_into(scene, (1,), replace=True)
    run.add(1, [rectangle(0, 0, SIDE, SIDE)], [0.7], [0.6], [1.0])
    run.commit()
    np.testing.assert_array_equal(scene.pixels == 2, before)
    with scene.objects.step("delete", "Delete 1") as step:
        for plane in scene.objects.entry(1).planes:
            box, inside = scene.objects.pixels_of(1, plane) or pytest.fail("it is there")
            step.paint(plane, box, inside, 0)
    with pytest.raises(InvalidInput, match="1 is not there"):
        again_into(scene, (1,))


def test_an_object_locked_while_it_is_followed_stays_as_it_is(scene: Scene) -> None:
    run = scene.run(0, 1)
    with scene.objects.step("lock", "Lock 1") as step:
        step.change(1, locked=True)
    before = scene.pixels == 1
    fill(run, 1, 3, shift=4)
    run.commit()
    np.testing.assert_array_equal(scene.pixels == 1, before)
    assert (scene.pixels[3] == 2).any()


def test_a_log_hears_of_a_run_while_it_goes_on_and_at_its_end(scene: Scene) -> None:
    told: list[Any] = []
    scene.objects.done.connect(told.append)
    run = scene.start()
    scene.objects.hold()
    fill(run, 0, 1)
    run.found_so_far()
    run.found_so_far()  # nothing new
    fill(run, 2, 2)
    run.commit({"model": "demo"})
    scene.objects.release()
    assert [action.kind for action in told] == ["frames", "track"]
    assert {box[0].start for box in told[0].touched} == {0, 1}
    assert {box[0].start for box in told[1].touched} == {2}  # the others are told
    assert told[1].detail == {"model": "demo"} and told[1].text == "Follow “a, b”"


def test_an_undo_on_its_way_is_done_before_a_frame_comes(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_sa2va.viewer.timeline._PIECE_SECONDS", 0.0)
    scene.run(0, FRAMES - 1, phrases="a")
    later = scene.start("b")
    scene.objects.replay_in_pieces(lambda piece: piece())
    scene.objects.undo()
    assert scene.objects.replaying and scene.pixels[0].any()
    fill(later, 0, 0)
    assert (scene.pixels == 2).sum() == 4 * 6 and not (scene.pixels == 1).any()
    assert later.commit() and later.overlapped == ()
    scene.objects.undo()
    assert not scene.pixels.any()


def along_y(scene: Scene, **options: Any) -> TrackRun:
    """A run through the planes of the other two axes."""
    scene.viewer.dims.order = (1, 0, 2)
    stack = stack_snapshot(scene.viewer, [scene.image], 1)
    return TrackRun(scene.objects, stack, replace=True, model="demo", **options)


@pytest.mark.parametrize("frames", [range(4, 7), range(2, 30)])  # few, and many: one more way each
def test_a_run_along_another_axis_takes_pixels_of_what_was_found(
    scene: Scene, frames: range
) -> None:
    def pixels() -> dict[int, int]:
        labels, counts = np.unique(scene.pixels[scene.pixels > 0], return_counts=True)
        return dict(zip(labels.tolist(), counts.tolist(), strict=True))

    def rows() -> dict[int, int]:
        scene.objects.write()
        return {label: round(row.area * row.frames) for label, row in scene.rows().items()}

    scene.run(0, 5)
    before = pixels()
    run = along_y(scene)
    assert run.begin([("the wall", "")]) == (3,)
    mask = np.zeros((FRAMES, SIDE), dtype=bool)
    mask[2:4, 4:26] = True
    for frame in frames:
        run.add(frame, [PackedMask.pack(mask)], [1.0], [1.0], [1.0])
    run.commit()
    after = pixels()
    assert after[3] == 44 * len(frames) and after[1] < before[1]
    assert rows() == after
    assert scene.objects.undo()
    assert rows() == pixels() == before
    assert scene.objects.redo()
    assert rows() == pixels() == after


def test_what_was_found_along_another_axis_is_not_followed(scene: Scene) -> None:
    scene.run(0, 5)
    run = along_y(scene, into=(1,))
    with pytest.raises(InvalidInput, match="1 was found in planes along other axes"):
        run.begin([("a", "")])
    assert scene.objects.entry(1).axis == 0
