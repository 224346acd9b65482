"""How runs begin and end, without a window of napari."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels
from psygnal import EmitLoopError

from napari_sa2va.engine import ModelChoice, ModelReady, QuestionDone
from napari_sa2va.viewer.results import results_of
from napari_sa2va.viewer.run import LabelRun
from napari_sa2va.widgets.asked import Asked, TrackOptions
from napari_sa2va.widgets.chat_following import ChatFollowing
from napari_sa2va.widgets.controller import RunController

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# napari asks scikit-image not to warn of this, in a way that another thread can undo meanwhile.
pytestmark = pytest.mark.filterwarnings("ignore:Conversion from CIE-LAB")

OTHER = 9
"""A label of somebody else's."""


@pytest.fixture
def viewer(picture: np.ndarray) -> ViewerModel:
    viewer = ViewerModel()
    viewer.add_image(picture, name="disks")
    return viewer


@pytest.fixture
def controller(viewer: ViewerModel, runner: Any, qapp: Any) -> Iterator[RunController]:
    results = results_of(viewer)
    controller = RunController(viewer, results, runner)
    yield controller
    runner.go_on.set()
    controller.close()


@pytest.fixture
def told(controller: RunController) -> list[Any]:
    told: list[Any] = []
    controller.told.connect(told.append)
    return told


@pytest.fixture
def run(controller: RunController, qtbot: Any) -> Callable[..., None]:
    def run(asked: Asked, **options: Any) -> None:
        assert controller.ask(asked, **options)
        qtbot.waitUntil(lambda: not controller.busy)

    return run


def asked(viewer: ViewerModel, text: str, mode: Any = "segment", **more: Any) -> Asked:
    return Asked(text, mode, (viewer.layers["disks"],), "whole", ModelChoice("demo", "cpu"), **more)


def labels_of(viewer: ViewerModel) -> Labels:
    return next(layer for layer in viewer.layers if isinstance(layer, Labels))


def test_a_target_that_is_deleted_while_the_model_loads_is_not_painted(
    controller: Any, viewer: Any, runner: Any, told: list[Any], qtbot: Any
) -> None:
    own = viewer.add_labels(np.zeros((96, 96), np.int32), name="mine")
    runner.paused_at = lambda event: isinstance(event, ModelReady)
    wanted = asked(viewer, "the green disk", target=own)
    assert controller.ask(wanted)
    qtbot.waitUntil(runner.reached.is_set)
    viewer.layers.remove(own)
    runner.go_on.set()
    qtbot.waitUntil(lambda: not controller.busy)
    sentence = "'mine' was deleted. Choose another layer for the result."
    assert (told[-1].level, told[-1].text) == ("error", sentence)
    assert not own.data.any()
    assert not controller.ask(wanted)
    assert told[-1].text == sentence


def test_a_move_of_the_border_that_was_not_let_go_is_a_step(
    controller: Any, viewer: Any, run: Any
) -> None:
    run(asked(viewer, "the green disk"))
    labels = labels_of(viewer)
    controller.last_run.move_border(0.9)
    moved = labels.data.copy()
    run(asked(viewer, "the blue disk"))
    objects = controller._results.of(labels)
    objects.undo()
    np.testing.assert_array_equal(labels.data, moved)
    assert objects.undo_text == "Move the border to 0.90"
    objects.undo()
    assert np.count_nonzero(labels.data) > np.count_nonzero(moved)


def test_who_leaves_in_mid_run_keeps_what_was_found(
    controller: Any, viewer: Any, runner: Any, qtbot: Any
) -> None:
    runner.paused_at = lambda event: isinstance(event, QuestionDone) and event.index == 0
    assert controller.ask(asked(viewer, "the green disk\nthe blue disk"))
    qtbot.waitUntil(runner.reached.is_set)
    labels, actions = labels_of(viewer), []
    objects = controller._results.of(labels)
    objects.done.connect(actions.append)
    controller.leave()
    assert not controller.busy
    assert [action.kind for action in actions] == ["run"]
    with objects.step("rename", "Rename 1") as step:  # as another dock of the viewer does
        step.change(1, phrase="a cell")
    assert labels.features["phrase"][1] == "a cell"
    objects.undo()
    objects.undo()
    assert not labels.data.any()
    qtbot.waitUntil(lambda: runner.finished == 1)


