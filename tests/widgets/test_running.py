"""Run, cancel and fail: what a user sees, with real clicks."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from napari.layers import Labels
from qtpy.QtCore import Qt

from napari_sa2va.annotation.session import load
from napari_sa2va.engine import MaskFound, ModelReady, QuestionDone
from napari_sa2va.errors import CheckpointError, NotEnoughMemory

# napari asks scikit-image not to warn of this, in a way that another thread can undo meanwhile.
pytestmark = pytest.mark.filterwarnings("ignore:Conversion from CIE-LAB")


def labels_of(dock: Any) -> Labels:
    (layer,) = (layer for layer in dock._viewer.layers if isinstance(layer, Labels))
    return layer


def transcript(dock: Any) -> list[str]:
    return dock.ask.transcript.toPlainText().splitlines()


def test_an_expression_becomes_a_label(dock: Any, run: Any, runner: Any, picture: Any) -> None:
    run("the green disk")
    labels = labels_of(dock)
    green = picture[..., 1] > 128
    assert np.mean((labels.data == 1) == green) > 0.99
    assert labels.features["phrase"][1] == "the green disk"
    assert labels.features["answer"][1] == "Sure, [SEG]."
    assert labels.features["model"][1] == "demo"
    assert transcript(dock) == ["you  the green disk", "demo  Sure, ■ 1."]
    assert [row.label for row in dock.objects.objects.rows()] == [1]
    captions = dock.objects.objects.captions.layer
    assert list(captions.text.values) == ["1 · the green disk"]
    request = runner.requests[0]
    assert request.questions[0].text == "Please segment the green disk in this image."
    assert request.model.name == "demo"
    assert runner.threads.isdisjoint({threading.get_ident()})
    assert dock.messages.text == ""
    assert "ready on cpu" in dock.model.state.text()
    assert dock._viewer.layers.selection.active is labels


def test_lines_are_objects_and_one_undo_step(dock: Any, run: Any) -> None:
    run("the red disks\n\nthe green disk\nthe blue disk")
    labels = labels_of(dock)
    assert set(np.unique(labels.data)) == {0, 1, 2, 3}
    labels.undo()
    assert not labels.data.any()
    assert dock.objects.model.rowCount() == 0
    labels.redo()
    assert dock.objects.model.rowCount() == 3


def test_the_layer_grows(dock: Any, run: Any) -> None:
    run("the red disks")
    run("the blue disk")
    assert set(np.unique(labels_of(dock).data)) == {0, 1, 2}


def test_a_label_for_each_part(dock: Any, run: Any) -> None:
    dock.options.split.setCurrentIndex(1)
    run("the red disks")
    assert set(np.unique(labels_of(dock).data)) == {0, 1, 2}
    assert transcript(dock)[-1] == "demo  Sure, ■ 1, 2."


def test_a_question_goes_word_for_word(dock: Any, run: Any, runner: Any) -> None:
    dock.ask.ask.click()
    run("What is red here?")
    assert runner.requests[0].text == "What is red here?"
    assert runner.requests[0].looked_at == (0,)
    assert transcript(dock)[0] == "you  What is red here?"
    assert dock.ask.text == "What is red here?"
    dock.ask.segment.click()  # a question is no expression
    assert dock.ask.text == ""
    dock.ask.composer.undo()
    assert dock.ask.text == "What is red here?"


def test_not_found_gives_the_models_words_and_no_layer(dock: Any, run: Any) -> None:
    run("the purple disk")
    assert dock.messages.level == "warning"
    assert "Not found: “the purple disk”" in dock.messages.text
    assert "There is no such thing." in dock.messages.text
    assert not any(isinstance(layer, Labels) for layer in dock._viewer.layers)


def test_unknown_words_are_named(dock: Any, run: Any) -> None:
    run("the red zzebra")
    assert "The demo model does not know the word “zzebra”" in dock.messages.text


def test_an_answer_that_was_cut_off_is_told(dock: Any, run: Any, runner: Any) -> None:
    runner.complete = False
    run("the red disks")
    assert dock.messages.level == "warning"
    assert "cut off" in dock.messages.text


def test_the_cache_is_as_large_as_the_settings_say(dock: Any, runner: Any) -> None:
    assert runner.cache_bytes == 2048 * 10**6


def test_the_same_phrase_twice_warns_first(dock: Any, run: Any, runner: Any, qtbot: Any) -> None:
    run("the red disks")
    before = labels_of(dock).data.copy()
    run("The red disks.")
    assert "“The red disks.” is label 1" in dock.messages.text
    assert len(runner.requests) == 1
    assert np.array_equal(labels_of(dock).data, before)
    assert dock.messages.button.isVisibleTo(dock)
    qtbot.mouseClick(dock.messages.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not dock.controller.busy)
    assert len(runner.requests) == 2
    assert "has labels already" in dock.messages.text or "all of it" in dock.messages.text
    labels_of(dock).undo()  # what an undo took away is not there already
    run("the red disks")
    assert len(runner.requests) == 3


def test_nothing_typed_starts_nothing(dock: Any, run: Any, runner: Any) -> None:
    run(" \n ")
    assert dock.messages.level == "error"
    assert "Type what to segment" in dock.messages.text
    assert runner.requests == []


def test_no_image(dock: Any, run: Any, runner: Any) -> None:
    dock._viewer.layers.clear()
    run("the red disk")
    assert "There is no image to look at" in dock.messages.text
    assert runner.requests == []
    assert not dock._viewer.layers


def test_three_dimensional_view(dock: Any, run: Any, runner: Any) -> None:
    dock._viewer.add_image(np.zeros((4, 16, 16)))
    dock._viewer.dims.ndisplay = 3
    run("the red disk")
    assert "3-D mode" in dock.messages.text
    assert runner.requests == []


def test_data_without_a_picture(dock: Any, run: Any) -> None:
    # Complex images are refused too, but napari itself fails to open them.
    dock._viewer.layers.clear()
    dock._viewer.add_image(np.full((16, 16), np.nan), name="nothing", contrast_limits=(0, 1))
    run("the red disk")
    assert dock.messages.level == "error"
    assert not any(isinstance(layer, Labels) for layer in dock._viewer.layers)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (CheckpointError("shard 2 is damaged"), "shard 2 is damaged"),
        (NotEnoughMemory("too little memory"), "too little memory"),
        (RuntimeError("CUDA error: unspecified launch failure"), "unspecified launch failure"),
        (MemoryError(), "MemoryError"),
        (ValueError("surprise"), "ValueError"),
    ],
)
def test_what_fails_is_said_and_the_next_run_works(
    dock: Any, run: Any, runner: Any, error: Exception, words: str
) -> None:
    runner.error = error
    run("the red disk")
    assert dock.messages.level == "error"
    assert words in dock.messages.text
    assert dock.ask.run.isEnabled()
    assert not any(isinstance(layer, Labels) for layer in dock._viewer.layers)
    runner.error = None
    run("the red disk")
    assert dock.messages.text == ""
    assert labels_of(dock).data.any()


def test_cancel_keeps_what_was_found(dock: Any, run: Any, runner: Any, qtbot: Any) -> None:
    runner.paused_at = lambda event: isinstance(event, QuestionDone) and event.index == 0
    run("the red disks\nthe green disk", wait=False)
    qtbot.waitUntil(runner.reached.is_set)
    qtbot.waitUntil(lambda: dock.objects.model.rowCount() == 1)  # shown before the run is over
    assert not dock.ask.run.isEnabled()
    qtbot.mouseClick(dock.ask.cancel, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not dock.controller.busy)
    assert "Cancelled. What was found before is kept." in dock.messages.text
    labels = labels_of(dock)
    assert set(np.unique(labels.data)) == {0, 1}
    labels.undo()
    assert not labels.data.any()
    assert dock.ask.run.isEnabled()
    assert not dock.ask.cancel.isEnabled()


def test_one_run_at_a_time(dock: Any, run: Any, runner: Any, qtbot: Any) -> None:
    runner.paused_at = lambda event: isinstance(event, MaskFound)
    run("the red disks", wait=False)
    qtbot.waitUntil(runner.reached.is_set)
    dock.run()
    assert "A run is under way" in dock.messages.text
    assert len(runner.requests) == 1
    runner.go_on.set()
    qtbot.waitUntil(lambda: not dock.controller.busy)


@pytest.mark.parametrize("which", ["image", "labels"])
def test_a_layer_deleted_in_mid_run(
    dock: Any, run: Any, runner: Any, qtbot: Any, which: str
) -> None:
    runner.paused_at = lambda event: isinstance(event, QuestionDone) and event.index == 0
    run("the red disks\nthe green disk", wait=False)
    qtbot.waitUntil(runner.reached.is_set)
    qtbot.waitUntil(lambda: dock.objects.model.rowCount() == 1)
    labels = labels_of(dock)
    viewer = dock._viewer
    viewer.layers.remove(viewer.layers["disks"] if which == "image" else labels)
    qtbot.waitUntil(lambda: not dock.controller.busy)
    assert f"The {which}" in dock.messages.text
    assert (labels in viewer.layers) == (which == "image")
    assert len([layer for layer in viewer.layers if isinstance(layer, Labels)]) == (
        which == "image"
    )
    assert runner.finished == 1


def test_a_layer_deleted_before_a_run_has_found_anything_is_shown_no_more(
    dock: Any, run: Any, runner: Any, qtbot: Any
) -> None:
    run("the red disks")
    runner.paused_at = lambda event: isinstance(event, ModelReady)
    run("the purple disk", wait=False)
    qtbot.waitUntil(runner.reached.is_set)
    dock._viewer.layers.remove(labels_of(dock))
    assert dock.controller.busy
    assert (dock.objects.objects, dock.objects.model.rowCount()) == (None, 0)
    runner.go_on.set()
    qtbot.waitUntil(lambda: not dock.controller.busy)
    assert dock.objects.objects is None


def test_an_array_replaced_in_mid_run(dock: Any, run: Any, runner: Any, qtbot: Any) -> None:
    runner.paused_at = lambda event: isinstance(event, QuestionDone) and event.index == 0
    run("the red disks\nthe green disk", wait=False)
    qtbot.waitUntil(runner.reached.is_set)
    qtbot.waitUntil(lambda: dock.objects.model.rowCount() == 1)
    labels = labels_of(dock)
    labels.data = np.zeros_like(labels.data)  # as another plugin does
    runner.go_on.set()
    qtbot.waitUntil(lambda: not dock.controller.busy)
    assert "its data was replaced" in dock.messages.text
    assert not labels.data.any()
    run("the blue disk")
    assert labels.data.any() and dock.objects.model.rowCount() == 1


def test_another_model_chosen_in_mid_run(dock: Any, run: Any, runner: Any, qtbot: Any) -> None:
    runner.paused_at = lambda event: isinstance(event, MaskFound)
    run("the red disks", wait=False)
    qtbot.waitUntil(runner.reached.is_set)
    dock.model.name = "ByteDance/Sa2VA-InternVL3-2B"
    qtbot.waitUntil(lambda: not dock.controller.busy)
    assert "The model was changed" in dock.messages.text


def test_a_model_that_goes_on_with_a_tracking_is_not_taken_for_the_chosen_one(
    dock: Any, runner: Any
) -> None:
    demo, runner.bytes_held = dock.model.choice, 1
    dock.model.name = "ByteDance/Sa2VA-InternVL3-2B"
    ready = ModelReady("napari-sa2va demo checkpoint", "cpu", "float32", 1)
    for told in (dock.controller.model_ready, dock.correct.correcting.refining.ready):
        told.emit(ready, demo)
        assert "ready" not in dock.model.state.text()
        told.emit(ready, dock.model.choice)
        assert "ready on cpu" in dock.model.state.text()


def test_viewer_closed_in_mid_run(
    make_napari_viewer: Any, runner: Any, picture: Any, qtbot: Any
) -> None:
    from napari_sa2va.widgets import Sa2VAWidget

    viewer = make_napari_viewer()
    viewer.add_image(picture)
    dock = Sa2VAWidget(viewer, runner)
    viewer.window.add_dock_widget(dock)
    controller = dock.controller
    runner.paused_at = lambda event: isinstance(event, QuestionDone) and event.index == 0
    dock.ask.composer.setPlainText("the red disks\nthe green disk")
    with qtbot.captureExceptions() as exceptions:
        dock.run()
        worker = controller._run.worker
        qtbot.waitUntil(runner.reached.is_set)
        session, found = dock.session.path, labels_of(dock).data.copy()
        with qtbot.waitSignal(worker.finished, timeout=5000):
            viewer.close()
            del dock
        qtbot.wait(100)
    assert not exceptions
    assert runner.finished == 1  # the generator was closed: the runner's lock is free
    state = load(session)
    np.testing.assert_array_equal(state.labels(), found)
    assert [row.phrase for row in state.records] == ["the red disks"]


def test_napari_aborts_a_worker_and_the_runner_is_free(
    dock: Any, run: Any, runner: Any, qtbot: Any
) -> None:
    runner.paused_at = lambda event: isinstance(event, MaskFound)
    run("the red disks", wait=False)
    qtbot.waitUntil(runner.reached.is_set)
    dock.controller._run.worker.quit()  # as napari does when its window closes
    runner.go_on.set()
    qtbot.waitUntil(lambda: not dock.controller.busy)
    assert runner.finished == 1


def test_progress_stands_in_the_activity_dock(dock: Any, run: Any, runner: Any, qtbot: Any) -> None:
    from napari.utils import progress

    runner.paused_at = lambda event: isinstance(event, MaskFound)
    run("the red disks\nthe green disk", wait=False)
    qtbot.waitUntil(runner.reached.is_set)
    qtbot.waitUntil(lambda: dock.ask.stage.text().startswith("1 of 2"))
    assert any("Sa2VA" in str(bar.desc) for bar in progress._all_instances)
    assert dock.ask.progress.isVisibleTo(dock)
    runner.go_on.set()
    qtbot.waitUntil(lambda: not dock.controller.busy)
    assert not dock.ask.progress.isVisibleTo(dock)


def test_layers_are_touched_in_the_gui_thread_only(dock: Any, run: Any) -> None:
    threads = set()
    dock._viewer.layers.events.inserted.connect(lambda: threads.add(threading.get_ident()))
    run("the red disks")
    labels_of(dock).events.set_data.connect(lambda: threads.add(threading.get_ident()))
    run("the green disk")
    assert threads == {threading.get_ident()}


def test_results_can_go_into_a_layer_of_the_users(dock: Any, run: Any) -> None:
    own = dock._viewer.add_labels(np.zeros((96, 96), dtype=np.uint16), name="mine")
    own.data[:4, :4] = 12
    dock.options.target.setCurrentIndex(dock.options.target.findText("mine"))
    run("the green disk")
    assert set(np.unique(own.data)) == {0, 12, 13}
    assert [layer for layer in dock._viewer.layers if isinstance(layer, Labels)] == [own]


def test_two_docks_share_the_objects(dock: Any, run: Any, runner: Any, qtbot: Any) -> None:
    from napari_sa2va.widgets import Sa2VAWidget

    other = Sa2VAWidget(dock._viewer, runner)
    qtbot.addWidget(other)
    run("the green disk")
    other._on_source()
    assert other.objects.objects is dock.objects.objects
    other.controller.close()
    other.source.close_connections()


def again(dock: Any, qtbot: Any) -> None:
    """Ask for the red disks once more, whatever is there."""
    assert dock.controller.ask(replace(dock.asked(), text="the red disks"), again=True)
    qtbot.waitUntil(lambda: not dock.controller.busy)


def test_overlaps_are_kept_replaced_or_asked_about(dock: Any, run: Any, qtbot: Any) -> None:
    run("the red disks")
    labels = labels_of(dock)
    area = np.count_nonzero(labels.data == 1)
    half = np.argwhere(labels.data == 1)[: area // 2]
    labels.data_setitem(tuple(half.T), 7)  # an object of the user's, on half of it
    dock.options.overlap.setCurrentIndex(2)
    again(dock, qtbot)
    assert "overlaps objects 1, 7" in dock.messages.text
    assert np.count_nonzero(labels.data == 2) == 0  # nothing was free
    dock.messages.button.click()
    found = labels.data.max()
    assert np.count_nonzero(labels.data == found) == area and found > 7
    assert [row.phrase for row in dock.objects.objects.rows()] == ["the red disks"]
    dock.objects.objects.undo()
    assert np.count_nonzero(labels.data == 7) == area // 2


def test_a_locked_object_is_not_replaced_nor_painted(dock: Any, run: Any, qtbot: Any) -> None:
    run("the red disks")
    labels, objects = labels_of(dock), dock.objects.objects
    with objects.step("lock", "Lock 1") as step:
        step.change(1, locked=True)
    before = labels.data.copy()
    dock.options.overlap.setCurrentIndex(1)
    again(dock, qtbot)
    np.testing.assert_array_equal(labels.data, before)
    labels.fill(tuple(np.argwhere(before == 1)[0]), 5)
    np.testing.assert_array_equal(labels.data, before)
    assert "1 is locked" in dock.messages.text
