"""Following through a stack: options, frames as they come, resume, extension, bad input."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels
from qtpy.QtCore import Qt

from napari_sa2va.engine import FrameDone
from napari_sa2va.errors import CheckpointError
from napari_sa2va.viewer.store import CannotWrite
from napari_sa2va.viewer.track_run import TrackRun
from napari_sa2va.widgets.objects_model import Column

if TYPE_CHECKING:
    from collections.abc import Callable

PLANES = 6


@pytest.fixture
def picture(make_picture: Any) -> np.ndarray:
    """The disks, moving down a pixel a plane."""
    still = make_picture()
    return np.stack([np.roll(still, shift, axis=0) for shift in range(PLANES)])


@pytest.fixture
def stack(dock: Any) -> Any:
    """The dock with a stack of planes, through which it follows."""
    choose(dock, dock.stack.through, 1)
    return dock


def choose(dock: Any, combo: Any, row: int) -> None:
    """Choose as a click does: Qt tells `activated` for a user only."""
    combo.setCurrentIndex(row)
    combo.activated.emit(row)


def labels_of(dock: Any) -> Labels:
    (layer,) = (layer for layer in dock._viewer.layers if isinstance(layer, Labels))
    return layer


def planes_with(labels: Labels, label: int) -> list[int]:
    return [plane for plane in range(PLANES) if (labels.data[plane] == label).any()]


def test_a_single_image_has_no_stack_options(make_napari_viewer: Any, runner: Any) -> None:
    from napari_sa2va.widgets import Sa2VAWidget

    viewer = make_napari_viewer()
    viewer.add_image(np.zeros((20, 20)))
    dock = Sa2VAWidget(viewer, runner)
    assert not dock.stack.offers
    assert dock.asked().track is None
    assert dock.sections["Through z or time"].isHidden()
    dock.controller.close()


def test_objects_are_followed_through_all_planes(
    stack: Any, run: Callable[..., None], runner: Any, picture: np.ndarray
) -> None:
    stack._viewer.dims.set_point(0, 2)
    run("the red disks\nthe green disk")
    (request,) = runner.requests
    assert (request.keys, request.direction, request.within) == ((2,), "both", (0, PLANES))
    labels = labels_of(stack)
    assert labels.data.shape == picture.shape[:3]
    for plane in range(PLANES):
        green = picture[plane, ..., 1] > 128
        assert np.mean((labels.data[plane] == 2) == green) > 0.99
    row = stack.objects.objects.rows()[1]
    assert (row.phrase, row.first_frame, row.last_frame, row.frames) == (
        "the green disk",
        0,
        PLANES - 1,
        PLANES,
    )
    assert "Following ■ 1, ■ 2 through" in stack.ask.transcript.toPlainText()
    assert "[SEG]" not in stack.ask.transcript.toPlainText()
    labels.undo()
    assert not labels.data.any()
    assert stack.objects.model.rowCount() == 0
    labels.redo()
    assert planes_with(labels, 2) == list(range(PLANES))
    assert stack.objects.model.rowCount() == 2


@pytest.mark.parametrize(
    ("row", "text", "keys"),
    [(1, "", (0, 1, 2, 3, 5)), (2, "", (0, 1, 2, 3, 4)), (3, "1, 3-4", (1, 3, 4))],
)
def test_planes_to_look_at(
    stack: Any, run: Callable[..., None], runner: Any, row: int, text: str, keys: tuple[int, ...]
) -> None:
    choose(stack, stack.stack.keys, row)
    stack.stack.key_list.setText(text)
    run("the red disks")
    assert runner.requests[0].keys == keys


def test_options_go_into_the_request(stack: Any, run: Callable[..., None], runner: Any) -> None:
    choose(stack, stack.stack.direction, 1)
    choose(stack, stack.stack.method, 2)
    stack.stack.check.setValue(4)
    choose(stack, stack.stack.disagreement, 1)
    run("the red disks")
    request = runner.requests[0]
    assert (request.direction, request.method) == ("forward", "official")
    assert (request.check_every, request.reseed) == (4, True)


def test_cancel_keeps_what_is_done_and_resume_goes_on(
    stack: Any, run: Callable[..., None], runner: Any, qtbot: Any
) -> None:
    runner.paused_at = lambda event: isinstance(event, FrameDone) and event.done == 3
    run("the green disk", wait=False)
    qtbot.waitUntil(runner.reached.is_set, timeout=90_000)
    qtbot.waitUntil(lambda: any(isinstance(x, Labels) for x in stack._viewer.layers), timeout=5000)
    qtbot.mouseClick(stack.ask.cancel, Qt.MouseButton.LeftButton)
    runner.go_on.set()
    qtbot.waitUntil(lambda: not stack.controller.busy, timeout=5000)
    labels = labels_of(stack)
    assert len(planes_with(labels, 1)) == 3
    assert "Cancelled. What was found before is kept." in stack.messages.text
    assert stack.stack.resume.text().startswith("Resume: ")

    runner.paused_at = None
    qtbot.mouseClick(stack.stack.resume, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not stack.controller.busy, timeout=5000)
    assert planes_with(labels, 1) == list(range(PLANES))
    assert stack.stack.resume.isHidden()
    assert [row.label for row in stack.objects.objects.rows()] == [1]
    # Each run is a step.
    labels.undo()
    assert len(planes_with(labels, 1)) == 3
    labels.undo()
    assert not labels.data.any()


def test_a_longer_range_extends_the_last_run(
    stack: Any, run: Callable[..., None], runner: Any, qtbot: Any
) -> None:
    stack.stack.first.setValue(1)
    stack.stack.last.setValue(3)
    stack._viewer.dims.set_point(0, 2)
    run("the green disk")
    assert planes_with(labels_of(stack), 1) == [1, 2, 3]
    assert stack.stack.resume.isHidden()
    stack.stack.last.setValue(5)
    assert stack.stack.resume.text() == "Extend by 2 planes, 1 to 5"
    qtbot.mouseClick(stack.stack.resume, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not stack.controller.busy, timeout=5000)
    assert planes_with(labels_of(stack), 1) == [1, 2, 3, 4, 5]
    assert len(runner.requests) == 2


def test_a_run_in_one_direction_can_go_on_in_the_other(
    stack: Any, run: Callable[..., None], qtbot: Any
) -> None:
    stack._viewer.dims.set_point(0, 2)
    choose(stack, stack.stack.direction, 1)
    run("the green disk")
    assert planes_with(labels_of(stack), 1) == [2, 3, 4, 5]
    assert stack.stack.resume.isHidden()
    choose(stack, stack.stack.direction, 0)
    assert stack.stack.resume.text() == "Extend by 2 planes, 0 to 5"
    qtbot.mouseClick(stack.stack.resume, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not stack.controller.busy, timeout=5000)
    assert planes_with(labels_of(stack), 1) == list(range(PLANES))
    stack.stack.first.setValue(3)  # without the plane looked at
    assert stack.stack.resume.isHidden()


def test_a_resume_that_fails_leaves_rows_alive(
    stack: Any, run: Callable[..., None], runner: Any, qtbot: Any
) -> None:
    stack.stack.last.setValue(3)
    stack._viewer.dims.set_point(0, 2)
    run("the green disk")
    stack.stack.last.setValue(5)
    runner.error = CheckpointError("The folder is gone.")
    qtbot.mouseClick(stack.stack.resume, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not stack.controller.busy, timeout=5000)
    assert "The folder is gone." in stack.messages.text
    labels = labels_of(stack)
    assert labels.features["phrase"][1] == "the green disk"
    labels.undo()
    assert "the green disk" not in set(labels.features.get("phrase", ()))
    labels.redo()
    runner.error = None
    qtbot.mouseClick(stack.stack.resume, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not stack.controller.busy, timeout=5000)
    assert planes_with(labels, 1) == list(range(PLANES))


def test_labels_that_do_not_fit_end_the_run(
    stack: Any, run: Callable[..., None], picture: np.ndarray
) -> None:
    full = np.zeros(picture.shape[:3], np.uint8)
    full[0].flat[:255] = range(1, 256)
    target = stack._viewer.add_labels(full, name="full")
    stack.options.target.setCurrentIndex(stack.options.target.findData(target))
    run("the green disk")
    assert stack.messages.level == "error"
    assert "labels up to 255" in stack.messages.text
    assert target.data.sum() == sum(range(256))


def test_the_cost_is_said_before_and_known_after(stack: Any, run: Callable[..., None]) -> None:
    assert stack.stack.cost.text().startswith("6 planes · how long will be known after a first run")
    run("the green disk")
    assert re.search(r"6 planes · about \d s", stack.stack.cost.text())  # a busy machine is slower
    stack.stack.last.setValue(3)
    assert stack.stack.cost.text().startswith("4 planes")


def test_a_question_about_a_movie_runs_whatever_is_followed(
    make_picture: Any, runner: Any, qtbot: Any
) -> None:
    from napari_sa2va.widgets import Sa2VAWidget

    viewer = ViewerModel()
    image = np.stack([np.stack([make_picture()] * 2)] * 5)
    viewer.add_image(image, rgb=True, axis_labels=("t", "z", "y", "x"))
    dock = Sa2VAWidget(viewer, runner)
    qtbot.addWidget(dock)
    choose(dock, dock.stack.through, 2)
    assert dock.stack.axis.name == "z"
    dock.ask.mode = "ask"
    dock.ask.bar.about.setCurrentIndex(1)
    viewer.dims.set_point(0, 4)  # no plane of z
    dock.ask.composer.setPlainText("What moves?")
    dock.run()
    qtbot.waitUntil(lambda: not dock.controller.busy, timeout=90_000)
    assert runner.requests[0].looked_at == (0, 1, 2, 3, 4)
    assert dock.stack.cost.text().startswith("2 planes")
    dock.controller.close()
    dock.session.close_session()
    dock._closing()


def test_the_plane_shown_must_be_in_the_range(
    stack: Any, run: Callable[..., None], runner: Any
) -> None:
    stack._viewer.dims.set_point(0, 0)
    stack.stack.first.setValue(2)
    run("the green disk")
    assert not runner.requests
    assert stack.messages.level == "error"
    assert "The plane shown is 0" in stack.messages.text


def test_flagged_planes_are_shown_and_jumped_to(
    stack: Any, run: Callable[..., None], runner: Any, qtbot: Any
) -> None:
    runner.flagged = {1, 4}
    stack._viewer.dims.set_point(0, 2)
    run("the green disk\nthe blue disk")
    model = stack.objects.model
    shown = model.data(model.index(0, Column.PLANES), Qt.ItemDataRole.DisplayRole)
    assert shown == "0-5 ⚠2"
    tip = model.data(model.index(0, Column.PLANES), Qt.ItemDataRole.ToolTipRole)
    assert "to be looked at: 1, 4" in tip
    table = stack.objects.table
    assert not table.isColumnHidden(Column.PLANES)
    seen = []
    for row in (1, 1, 0, 0):
        cell = table.visualRect(table.model().index(row, Column.PLANES))
        qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=cell.center())
        seen.append(stack._viewer.dims.current_step[0])
    assert seen == [4, 1, 4, 1]


def test_a_deleted_layer_ends_the_run(
    stack: Any, run: Callable[..., None], runner: Any, qtbot: Any
) -> None:
    runner.paused_at = lambda event: isinstance(event, FrameDone) and event.done == 2
    run("the green disk", wait=False)
    qtbot.waitUntil(runner.reached.is_set, timeout=90_000)
    qtbot.waitUntil(lambda: any(isinstance(x, Labels) for x in stack._viewer.layers), timeout=5000)
    stack._viewer.layers.remove(labels_of(stack))
    runner.go_on.set()
    qtbot.waitUntil(lambda: not stack.controller.busy, timeout=5000)
    assert "The labels layer was deleted" in stack.messages.text
    assert stack.stack.resume.isHidden()


def test_data_that_is_replaced_ends_the_run(
    stack: Any, run: Callable[..., None], runner: Any, qtbot: Any
) -> None:
    runner.paused_at = lambda event: isinstance(event, FrameDone) and event.done == 2
    run("the green disk", wait=False)
    qtbot.waitUntil(runner.reached.is_set, timeout=90_000)
    qtbot.waitUntil(lambda: any(isinstance(x, Labels) for x in stack._viewer.layers), timeout=5000)
    labels = labels_of(stack)
    mine = np.full(labels.data.shape, 7, labels.data.dtype)
    labels.data = mine.copy()
    runner.go_on.set()
    qtbot.waitUntil(lambda: not stack.controller.busy, timeout=5000)
    assert stack.messages.level == "error"
    assert np.array_equal(labels.data, mine)


def test_a_full_disk_keeps_what_is_written_and_resume_leaves_nothing_out(
    stack: Any, run: Callable[..., None], qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, frames = TrackRun.add, []

    def full(self: TrackRun, index: int, *arguments: Any) -> None:
        frames.append(index)
        if len(frames) == 4:
            raise CannotWrite("The disk is full. Make room, then resume.")
        add(self, index, *arguments)

    stack._viewer.dims.set_point(0, 2)
    with monkeypatch.context() as patched:
        patched.setattr(TrackRun, "add", full)
        run("the green disk")
    labels = labels_of(stack)
    assert stack.messages.level == "error"
    assert "The disk is full" in stack.messages.text
    assert planes_with(labels, 1) == sorted(frames[:3])
    qtbot.mouseClick(stack.stack.resume, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not stack.controller.busy, timeout=5000)
    assert planes_with(labels, 1) == list(range(PLANES))


def test_the_same_phrase_twice_warns_first(
    stack: Any, run: Callable[..., None], runner: Any
) -> None:
    run("the green disk")
    stack._viewer.dims.set_point(0, 5)
    run("The green disk")
    assert len(runner.requests) == 1
    assert "is label 1" in stack.messages.text


def test_not_found_makes_no_layer(stack: Any, run: Callable[..., None]) -> None:
    run("the purple disk")
    assert "Not found: “the purple disk”" in stack.messages.text
    assert not any(isinstance(layer, Labels) for layer in stack._viewer.layers)


def test_each_plane_of_the_other_axis_in_turn(
    make_napari_viewer: Any, runner: Any, make_picture: Any, qtbot: Any
) -> None:
    from napari_sa2va.widgets import Sa2VAWidget

    still = make_picture()
    movie = np.stack([np.roll(still, shift, axis=0) for shift in range(3)])
    viewer = make_napari_viewer()
    viewer.add_image(np.stack([movie, movie]), rgb=True, axis_labels=("z", "t", "y", "x"))
    dock = Sa2VAWidget(viewer, runner)
    viewer.window.add_dock_widget(dock)
    choose(dock, dock.stack.through, 1)
    assert dock.stack.axis.name == "t"
    choose(dock, dock.stack.others, 1)
    assert dock.stack.cost.text().startswith("6 planes")
    dock.ask.composer.setPlainText("the green disk")
    dock.run()
    qtbot.waitUntil(lambda: len(runner.requests) == 2 and not dock.controller.busy, timeout=90_000)
    labels = labels_of(dock)
    assert [sorted(set(np.unique(labels.data[z])) - {0}) for z in range(2)] in (
        [[1], [2]],
        [[2], [1]],
    )
    dock.controller.close()