def test_a_run_takes_nothing_out_of_the_users_hands(
    controller: Any, viewer: Any, runner: Any, run: Any, qtbot: Any
) -> None:
    run(asked(viewer, "the green disk"))
    labels, selection = labels_of(viewer), viewer.layers.selection
    assert (selection.active, labels.selected_label) == (labels, 1)
    labels.mode, labels.selected_label = "paint", 7
    run(asked(viewer, "the red disks"))
    assert labels.selected_label == 7
    labels.mode = "pan_zoom"
    controller.correcting = lambda: True
    run(asked(viewer, "the red disks", replace=True), again=True)
    assert labels.selected_label == 7
    controller.correcting = lambda: False
    runner.paused_at = lambda event: isinstance(event, QuestionDone)
    assert controller.ask(asked(viewer, "the blue disk"))
    qtbot.waitUntil(runner.reached.is_set)
    other = viewer.add_image(np.zeros((9, 9)), name="other")
    runner.go_on.set()
    qtbot.waitUntil(lambda: not controller.busy)
    assert labels.data.max() == 4 and selection.active is other


def test_a_run_that_cannot_be_kept_or_begun_does_not_leave_the_dock_busy(
    controller: Any, viewer: Any, run: Any, told: list[Any], qtbot: Any, monkeypatch: Any
) -> None:
    def broken(*_: Any) -> None:
        raise ValueError("surprise")

    busy: list[bool] = []
    controller.busy_changed.connect(busy.append)
    with monkeypatch.context() as patch, qtbot.captureExceptions() as exceptions:
        patch.setattr(LabelRun, "commit", broken)
        run(asked(viewer, "the green disk"))
    assert [str(error) for _, error, _ in exceptions] == ["surprise"]
    assert told[-1].text == "The run failed (ValueError): surprise"
    assert labels_of(viewer).features["phrase"][1] == "the green disk"  # held back no longer
    controller.told.connect(broken)
    with pytest.raises(EmitLoopError):
        controller.ask(asked(viewer, "the blue disk"))
    controller.told.disconnect(broken)
    run(asked(viewer, "the blue disk"))
    assert busy == [True, False, False, True, False]
    assert labels_of(viewer).data.max() == 2


def through_time(viewer: Any, picture: np.ndarray, text: str, *, each: bool) -> Asked:
    """Follow through time in two planes; where results go belongs to another object."""
    viewer.layers.clear()
    viewer.add_image(np.stack([np.stack([picture] * 2)] * 2), name="disks", rgb=True)
    own = viewer.add_labels(np.full((2, 2, 96, 96), OTHER, np.int32), name="mine")
    track = TrackOptions(1, "current", "both", None, (0, 2), each=each)
    return asked(viewer, text, target=own, track=track, ask_overlap=True)


def test_what_is_to_be_told_of_each_turn_is_told_at_the_end(
    controller: Any, viewer: Any, picture: Any, runner: Any, told: list[Any], qtbot: Any
) -> None:
    wanted = through_time(viewer, picture, "the green disk\nthe purple disk", each=True)
    assert controller.ask(wanted)
    qtbot.waitUntil(lambda: len(runner.requests) == 2 and not controller.busy)
    message = told[-1]
    assert message.text.count("Not found") == 1
    assert "earlier objects in 4 planes" in message.text
    inside = np.array([0, 1]), np.array([0, 0]), np.array([29, 29]), np.array([67, 67])
    wanted.target.data_setitem(inside, 0)  # in a plane of each turn
    message.action()
    assert not wanted.target.data[inside].any()
    assert (wanted.target.data != OTHER).any(axis=(2, 3)).all()


def test_what_cannot_be_overwritten_any_more_is_told(
    viewer: Any, picture: Any, run: Any, told: list[Any]
) -> None:
    run(through_time(viewer, picture, "the green disk", each=False))
    message = told[-1]
    assert message.button == "Overwrite"
    viewer.layers.remove(viewer.layers["mine"])
    message.action()
    assert told[-1].level == "error"
    assert "'mine' was deleted" in told[-1].text


def test_to_follow_is_not_offered_in_the_place_of_to_overwrite(
    controller: Any, viewer: Any, picture: Any, runner: Any, run: Any, told: list[Any]
) -> None:
    viewer.layers.clear()
    viewer.add_image(np.stack([picture] * 2), name="disks", rgb=True)
    own = viewer.add_labels(np.zeros((2, 96, 96), np.int32), name="mine")
    own.data[:, :29] = OTHER  # half of the green disk
    runner.answer = "The green one: [SEG]."
    wanted = asked(viewer, "Where?", "ask", target=own, ask_overlap=True)
    following = ChatFollowing(viewer, controller, lambda: wanted)
    offers: list[Any] = []
    following.told.connect(offers.append)
    run(wanted)
    assert told[-1].button == "Overwrite"
    assert not offers
    run(asked(viewer, "Where?", "ask", target=own, replace=True))
    assert [offer.button for offer in offers] == ["Follow it through axis 0"]
