"""A run's masks in a Labels layer: rows, captions, undo and the threshold."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_sa2va.annotation.masks import SoftMask, resize_bilinear
from napari_sa2va.viewer.labels import create_labels
from napari_sa2va.viewer.objects import LabelObjects
from napari_sa2va.viewer.run import LabelRun
from napari_sa2va.viewer.source import snapshot
from napari_sa2va.viewer.store import CannotWrite, LayerLost
from tests.viewer.conftest import FullDisk

SIDE = 64


def soft_disk(
    *disks: tuple[float, float, float], shape: tuple[int, int] = (SIDE, SIDE)
) -> SoftMask:
    """Logits that fall by one a (low-resolution) pixel from each (row, column, radius) border."""
    rows, columns = np.mgrid[:32, :32] + 0.5
    logits = np.full((32, 32), -20.0)
    for row, column, radius in disks:
        logits = np.maximum(logits, radius / 2 - np.hypot(rows - row / 2, columns - column / 2))
    logits = logits.astype(np.float32)
    return SoftMask.from_model(logits, resize_bilinear(logits, shape) > 0)


def faint_and_strong() -> SoftMask:
    """A part that shows at a threshold of 0.1 only, and another."""
    rows, columns = np.mgrid[:32, :32] + 0.5
    faint = -1.0 - np.hypot(rows - 26, columns - 26)
    strong = 5 - np.hypot(rows - 10, columns - 10)
    logits = np.maximum(faint, strong).astype(np.float32)
    return SoftMask.from_model(logits, resize_bilinear(logits, (SIDE, SIDE)) > 0)


class Scene:
    """An image, its Labels layer, and runs on it."""

    def __init__(self, shape: tuple[int, ...] = (SIDE, SIDE), **arguments) -> None:
        self.viewer = ViewerModel()
        self.image = self.viewer.add_image(np.zeros(shape), **arguments)
        self.placement = snapshot(self.viewer, [self.image]).placement
        self.labels = create_labels(self.viewer, [self.image], self.placement)
        self.objects = LabelObjects(self.viewer, self.labels)

    def start(self, *, replace: bool = False, split: bool = False) -> LabelRun:
        placement = snapshot(self.viewer, [self.image]).placement
        return LabelRun(self.objects, placement, replace=replace, split=split, model="demo")

    def run(self, *softs: SoftMask, phrase: str = "the cell", **options) -> LabelRun:
        run = self.start(**options)
        for soft in softs:
            run.add(soft, phrase, 0.9)
        run.commit()
        return run

    def state(self) -> tuple[list[int], list[int], list[int]]:
        """Labels of the pixels, of the rows, and of the captions."""
        features = self.labels.features
        rows = [int(i) for i, p in zip(features["index"], features["phrase"], strict=True) if p]
        points = self.objects.captions.layer
        captions = [] if points is None else [int(i) for i in points.features["label"]]
        pixels = [int(i) for i in np.unique(self.labels.data) if i]
        return pixels, rows, captions


def test_pixels_row_and_caption_come_and_go_together() -> None:
    scene = Scene()
    run = scene.start()
    assert run.add(soft_disk((20, 20, 10)), "the red cell", 0.9) == (1,)
    run.answered([1], "Sure, [SEG].")
    run.commit()
    assert scene.state() == ([1], [1], [1])
    row = scene.labels.features.iloc[1]
    assert row["phrase"] == "the red cell"
    assert row["answer"] == "Sure, [SEG]."
    assert row["model"] == "demo"
    assert row["area"] == np.count_nonzero(scene.labels.data == 1)
    assert row["area_unit"] == "pixel"
    assert 0.5 < row["score"] < 1
    points = scene.objects.captions.layer
    assert list(points.features["caption"]) == ["1 · the red cell"]
    np.testing.assert_allclose(points.data[0], (20, 20), atol=1.5)

    scene.run(soft_disk((45, 45, 8)), phrase="the green cell")
    assert scene.state() == ([1, 2], [1, 2], [1, 2])
    scene.labels.undo()
    assert scene.state() == ([1], [1], [1])
    scene.labels.undo()
    assert scene.state() == ([], [], [])
    scene.labels.redo()
    scene.labels.redo()
    assert scene.state() == ([1, 2], [1, 2], [1, 2])
    assert scene.labels.features["phrase"][2] == "the green cell"


def test_several_masks_are_one_undo_step() -> None:
    scene = Scene()
    scene.run(soft_disk((20, 20, 10)), soft_disk((45, 45, 8)), soft_disk((20, 50, 5)))
    assert scene.state() == ([1, 2, 3], [1, 2, 3], [1, 2, 3])
    scene.labels.undo()
    assert scene.state() == ([], [], [])


def test_a_label_undone_is_given_again_an_erased_one_is_not() -> None:
    scene = Scene()
    scene.run(soft_disk((20, 20, 10)))
    scene.run(soft_disk((45, 45, 8)))
    scene.labels.undo()
    scene.run(soft_disk((45, 45, 8)), phrase="again")
    assert scene.state()[0] == [1, 2]
    assert scene.labels.features["phrase"][2] == "again"
    scene.labels.data_setitem(np.nonzero(scene.labels.data == 2), 0)  # as an eraser does
    assert scene.state() == ([1], [1], [1])
    scene.run(soft_disk((45, 45, 8)), phrase="third")
    assert scene.state()[0] == [1, 3]
    scene.labels.undo()
    scene.labels.undo()
    assert scene.labels.features["phrase"][2] == "again"


def test_existing_labels_keep_their_pixels_unless_replaced() -> None:
    scene = Scene()
    scene.run(soft_disk((30, 30, 10)))
    before = scene.labels.data == 1
    scene.run(soft_disk((30, 36, 10)))
    assert np.array_equal(scene.labels.data == 1, before)
    scene.run(soft_disk((30, 33, 12)), replace=True)
    assert not np.array_equal(scene.labels.data == 1, before)
    assert scene.labels.features["area"][1] == np.count_nonzero(scene.labels.data == 1)
    scene.labels.undo()
    assert np.array_equal(scene.labels.data == 1, before)


def test_a_mask_with_nothing_left_gets_no_label() -> None:
    scene = Scene()
    scene.run(soft_disk((30, 30, 12)))
    run = scene.start()
    assert run.add(soft_disk((30, 30, 6)), "the same", 0.9) == ()
    assert run.add(soft_disk(), "nothing", 0.1) == ()
    assert not run.commit()
    assert scene.state() == ([1], [1], [1])
    assert run.add(soft_disk((50, 50, 6)), "another", 0.9) == (2,)


def test_one_label_per_part() -> None:
    scene = Scene()
    run = scene.run(soft_disk((15, 15, 8), (45, 45, 10)), split=True)
    assert run.labels == (1, 2)
    assert scene.state() == ([1, 2], [1, 2], [1, 2])
    areas = scene.labels.features["area"]
    assert areas[1] < areas[2]
    scene.labels.undo()
    assert scene.state() == ([], [], [])


def test_moving_the_border_is_one_more_undo_step() -> None:
    scene = Scene()
    run = scene.run(soft_disk((30, 30, 12)))
    area = scene.labels.features["area"][1]
    for threshold in (0.6, 0.7, 0.8):  # dragging
        run.move_border(threshold)
    assert scene.labels.features["area"][1] < area
    run.commit()
    small = scene.labels.features["area"][1]
    run.move_border(0.2)
    run.commit()
    assert scene.labels.features["area"][1] > area
    seen = []
    run.threshold_changed.connect(seen.append)
    scene.labels.undo()
    assert scene.labels.features["area"][1] == small
    scene.labels.undo()
    assert scene.labels.features["area"][1] == area
    scene.labels.undo()
    assert scene.state() == ([], [], [])
    scene.labels.redo()
    assert seen[:2] == [0.8, 0.5]
    assert math.isnan(seen[2])
    assert seen[3] == 0.5
    run.move_border(0.8)
    assert scene.labels.features["area"][1] == small


def test_the_border_moves_round_what_the_user_painted() -> None:
    scene = Scene()
    run = scene.run(soft_disk((30, 30, 12)))
    scene.labels.data_setitem(tuple(np.array([[30, 31], [30, 30]])), 9)
    for threshold in (0.9, 0.1):
        run.move_border(threshold)
        assert scene.labels.data[30, 30] == scene.labels.data[31, 30] == 9
    run.commit()
    scene.labels.undo()
    assert scene.labels.data[30, 30] == 9
    scene.labels.undo()
    assert scene.labels.data[30, 30] == 1


def test_what_was_replaced_comes_back_where_the_border_shrinks() -> None:
    scene = Scene()
    scene.run(soft_disk((30, 30, 12)))
    before = scene.labels.data.copy()
    run = scene.run(soft_disk((30, 40, 12)), replace=True)
    run.move_border(0.9)
    shrunk = scene.labels.data == 2
    assert np.array_equal(scene.labels.data[~shrunk], before[~shrunk])


def test_parts_keep_their_labels_while_the_border_moves() -> None:
    scene = Scene()
    # A bridge of low probability joins the two at a low threshold.
    run = scene.run(soft_disk((30, 14, 9), (30, 34, 9)), split=True)
    assert run.labels == (1, 2)
    run.move_border(0.1)
    assert run.labels == (1,)
    run.move_border(0.5)
    assert run.labels == (1, 2)
    run.move_border(0.1)
    run.commit()
    assert scene.state() == ([1], [1], [1])
    scene.labels.undo()
    assert scene.state() == ([1, 2], [1, 2], [1, 2])


def test_parts_that_only_pass_by_take_no_labels() -> None:
    scene = Scene()
    run = scene.run(faint_and_strong(), split=True)
    run.move_border(0.1)
    assert run.labels == (1, 2)
    run.move_border(0.4)
    run.commit()
    assert run.labels == (1,)
    scene.run(soft_disk((50, 10, 5)))
    assert scene.state()[0] == [1, 2]


def test_masks_show_before_they_are_committed_and_nothing_is_lost() -> None:
    scene = Scene()
    run = scene.start()
    run.add(soft_disk((20, 20, 8)), "a", 0.9)
    assert scene.state() == ([1], [1], [1])
    scene.labels.data_setitem(tuple(np.array([[20], [20]])), 5)  # the user paints meanwhile
    run.add(soft_disk((45, 45, 8)), "b", 0.9)
    run.commit()
    assert scene.labels.data[20, 20] == 5
    assert scene.state()[1] == [1, 6]
    scene.labels.undo()
    assert [int(i) for i in np.unique(scene.labels.data)] == [0, 5]


def test_brush_strokes_are_measured_and_keep_the_row() -> None:
    scene = Scene()
    scene.run(soft_disk((20, 20, 8)))
    area = scene.labels.features["area"][1]
    scene.labels.selected_label = 1
    scene.labels.brush_size = 5
    scene.labels.paint((50, 50), 1)
    assert scene.labels.features["area"][1] > area
    scene.labels.undo()
    assert scene.labels.features["area"][1] == area


def test_planes_of_a_stack() -> None:
    scene = Scene((4, SIDE, SIDE), scale=(1, 0.5, 0.5), units=("s", "µm", "µm"))
    for plane in (0, 2):
        scene.viewer.dims.set_current_step(0, plane)
        scene.run(soft_disk((20, 20, 8)), phrase="the cell")
    assert scene.labels.data[0].any()
    assert not scene.labels.data[1].any()
    captions = scene.objects.captions.layer
    assert captions.data[:, 0].tolist() == [2]
    scene.viewer.dims.set_current_step(0, 0)
    assert captions.data[:, 0].tolist() == [0]
    assert list(captions.features["label"]) == [1]
    features = scene.labels.features
    assert features["area_unit"][1] == "µm²"
    assert features["area"][1] == np.count_nonzero(scene.labels.data == 1) * 0.25
    assert scene.objects.labelled("The cell.", (2, None, None)) == [2]
    assert scene.objects.labelled("the cell", (1, None, None)) == []
    scene.viewer.dims.set_current_step(0, 1)  # looking elsewhere is no undo
    assert scene.state()[1] == [1, 2]
    scene.labels.undo()
    assert scene.state() == ([1], [1], [])
    scene.viewer.dims.set_current_step(0, 0)
    assert scene.state() == ([1], [1], [1])


def test_a_flipped_and_transposed_view() -> None:
    scene = Scene((SIDE, 48), scale=(-1, 1))
    scene.viewer.dims.order = (1, 0)
    placement = snapshot(scene.viewer, [scene.image]).placement
    assert placement.frame_shape == (48, SIDE)
    run = scene.start()
    run.add(soft_disk((10, 50, 6), shape=(48, SIDE)), "the cell", 0.9)
    run.commit()
    rows, columns = np.nonzero(scene.labels.data)
    expected = placement.orientation.to_data(soft_disk_mask((10, 50, 6), shape=(48, SIDE)))
    assert np.array_equal(scene.labels.data > 0, expected)
    point = scene.objects.captions.layer.data[0]
    np.testing.assert_allclose(point, (rows.mean(), columns.mean()), atol=2)


def soft_disk_mask(disk: tuple[float, float, float], shape: tuple[int, int]) -> np.ndarray:
    soft = soft_disk(disk, shape=shape)
    mask = np.zeros(shape, dtype=bool)
    mask[soft.box] = soft.mask
    return mask


def test_a_pyramid_gets_its_masks_at_full_resolution() -> None:
    data = np.zeros((4096, 3072), dtype=np.uint8)
    scene = Scene.__new__(Scene)
    scene.viewer = ViewerModel()
    scene.image = scene.viewer.add_image([data, data[::2, ::2], data[::4, ::4]], multiscale=True)
    scene.placement = snapshot(scene.viewer, [scene.image]).placement
    assert scene.placement.factors != (1.0, 1.0)
    scene.labels = create_labels(scene.viewer, [scene.image], scene.placement)
    scene.objects = LabelObjects(scene.viewer, scene.labels)
    soft = soft_disk((32, 20, 8), shape=scene.placement.frame_shape)
    run = scene.run(soft)
    assert scene.labels.data.shape == (4096, 3072)
    rows, columns = np.nonzero(scene.labels.data)
    np.testing.assert_allclose(
        (rows.mean() / 4096, columns.mean() / 3072), (32 / 64, 20 / 64), atol=2e-3
    )
    assert 0.5 < scene.labels.features["score"][1] < 1
    area = scene.labels.features["area"][1]
    run.move_border(0.9)
    assert 0 < scene.labels.features["area"][1] < area


def test_a_layer_of_another_kind_of_integer() -> None:
    scene = Scene()
    own = scene.viewer.add_labels(np.full((SIDE, SIDE), 0, dtype=np.uint8))
    own.data.flat[:254] = np.arange(1, 255)
    objects = LabelObjects(scene.viewer, own)
    run = LabelRun(objects, scene.placement, replace=False, split=False, model="demo")
    assert run.add(soft_disk((30, 30, 8)), "a", 0.9) == (255,)
    with pytest.raises(Exception, match="up to 255"):
        run.add(soft_disk((50, 50, 8)), "b", 0.9)
    run.commit()
    assert own.data.max() == 255


def test_a_new_array_in_the_layer() -> None:
    scene = Scene()
    scene.run(soft_disk((20, 20, 8)))
    scene.labels.data = np.zeros_like(scene.labels.data)
    assert scene.state() == ([], [], [])
    scene.labels.data = np.full((10, 10), 4)
    assert scene.objects.rows() == []
    assert scene.objects.reserve(1) == range(5, 6)


def test_closing_takes_the_captions_away() -> None:
    scene = Scene()
    scene.run(soft_disk((20, 20, 8)))
    points = scene.objects.captions.layer
    assert points in scene.viewer.layers
    scene.viewer.layers.remove(scene.labels)
    scene.objects.close()
    assert points not in scene.viewer.layers


def test_what_an_earlier_dock_noted_is_read_back() -> None:
    scene = Scene((3, SIDE, SIDE))
    scene.viewer.dims.set_current_step(0, 1)
    scene.run(soft_disk((20, 20, 8)), soft_disk((45, 45, 8)))
    scene.objects.close()
    again = LabelObjects(scene.viewer, scene.labels)
    assert again.rows() == scene.objects.rows()
    for label in (1, 2):
        assert again.entry(label).plane == (1, None, None)
        point = tuple(int(at) for at in again.entry(label).point)
        assert scene.labels.data[point] == label


def test_labels_on_disk_are_written_and_undone() -> None:
    zarr = pytest.importorskip("zarr")
    scene = Scene((3, SIDE, SIDE))
    stored = zarr.zeros((3, SIDE, SIDE), dtype="uint16", chunks=(1, 32, 32))
    own = scene.viewer.add_labels(stored)
    scene.viewer.dims.set_current_step(0, 1)
    objects = LabelObjects(scene.viewer, own)
    placement = snapshot(scene.viewer, [scene.image]).placement
    run = LabelRun(objects, placement, replace=False, split=False, model="demo")
    assert run.add(soft_disk((30, 30, 8)), "a", 0.9) == (1,)
    run.commit()
    written = stored[:]
    assert written[1].any()
    assert not written[0].any()
    run.move_border(0.8)
    run.commit()
    own.undo()
    assert np.array_equal(stored[:], written)
    own.undo()
    assert not stored[:].any()
    assert objects.rows() == []


def on_full_disk() -> tuple[FullDisk, LabelObjects, LabelRun]:
    scene = Scene()
    disk = FullDisk(np.zeros((SIDE, SIDE), dtype=np.int32))
    objects = LabelObjects(scene.viewer, scene.viewer.add_labels(disk))
    run = LabelRun(objects, scene.placement, replace=False, split=False, model="demo")
    return disk, objects, run


def test_a_mask_that_a_full_disk_refuses_leaves_the_others() -> None:
    disk, objects, run = on_full_disk()
    run.add(soft_disk((20, 20, 8)), "a", 0.9)
    disk.room = 0
    with pytest.raises(CannotWrite, match=r"No space left.*run again"):
        run.add(soft_disk((45, 45, 8)), "b", 0.9)
    disk.room = math.inf
    assert run.add(soft_disk((45, 20, 8)), "c", 0.9)
    disk.room = 0
    with pytest.raises(CannotWrite):
        run.add(soft_disk((45, 45, 8)), "d", 0.9)
    disk.room = math.inf
    assert run.commit()
    assert [row.phrase for row in objects.rows()] == ["a", "c"]
    assert not disk.data[45, 45] and disk.data[45, 20]
    # The border goes back to where it was, and can be moved again.
    refused: list[str] = []
    objects.refused.connect(refused.append)
    before = disk.data.copy()
    disk.room = 0
    run.move_border(0.8)
    assert "No space left" in refused[0] and run.threshold == 0.5
    disk.room = math.inf
    run.move_border(0.2)
    assert run.commit() and (disk.data > 0).sum() > (before > 0).sum()
    assert objects.undo()
    np.testing.assert_array_equal(disk.data, before)
    assert objects.undo()
    assert not disk.data.any()


def test_an_overwrite_that_a_full_disk_refuses_can_be_tried_again() -> None:
    disk, objects, run = on_full_disk()
    run.add(soft_disk((30, 30, 12)), "old", 0.9)
    run.commit()
    run.close()
    run = LabelRun(objects, run._placement, replace=False, split=False, model="demo")
    run.add(soft_disk((30, 30, 8)), "new", 0.9)
    run.add(soft_disk((30, 42, 6)), "new", 0.9)
    run.commit()
    before = disk.data.copy()
    disk.room = 0
    with pytest.raises(CannotWrite):
        run.overwrite()
    disk.room = math.inf
    np.testing.assert_array_equal(disk.data, before)
    assert run.overlapped == (1,) and not run.commit()
    assert run.overwrite()
    assert [row.label for row in objects.rows()] == sorted({*np.unique(disk.data)} - {0})
    assert len(objects.rows()) == 3
    objects.undo()
    np.testing.assert_array_equal(disk.data, before)


def test_a_border_whose_parts_find_no_numbers_stays() -> None:
    scene = Scene()
    data = np.zeros((SIDE, SIDE), dtype=np.uint8)
    data.flat[:254] = np.arange(1, 255)
    objects = LabelObjects(scene.viewer, scene.viewer.add_labels(data))
    run = LabelRun(objects, scene.placement, replace=False, split=True, model="demo")
    run.add(faint_and_strong(), "the cell", 0.9)
    run.commit()
    assert run.labels == (255,)
    refused: list[str] = []
    objects.refused.connect(refused.append)
    before = data.copy()
    run.move_border(0.1)
    assert refused and run.threshold == 0.5 and run.labels == (255,)
    np.testing.assert_array_equal(data, before)


def test_a_disk_that_is_gone_at_the_end_of_a_run_may_come_back() -> None:
    disk, objects, run = on_full_disk()
    run.add(soft_disk((20, 20, 8)), "a", 0.9)
    disk.gone = True
    with pytest.raises(CannotWrite, match="Input/output error"):
        run.commit()
    disk.gone = False
    assert run.commit()
    objects.undo()
    assert not disk.data.any()


def test_a_log_hears_of_a_run_while_it_goes_on_and_at_its_end() -> None:
    scene = Scene()
    told: list[Any] = []
    scene.objects.done.connect(told.append)
    run = scene.start()
    run.add(soft_disk((20, 20, 10)), "the red cell", 0.9)
    for _ in range(2):  # the second time there is nothing new
        run.found_so_far({"questions": 2})
    assert not scene.objects.undo_text
    run.add(soft_disk((45, 45, 8)), "the green cell", 0.9)
    run.commit({"questions": 2})
    so_far, action = told
    assert (so_far.kind, so_far.labels, so_far.detail) == ("frames", (1,), {"questions": 2})
    ((rows, columns),) = so_far.touched
    assert (scene.labels.data[rows, columns] > 0).sum() == (scene.labels.data == 1).sum()
    assert (action.kind, action.text) == ("run", "Find “the red cell” and 1 more")
    assert action.labels == (1, 2) and action.detail == {"questions": 2}
    ((rows, columns),) = action.touched
    assert scene.labels.data[rows, columns].any() and not scene.labels.data[: rows.start].any()
    run.move_border(0.8)
    run.commit()
    assert told[-1].text == "Move the border to 0.80"
    scene.objects.undo()
    assert told[-1].kind == "undo" and run.threshold == 0.5


def test_masks_that_others_cover_can_be_given_their_pixels_afterwards() -> None:
    scene = Scene()
    scene.run(soft_disk((30, 30, 12)), phrase="old")
    old = scene.labels.data == 1
    run = scene.run(soft_disk((30, 30, 8)), soft_disk((30, 42, 6)), phrase="new")
    run.answered(run.labels, "Sure, [SEG].")
    assert run.labels == (2,) and run.overlapped == (1,)  # the first has no pixel of its own
    before = scene.labels.data.copy()
    assert run.overwrite()
    assert run.overlapped == ()
    rows = {row.label: row for row in scene.objects.rows()}
    assert [rows[label].phrase for label in sorted(rows)] == ["old", "new", "new"]
    assert rows[3].answer == "Sure, [SEG]."
    assert (scene.labels.data[old] == 1).sum() < old.sum()
    assert rows[1].area == (scene.labels.data == 1).sum()
    scene.objects.undo()
    np.testing.assert_array_equal(scene.labels.data, before)
    assert [row.label for row in scene.objects.rows()] == [1, 2]


def change(scene: Scene, label: int, **fields: Any) -> None:
    with scene.objects.step("change", "Change") as step:
        step.change(label, **fields)


def test_what_the_user_said_stays_while_the_border_moves() -> None:
    scene = Scene()
    run = scene.run(soft_disk((30, 30, 10)))
    change(scene, 1, note="mitosis", status="accepted", phrase="the dividing cell")
    for threshold in (0.8, 0.3):
        run.move_border(threshold)
        run.commit()
    (row,) = scene.objects.rows()
    assert (row.note, row.status, row.phrase) == ("mitosis", "accepted", "the dividing cell")
    assert row.area == (scene.labels.data == 1).sum()


@pytest.mark.parametrize("whose", [1, 2])
def test_the_border_of_locked_objects_and_over_them_stays(whose: int) -> None:
    scene = Scene()
    scene.run(soft_disk((30, 30, 12)))
    run = scene.run(soft_disk((30, 42, 12)), replace=True)
    change(scene, whose, locked=True)
    before = scene.labels.data.copy()
    told: list[Any] = []
    scene.objects.refused.connect(told.append)
    run.threshold_changed.connect(told.append)
    run.move_border(0.1)
    assert not run.commit()
    np.testing.assert_array_equal(scene.labels.data, before)
    assert told == [f"The border stays: object {whose} is locked.", 0.5]


def test_what_is_locked_meanwhile_is_not_overwritten() -> None:
    scene = Scene()
    scene.run(soft_disk((30, 30, 12)))
    run = scene.run(soft_disk((30, 42, 12)))
    change(scene, 1, locked=True)
    before = scene.labels.data == 1
    run.overwrite()
    np.testing.assert_array_equal(scene.labels.data == 1, before)


def test_overwriting_is_undone_to_the_border_before() -> None:
    scene = Scene()
    scene.run(soft_disk((30, 30, 12)))
    run = scene.run(soft_disk((30, 30, 8)), soft_disk((30, 42, 8)))
    at_half = scene.labels.data.copy()
    run.move_border(0.2)
    run.commit()
    run.overwrite()
    for _ in range(2):
        scene.objects.undo()
    np.testing.assert_array_equal(scene.labels.data, at_half)
    assert run.threshold == 0.5
    scene.objects.redo()
    assert run.threshold == 0.2


def test_covered_parts_keep_their_own_labels() -> None:
    scene = Scene()
    scene.run(soft_disk((15, 15, 10)), phrase="old")
    parts = soft_disk((15, 15, 6), (15, 45, 6))  # the first lies wholly under the old one
    run = scene.run(parts, soft_disk((45, 45, 8)), phrase="new", split=True)
    run.answered(run.labels, "Sure, [SEG].")
    assert run.labels == (3, 4)
    assert scene.state() == ([1, 3, 4], [1, 3, 4], [1, 3, 4])
    assert run.overwrite()
    assert run.labels == (2, 3, 4)
    assert {row.answer for row in scene.objects.rows() if row.label > 1} == {"Sure, [SEG]."}
    where = {label: scene.labels.data[at] for label, at in ((2, (15, 15)), (4, (45, 45)))}
    assert where == {2: 2, 4: 4}


def test_what_is_undone_during_a_run_does_not_come_back_with_its_undo() -> None:
    scene = Scene()
    scene.run(soft_disk((30, 30, 12)))
    run = scene.start(replace=True)
    run.add(soft_disk((30, 42, 12)), "the cell", 0.9)
    scene.objects.undo()
    run.commit()
    scene.objects.undo()
    assert not scene.labels.data.any() and not scene.objects.rows()


def test_a_run_ends_when_the_layer_gets_another_array() -> None:
    scene = Scene()
    run = scene.run(soft_disk((30, 30, 12)))
    scene.labels.data = np.zeros((8, 8), dtype=np.int32)
    assert not scene.objects.undo()  # its steps belong to the array before
    run.move_border(0.2)
    assert not run.commit() and not run.overwrite()
    with pytest.raises(LayerLost, match="replaced"):
        run.add(soft_disk((5, 5, 3), shape=(8, 8)), "the cell", 0.9)
    run.close()
    assert not scene.labels.data.any()
