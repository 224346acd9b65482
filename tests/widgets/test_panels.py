"""The parts of the dock: what they show, what they remember, how they are worked."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QLabel,
    QScrollArea,
    QWidget,
)

from napari_sa2va.engine import QuestionDone
from napari_sa2va.viewer import timeline
from napari_sa2va.viewer.results import results_of
from napari_sa2va.widgets import Sa2VAWidget
from napari_sa2va.widgets.dock import WIDTH
from napari_sa2va.widgets.memory import DockState
from napari_sa2va.widgets.messages import (
    Message,
    already_there,
    combined,
    notes_on_answer,
    unknown_words,
)
from napari_sa2va.widgets.source_panel import SourcePanel
from napari_sa2va.zoo.abilities import Known

# napari asks scikit-image not to warn of this, in a way that another thread can undo meanwhile.
pytestmark = pytest.mark.filterwarnings("ignore:Conversion from CIE-LAB")

# --- objects ---


def click_row(dock: Any, qtbot: Any, row: int) -> None:
    table = dock.objects.table
    centre = table.visualRect(table.model().index(row, 1)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=centre)


def test_a_click_on_a_row_selects_the_label_and_goes_there(dock: Any, run: Any, qtbot: Any) -> None:
    viewer = dock._viewer
    run("the green disk\nthe blue disk")
    labels = dock.objects.objects.labels
    viewer.layers.selection.active = viewer.layers["disks"]
    click_row(dock, qtbot, 0)
    assert labels.selected_label == 1
    assert viewer.layers.selection.active is labels
    centre = viewer.scene.camera.center[-2:]
    assert labels.data[tuple(round(float(c)) for c in centre)] == 1
    click_row(dock, qtbot, 1)
    assert labels.selected_label == 2


def test_selecting_a_label_selects_its_row(dock: Any, run: Any) -> None:
    run("the green disk\nthe blue disk")
    before = dock._viewer.scene.camera.center
    dock.objects.objects.labels.selected_label = 1
    selected = dock.objects.table.selectionModel().selectedRows()
    assert [index.row() for index in selected] == [0]
    assert dock._viewer.scene.camera.center == before
    dock.objects.objects.labels.selected_label = 99
    assert not dock.objects.table.selectionModel().selectedRows()


def test_the_table_goes_to_the_plane_of_an_object(
    make_napari_viewer: Any, runner: Any, picture: Any, qtbot: Any
) -> None:
    viewer = make_napari_viewer()
    stack = np.zeros((5, *picture.shape), np.uint8)
    stack[3] = picture
    viewer.add_image(stack, rgb=True, scale=(2, 0.5, 0.5), units=("s", "um", "um"))
    dock = Sa2VAWidget(viewer, runner)
    viewer.window.add_dock_widget(dock)
    viewer.dims.set_current_step(0, 3)
    dock.ask.composer.setPlainText("the green disk")
    dock.run()
    qtbot.waitUntil(lambda: not dock.controller.busy)
    viewer.dims.set_current_step(0, 0)
    click_row(dock, qtbot, 0)
    assert viewer.dims.current_step[0] == 3
    assert dock.objects.model.headerData(3, Qt.Orientation.Horizontal) == "Area µm²"


def test_rows_can_be_sorted_by_score(dock: Any, run: Any) -> None:
    run("the red disks\nthe green disk\nthe blue disk")
    table = dock.objects.table
    table.sortByColumn(3, Qt.SortOrder.DescendingOrder)
    model = table.model()
    areas = [float(model.index(row, 3).data()) for row in range(3)]
    assert areas == sorted(areas, reverse=True)


def test_undo_and_redo_buttons(dock: Any, run: Any, qtbot: Any) -> None:
    run("the green disk")
    qtbot.mouseClick(dock.objects.undo, Qt.MouseButton.LeftButton)
    assert dock.objects.model.rowCount() == 0
    qtbot.mouseClick(dock.objects.redo, Qt.MouseButton.LeftButton)
    assert dock.objects.model.rowCount() == 1


def test_undo_over_many_planes_says_how_far_it_is(
    dock: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "_PIECE_SECONDS", 0.0)
    viewer, data = dock._viewer, np.zeros((30, 16, 16), dtype=np.int32)
    viewer.add_image(data.astype(np.uint8), name="stack")
    labels = viewer.add_labels(data, name="stack · Sa2VA")
    objects = results_of(viewer).of(labels)
    dock.objects.show_objects(objects)
    with objects.step("track", "Track") as step:
        for plane in range(30):
            step.paint((plane, None, None), (slice(2, 4), slice(2, 4)), np.ones((2, 2), bool), 1)
    panel = dock.objects
    labels.undo()  # as napari's key does
    assert objects.replaying
    assert (panel.undo.text(), panel.undo.isEnabled()) == ("0 %", False)
    qtbot.waitUntil(lambda: not objects.replaying)
    assert not data.any()
    assert panel.undo.text().startswith("Undo") and not panel.undo.isEnabled()
    qtbot.mouseClick(panel.redo, Qt.MouseButton.LeftButton)
    panel.close_tasks()  # the window goes in the middle
    assert data.any(axis=(1, 2)).all()


def test_the_threshold_slider(dock: Any, run: Any, qtbot: Any) -> None:
    assert not dock.threshold.slider.isEnabled()
    run("the green disk")
    labels = dock.objects.objects.labels
    area = np.count_nonzero(labels.data)
    slider = dock.threshold.slider
    assert slider.isEnabled()
    slider.setSliderDown(True)
    for value in (60, 70, 80, 90):
        slider.setValue(value)
    qtbot.waitUntil(lambda: np.count_nonzero(labels.data) < area)  # live
    slider.setSliderDown(False)
    qtbot.wait(100)
    small = np.count_nonzero(labels.data)
    assert dock.threshold.value.text() == "0.90"
    labels.undo()
    assert np.count_nonzero(labels.data) == area
    assert slider.value() == 50
    labels.undo()
    assert not labels.data.any()
    assert not slider.isEnabled()
    labels.redo()
    assert slider.isEnabled()
    qtbot.keyClick(slider, Qt.Key.Key_PageUp)  # a key is one step too, after a pause
    qtbot.waitUntil(lambda: small < np.count_nonzero(labels.data) < area)
    qtbot.wait(700)
    labels.undo()
    assert np.count_nonzero(labels.data) == area


def test_captions_can_be_switched_off(dock: Any, run: Any) -> None:
    run("the green disk")
    captions = dock.objects.objects.captions
    dock.options.captions.setChecked(False)
    assert len(captions.layer.data) == 0
    run("the blue disk")
    dock.options.captions.setChecked(True)
    assert len(captions.layer.data) == 2


def test_the_layer_to_write_to_stays_chosen_through_a_look_in_3d(dock: Any) -> None:
    viewer, target = dock._viewer, dock.options.target
    mine = viewer.add_labels(np.zeros((96, 96), np.int32), name="mine")
    target.setCurrentIndex(target.findText("mine"))
    for ndisplay in (3, 2):
        viewer.dims.ndisplay = ndisplay
        dock._on_source()
    assert dock.asked().target is mine
    viewer.dims.ndisplay = 3
    viewer.layers.remove(mine)
    assert dock.asked().target is None


# --- source ---


@pytest.fixture
def source(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The panel alone, and a viewer without a window; no worker draws a picture."""
    panel = SourcePanel(ViewerModel())  # pytest-qt would delete it before it is closed here
    monkeypatch.setattr(panel.thumbnail, "show_snapshot", lambda _: None)
    yield panel
    panel.close_connections()
    qtbot.wait(200)  # what is said soon is said while it is there
    panel.deleteLater()


