"""Regions in the dock: painted, asked about, described; with a runner that answers at once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt

from napari_sa2va.annotation import ObjectRecord, ObjectTable
from napari_sa2va.engine import ModelChoice, QuestionDone
from napari_sa2va.viewer.results import results_of
from napari_sa2va.widgets.asked import Asked
from napari_sa2va.widgets.regions_part import RegionsPart

# napari asks scikit-image not to warn of this, in a way that another thread can undo meanwhile.
pytestmark = pytest.mark.filterwarnings("ignore:Conversion from CIE-LAB")


@pytest.fixture
def painted(dock: Any, qtbot: Any) -> Any:
    """Three labels in the layer that the dock makes to paint in."""
    dock.ask.describe.click()
    qtbot.mouseClick(dock.regions.panel.new, Qt.MouseButton.LeftButton)
    layer = dock._viewer.layers["disks · regions"]
    layer.data[10:40, 10:40], layer.data[20:40, 55:80], layer.data[60:64, 60:64] = 1, 2, 5
    layer.refresh()
    return layer


def lines(dock: Any) -> list[str]:
    return dock.ask.transcript.toPlainText().splitlines()


def test_regions_stand_where_they_can_be_asked_about(dock: Any) -> None:
    assert not dock.regions.panel.isVisibleTo(dock)
    for mode in ("ask", "describe"):
        dock.ask.mode = mode
        assert dock.ask.mode == mode
        assert dock.regions.panel.isVisibleTo(dock)
    assert not dock.regions.panel.layer.isEnabled()
    assert not dock.regions.panel.follow.isVisibleTo(dock)
    dock.ask.mode = "segment"
    assert not dock.regions.panel.isVisibleTo(dock)


def test_the_layer_to_paint_in_is_chosen(dock: Any, painted: Any) -> None:
    assert painted.mode == "paint"
    assert dock._viewer.layers.selection.active is painted
    assert dock.regions.choice.layer is painted
    assert dock.regions.choice.labels is None


def test_each_region_is_described_into_its_row(
    dock: Any, run: Any, runner: Any, painted: Any
) -> None:
    run("")
    (request,) = runner.requests
    assert [q.text for q in request.questions] == ["Please describe region1 in detail."] * 3
    for question, label in zip(request.questions, (1, 2, 5), strict=True):
        (mask,) = question.regions
        np.testing.assert_array_equal(mask.unpack(), painted.data == label)
    assert lines(dock) == [
        line
        for label in (1, 2, 5)
        for line in (f"you  Describe @{label}", "demo  There is no such thing.")
    ]
    objects = dock._results.of(painted)
    assert [(row.label, row.description, row.author) for row in objects.rows()] == [
        (label, "There is no such thing.", "user") for label in (1, 2, 5)
    ]
    assert dock.objects.objects is objects
    assert dock.objects.model.rowCount() == 3
    assert objects.undo_text == "Describe 3 objects"
    objects.undo()
    assert objects.rows() == []
    assert dock.messages.text == ""


def test_a_question_of_ones_own_about_the_selected_label(
    dock: Any, run: Any, runner: Any, painted: Any
) -> None:
    painted.selected_label = 2
    dock.regions.panel.which.setCurrentIndex(1)
    run("Is region1 round?")
    (question,) = runner.requests[0].questions
    assert (question.text, question.label) == ("Is region1 round?", 2)
    assert lines(dock)[0] == "you  @2: Is region1 round?"
    painted.selected_label = 9
    run("Is region1 round?")
    assert "no label 9" in dock.messages.text
    assert dock.messages.level == "error"


def test_labels_are_named_in_questions(dock: Any, run: Any, runner: Any, painted: Any) -> None:
    dock.ask.mode = "ask"
    dock.regions.panel.which.setCurrentIndex(1)  # those that are named count
    run("Is @5 like @2?")
    assert runner.requests[0].text == "Is region1 like region2?"
    assert [mask.area for mask in runner.requests[0].regions] == [16, 500]
    assert lines(dock)[0] == "you  Is @5 like @2?"
    run("Is @4 like @2?")
    assert "@4 is not there" in dock.messages.text
    dock.chat.begin_anew()
    run("What is in this image?")
    assert runner.requests[-1].regions == ()
    assert dock._results.of(painted).rows() == []


def test_shapes_are_regions_too(dock: Any, run: Any, runner: Any) -> None:
    shapes = dock._viewer.add_shapes(
        [np.array([[10, 10], [10, 30], [30, 30], [30, 10]]), np.array([[50, 50], [60, 60]])],
        shape_type=["rectangle", "ellipse"],
    )
    dock.ask.mode = "describe"
    run("")
    assert [len(q.regions) for q in runner.requests[0].questions] == [1, 1]
    assert list(shapes.features["description"]) == ["There is no such thing."] * 2
    shapes.selected_data = {1}
    dock.regions.panel.which.setCurrentIndex(1)
    run("")
    assert [question.label for question in runner.requests[1].questions] == [2]


def test_nothing_to_ask_about(dock: Any, run: Any, runner: Any, painted: Any) -> None:
    painted.data[:] = 0
    run("")
    assert "no region to ask about" in dock.messages.text
    dock._viewer.layers.remove(painted)
    run("")
    assert "There is no layer with regions" in dock.messages.text
    assert not any(request.questions for request in runner.requests)


def test_what_was_described_before_a_cancel_is_kept(
    dock: Any, run: Any, runner: Any, painted: Any, qtbot: Any
) -> None:
    runner.paused_at = lambda event: isinstance(event, QuestionDone) and event.index == 1
    run("", wait=False)
    qtbot.waitUntil(runner.reached.is_set, timeout=30_000)
    qtbot.waitUntil(lambda: len(lines(dock)) == 4)
    qtbot.mouseClick(dock.ask.cancel, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not dock.controller.busy)
    assert [row.label for row in dock._results.of(painted).rows()] == [1, 2]


def test_a_layer_that_goes_meanwhile(
    dock: Any, run: Any, runner: Any, painted: Any, qtbot: Any
) -> None:
    runner.paused_at = lambda event: isinstance(event, QuestionDone) and event.index == 1
    run("", wait=False)
    qtbot.waitUntil(runner.reached.is_set, timeout=30_000)
    dock._viewer.layers.remove(painted)
    runner.go_on.set()
    qtbot.waitUntil(lambda: not dock.controller.busy)
    assert "was deleted" in dock.messages.text


def test_the_table_describes_and_asks_again(dock: Any, run: Any, runner: Any, qtbot: Any) -> None:
    run("the red disks")
    dock.objects.table.selectRow(0)
    dock.objects.commands.describe()
    dock.objects.commands.describe()  # a run is under way
    assert "under way" in dock.messages.text
    qtbot.waitUntil(lambda: not dock.controller.busy)
    (question,) = runner.requests[1].questions
    assert question.label == 1
    (row,) = dock.objects.objects.rows()
    assert (row.phrase, row.description) == ("the red disks", "There is no such thing.")

    labels = dock.objects.objects.labels
    first = labels.data.copy()
    with dock.objects.objects.step("refine", "Spoil it") as step:
        step.paint((None, None), (slice(0, 30), slice(0, 96)), np.ones((30, 96), bool), 1)
    before = dock.objects.objects.undo_text
    dock.objects.commands.rerun()
    qtbot.waitUntil(lambda: not dock.controller.busy)
    assert runner.requests[2].questions[0].text == "Please segment the red disks in this image."
    np.testing.assert_array_equal(labels.data, first)
    assert [row.label for row in dock.objects.objects.rows()] == [1]
    assert (before, dock.objects.objects.undo_text) == ("Spoil it", "Ask again for 1")
    assert lines(dock)[-1] == "demo  Sure, ■ 1."
    dock.objects.objects.undo()
    assert labels.data[0, 50] == 1
    with dock.objects.objects.step("rename", "Rename") as step:
        step.change(1, phrase="the purple disk", locked=True)
    dock.objects.commands.rerun()
    assert "locked" in dock.messages.text
    with dock.objects.objects.step("lock", "Unlock") as step:
        step.change(1, locked=False)
    dock.objects.commands.rerun()
    qtbot.waitUntil(lambda: not dock.controller.busy)
    assert "Not found: “the purple disk”" in dock.messages.text
    assert labels.data[0, 50] == 1


def test_a_movie_that_is_chosen_is_for_questions_only(qtbot: Any) -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((3, 8, 8), np.uint8))
    data = np.zeros((3, 8, 8), np.int32)
    data[0, 2:4, 2:4] = 1
    row = ObjectRecord(1, "cell", "Sure, [SEG].", 0.9, 0.8, 4.0, "pixel", "demo", "2026-11-23")
    labels = viewer.add_labels(data, features=ObjectTable([row]).features())
    viewer.dims.set_current_step(0, 0)
    results, sent = results_of(viewer), list[Asked]()
    controller: Any = SimpleNamespace(ask=lambda asked, **_: sent.append(asked))
    asked = Asked("What moves?", "ask", (image,), "whole", ModelChoice("demo"), movie=0)
    part = RegionsPart(viewer, results, controller, lambda: asked)
    qtbot.addWidget(part.panel)
    part.describe(results.of(labels), (1,))
    part.ask_again(results.of(labels), 1)
    assert [(one.mode, one.movie) for one in sent] == [("describe", None), ("segment", None)]