def test_the_newest_image_is_offered_and_the_choice_stays(dock: Any) -> None:
    viewer = dock._viewer
    assert dock.source.images == (viewer.layers["disks"],)
    viewer.add_image(np.zeros((8, 8)), name="other")
    assert dock.source.images == (viewer.layers["disks"],)
    viewer.layers.remove("disks")
    assert dock.source.images == (viewer.layers["other"],)
    viewer.layers.clear()
    assert dock.source.images == ()
    assert dock.source.image.currentText() == "No image is open"


def test_channels_of_one_image_are_ticked(dock: Any, qtbot: Any) -> None:
    viewer = dock._viewer
    viewer.layers.clear()
    channels = viewer.add_image(
        np.zeros((3, 16, 16), np.uint8), channel_axis=0, name=["a", "b", "c"]
    )
    dock.source.image.setCurrentIndex(0)
    assert set(dock.source.images) == set(channels)
    dock.source.channels.item(1).setCheckState(Qt.CheckState.Unchecked)
    assert dock.source.images == (channels[0], channels[2])
    viewer.add_image(np.zeros((8, 8)), name="smaller")
    assert dock.source.channels.count() == 3
    assert dock.source.images == (channels[0], channels[2])


def test_one_image_has_no_list_of_channels(dock: Any) -> None:
    assert not dock.source.channels.isVisibleTo(dock)


def test_a_rectangle_is_looked_at(dock: Any, run: Any, runner: Any, qtbot: Any) -> None:
    source, viewer = dock.source, dock._viewer
    choice = source.look_at_choice
    choice.setCurrentIndex(choice.findData("rectangle"))
    choice.activated.emit(choice.currentIndex())
    shapes = viewer.layers["Look here"]
    assert shapes.mode == "add_rectangle"
    run("the green disk")
    assert "no rectangle" in dock.messages.text
    shapes.add_rectangles([[8, 48], [8, 90], [56, 90], [56, 48]])
    run("the green disk")
    assert runner.requests[-1].frames.shape == (49, 43)
    labels = dock.objects.objects.labels
    assert labels.data.shape == (96, 96)
    assert labels.data[round(0.3 * 96), round(0.7 * 96)] == 1
    assert source.images == (viewer.layers["disks"],)
    viewer.layers.remove(shapes)
    assert choice.currentData() == "whole"
    assert "Look here" not in viewer.layers
    run("the red disks")
    assert runner.requests[-1].frames.shape == (96, 96)


def test_a_rectangle_that_is_deleted_changes_no_other_choice(source: Any) -> None:
    choice = source.look_at_choice
    source._viewer.add_image(np.zeros((8, 8)))
    for look_at in ("rectangle", "screen"):
        choice.setCurrentIndex(choice.findData(look_at))
        choice.activated.emit(choice.currentIndex())
    source._viewer.layers.remove("Look here")
    assert source.look_at == "screen"


def test_pyramids_of_unlike_levels_are_no_channels(source: Any) -> None:
    full = np.zeros((64, 64), np.uint8)
    levels = [full, full[::2, ::2], full[::4, ::4]]
    first = source._viewer.add_image(levels, multiscale=True)
    source._viewer.add_image(levels[:2], multiscale=True)
    assert source.images == (first,)
    assert source.image.count() == 2
    third = source._viewer.add_image(levels, multiscale=True, blending="additive")
    assert source.images == (first, third)


def test_what_the_model_sees_is_shown(dock: Any, qtbot: Any) -> None:
    def colours() -> set[tuple[int, int, int]]:
        image = dock.source.thumbnail.pixmap().toImage()
        points = [(x, y) for x in range(image.width()) for y in range(image.height())]
        return {image.pixelColor(*point).getRgb()[:3] for point in points}

    qtbot.waitUntil(lambda: not dock.source.thumbnail.pixmap().isNull(), timeout=5000)
    assert {(255, 0, 0), (0, 255, 0), (0, 0, 255)} <= colours()
    assert "disks" in dock.source.title.text()
    dock._viewer.layers.clear()
    qtbot.waitUntil(lambda: dock.source.thumbnail.pixmap().isNull(), timeout=5000)


# --- model ---


def test_every_published_model_is_offered(dock: Any) -> None:
    combo = dock.model.model
    names = [combo.itemData(row) for row in range(combo.count())]
    assert names[0] == "demo"
    assert "ByteDance/Sa2VA-InternVL3-2B" in names
    qwen = next(row for row, name in enumerate(names) if "Qwen3" in name)
    assert combo.model().item(qwen).isEnabled()
    assert "Cannot be run" not in combo.itemData(qwen, Qt.ItemDataRole.ToolTipRole)


def test_a_folder_or_hub_id_can_be_typed(
    dock: Any, qtbot: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    dock.model.model.setEditText(str(tmp_path))
    dock.model.model.lineEdit().editingFinished.emit()
    assert dock.model.choice.name == str(tmp_path)
    qtbot.waitUntil(lambda: "not on this machine" in dock.model.state.text(), timeout=5000)
    told: list[str] = []
    monkeypatch.setattr(dock.correct.correcting.refining, "found_here", told.append)
    dock.model.known_changed.emit()
    assert not told
    dock.model._on_looked_up(Known(str(tmp_path), here=True))
    assert told == [str(tmp_path)]


def test_unload_says_what_it_frees(dock: Any, run: Any, runner: Any, qtbot: Any) -> None:
    assert not dock.model.unload.isEnabled()
    run("the green disk")
    assert dock.model.unload.text() == "Unload (12 MB)"
    qtbot.mouseClick(dock.model.unload, Qt.MouseButton.LeftButton)
    assert runner.bytes_held == 0
    assert not dock.model.unload.isEnabled()


# --- messages and conversation ---


def test_messages_in_words() -> None:
    assert already_there({"a": [3], "b": [1, 2]}) == (
        "Already there: “a” is label 3; “b” is labels 1, 2."
    )
    assert unknown_words(("x",), "demo") == "The demo model does not know the word “x”."
    assert unknown_words(("x", "y"), "demo").endswith("the words “x”, “y”.")


def test_what_holds_of_several_expressions_is_said_once() -> None:
    done = QuestionDone(0, "Sure, [SEG].", ((0, 0),), 1)
    notes = [Message("Cancelled.")]
    for phrase in ("a", "b"):
        notes += notes_on_answer(done, phrase, "demo", nothing_new=True, cancelled=False)
    alone = combined(notes[:2]).text
    assert alone.startswith("Cancelled.\n“a” was found")
    both = combined(notes).text
    assert both.startswith("Cancelled.\n“a”, “b” were found")
    assert both.count("are replaced") == 1


def test_a_message_can_be_closed_and_acted_upon(dock: Any, qtbot: Any) -> None:
    done = []
    dock.messages.show_message(Message("Look.", "info", "Do it", lambda: done.append(1)))
    assert dock.messages.text == "Look."
    qtbot.mouseClick(dock.messages.button, Qt.MouseButton.LeftButton)
    assert done == [1]
    assert dock.messages.text == ""
    dock.messages.show_message(Message("Look.", "error"))
    assert not dock.messages.button.isVisibleTo(dock.messages)
    qtbot.mouseClick(dock.messages.close_button, Qt.MouseButton.LeftButton)
    assert not dock.messages.isVisibleTo(dock)


# --- what is remembered ---


def test_choices_come_back(dock: Any, runner: Any, qtbot: Any) -> None:
    dock.model.name = "ByteDance/Sa2VA-InternVL3-2B"
    dock.options.split.setCurrentIndex(1)
    dock.options.overlap.setCurrentIndex(1)
    dock.options.captions.setChecked(False)
    dock.ask.ask.click()
    dock.sections["Objects"].header.click()
    dock.sections["Options"].header.click()
    again = Sa2VAWidget(dock._viewer, runner)
    qtbot.addWidget(again)
    assert again.model.name == "ByteDance/Sa2VA-InternVL3-2B"
    assert again.options.splits
    assert again.options.replaces
    assert not again.options.captions.isChecked()
    assert again.ask.mode == "ask"
    assert not again.sections["Objects"].unfolded
    assert again.sections["Options"].unfolded
    again.controller.close()
    again.source.close_connections()
    qtbot.waitUntil(lambda: "looking" not in again.model.state.text(), timeout=5000)
    qtbot.waitUntil(lambda: "looking" not in dock.model.state.text(), timeout=5000)


def test_a_broken_file_is_as_the_first_start(tmp_path: Any, monkeypatch: Any) -> None:
    path = tmp_path / "state.json"
    monkeypatch.setattr("napari_sa2va.widgets.memory._path", lambda: path)
    assert DockState.load() == DockState()
    for text in ("{", "[]", json.dumps({"model": 3, "split": "yes", "unknown": 1})):
        path.write_text(text)
        assert DockState.load() == DockState()
    DockState(model="x", folded=["Ask"]).save()
    assert DockState.load() == DockState(model="x", folded=["Ask"])
    monkeypatch.setattr("napari_sa2va.widgets.memory._path", lambda: tmp_path / "no" / "a" / "b")
    (tmp_path / "no").write_text("a file, not a folder")
    DockState().save()
    monkeypatch.setattr("napari_sa2va.widgets.memory._path", lambda: None)
    DockState(model="x").save()
    assert DockState.load() == DockState()


# --- layout and keys ---


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_nothing_is_clipped_at_320_pixels(dock: Any, run: Any, theme: str, qtbot: Any) -> None:
    dock._viewer.theme = theme
    dock._viewer.window.show()
    for section in dock.sections.values():
        section.unfold(True)
    run("the red disks\nthe green disk\na purple zzebra")
    dock.resize(WIDTH, 900)
    qtbot.wait(50)  # for the layout to settle
    inside = dock.findChild(QScrollArea).widget()
    assert inside.minimumSizeHint().width() <= WIDTH
    for child in inside.findChildren(QWidget):
        if not child.isVisible() or child.parent() is None:
            continue
        corner = child.mapTo(inside, QPoint(0, 0))
        assert corner.x() >= 0
        assert corner.x() + child.width() <= inside.width(), child.objectName() or child
        if isinstance(child, QAbstractButton | QLabel) and not isinstance(child, QComboBox):
            if getattr(child, "text", str)() and child.isVisible():
                needed = child.minimumSizeHint().width()
                assert child.width() >= min(needed, inside.width() - 12), child.text()


def test_folding_hides_and_says_what_is_inside(dock: Any) -> None:
    section = dock.sections["Image and model"]
    assert section.header.text() == "Image and model"
    section.header.click()
    assert not dock.source.isVisibleTo(dock)
    assert "disks" in section.header.text()
    assert "Demo" in section.header.text()


def test_everything_can_be_reached_with_the_tab_key(dock: Any) -> None:
    seen, widget = [], dock.ask.composer.nextInFocusChain()
    while widget is not dock.ask.composer:
        if dock.isAncestorOf(widget) and widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
            seen.append(widget)
        widget = widget.nextInFocusChain()
    seen.append(dock.ask.composer)
    for wanted in (
        dock.source.image,
        dock.source.look_at_choice,
        dock.model.model,
        dock.model.device,
        dock.ask.composer,
        dock.ask.segment,
        dock.ask.run,
        dock.objects.table,
        dock.threshold.slider,
        *(section.header for section in dock.sections.values()),
    ):
        assert wanted in seen, wanted.accessibleName()
    order = [dock.source.image, dock.ask.composer, dock.ask.run, dock.objects.table]
    start = seen.index(order[0])
    turned = seen[start:] + seen[:start]
    positions = [turned.index(widget) for widget in order]
    assert positions == sorted(positions)


def test_everything_that_takes_input_has_a_name_for_screen_readers(dock: Any) -> None:
    for kind in (QComboBox, QAbstractButton):
        for widget in dock.findChildren(kind):
            if widget.objectName().startswith("qt_"):
                continue
            if widget is dock.messages.button:  # named by each message
                continue
            name = widget.accessibleName() or getattr(widget, "text", str)()
            assert name, widget


def test_the_wheel_scrolls_the_dock_and_chooses_nothing(dock: Any) -> None:
    box, frames = dock.options.overlap, dock.ask.bar.frames
    before = box.currentIndex(), frames.value()
    for field in (box, frames):
        centre = field.rect().center()
        for turn in (120, -120):
            wheel = QWheelEvent(
                QPointF(centre),
                QPointF(field.mapToGlobal(centre)),
                QPoint(),
                QPoint(0, turn),
                Qt.MouseButton.NoButton,
                Qt.KeyboardModifier.NoModifier,
                Qt.ScrollPhase.NoScrollPhase,
                False,
            )
            QApplication.sendEvent(field, wheel)
            assert (box.currentIndex(), frames.value()) == before
    assert box.focusPolicy() == frames.focusPolicy() == Qt.FocusPolicy.StrongFocus


def test_control_enter_in_the_composer(dock: Any, runner: Any, qtbot: Any) -> None:
    dock._viewer.window.show()
    dock._viewer.window.activate()
    dock.ask.composer.setFocus()
    qtbot.waitUntil(dock.ask.composer.hasFocus)
    qtbot.keyClicks(dock.ask.composer, "the green disk")
    qtbot.keyClick(dock.ask.composer, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: len(runner.requests) == 1)
    qtbot.waitUntil(lambda: not dock.controller.busy)
    assert runner.requests[0].questions[0].phrase == "the green disk"
    assert dock.ask.composer.textCursor().selectedText() == "the green disk"
    assert "Ctrl+Enter" in dock.ask.run.text()


def test_canvas_keys_go_with_the_dock(make_napari_viewer: Any, runner: Any, qtbot: Any) -> None:
    from napari.utils.key_bindings import coerce_keybinding

    viewer = make_napari_viewer()
    dock = Sa2VAWidget(viewer, runner)
    key = coerce_keybinding("Control-Enter")
    assert key in viewer.keymap
    dock._keys.unbind()
    assert key not in viewer.keymap
    dock.controller.close()
    dock.source.close_connections()
    qtbot.addWidget(dock)
