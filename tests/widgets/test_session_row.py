"""The dock records as it goes, says where, and brings sessions back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_sa2va.annotation.session import load, read_entries

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_sa2va.widgets import Sa2VAWidget


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    monkeypatch.setenv("NAPARI_SA2VA_DATA_FOLDER", str(folder))
    return folder


def only_session(folder: Path) -> Path:
    (path,) = folder.glob("sessions/*.sa2va")
    return path


def test_a_run_is_on_the_disk_with_its_conversation(
    dock: Sa2VAWidget, run: Callable[..., None], own_folder: Path
) -> None:
    assert dock.session.label.text() == "Nothing to save yet"
    run("the red disk")
    path = only_session(own_folder)
    assert dock.session.label.text().startswith("Saved ")
    assert str(path) in dock.session.label.text(), "a folder that nobody chose is named"
    state = load(path)
    objects = dock.objects.objects
    np.testing.assert_array_equal(state.labels(), objects.labels.data)
    assert list(state.records) == objects.rows()
    assert [turn.text for turn in state.turns] == [
        turn.text for turn in dock.controller.conversation.turns
    ]
    entries = {entry.n: entry for entry in read_entries(path)}
    (run_entry,) = [entry for entry in entries.values() if entry.kind == "run"]
    detail = entries[run_entry.detail["same_as"]].detail
    assert detail["request"] == "ask"
    assert detail["questions"][0]["phrase"] == "the red disk"


def test_questions_are_kept_before_there_is_any_label(
    dock: Sa2VAWidget, run: Callable[..., None], own_folder: Path
) -> None:
    dock.ask.mode = "ask"
    run("What is this?")
    assert len(dock._viewer.layers) == 1
    path = only_session(own_folder)
    assert [turn.text for turn in load(path).turns] == ["What is this?", "There is no such thing."]
    assert dock.session.label.text().startswith("Saved ")
    dock.ask.mode = "segment"
    run("the red disk")
    assert only_session(own_folder) == path, "the labels go on with the session"
    state = load(path)
    np.testing.assert_array_equal(state.labels(), dock.objects.objects.labels.data)
    assert len(state.turns) == 4
    assert [turn.text for turn in state.turns] == [
        turn.text for turn in dock.controller.conversation.turns
    ]


def test_it_comes_back_into_another_window_and_goes_on(
    dock: Sa2VAWidget,
    run: Callable[..., None],
    own_folder: Path,
    make_napari_viewer: Any,
) -> None:
    from napari_sa2va.widgets import Sa2VAWidget

    run("the red disk")
    path = only_session(own_folder)
    pixels = np.array(dock.objects.objects.labels.data)
    said = [turn.text for turn in dock.controller.conversation.turns]
    dock.session.close_session()

    viewer = make_napari_viewer()
    viewer.open(str(path), plugin="napari-sa2va")
    second = Sa2VAWidget(viewer)
    viewer.window.add_dock_widget(second)
    (recorder,) = second.session.sessions.recorders
    assert recorder.recording.path == path
    labels = recorder.objects.labels
    np.testing.assert_array_equal(labels.data, pixels)
    assert [turn.text for turn in second.controller.conversation.turns] == said
    assert said[0] in second.ask.transcript.toPlainText()
    QApplication.processEvents()
    assert list(recorder.objects.captions.layer.text.values) == ["1 · the red disk"]
    labels.paint((1, 1), 77)
    np.testing.assert_array_equal(load(path).labels(), labels.data)
    second.session.close_session()


def test_after_a_crash_the_session_is_offered(
    dock: Sa2VAWidget, run: Callable[..., None], own_folder: Path, qtbot: Any
) -> None:
    run("the red disk")
    path = only_session(own_folder)
    recorder = dock.session.sessions.recorders[0]
    labels = recorder.objects.labels
    pixels = np.array(labels.data)
    folding = recorder._folding
    dock._viewer.layers.remove(labels)
    folding._thread.join(20)
    (path / "lock").write_text("{}")  # text in a file that nobody holds: it was killed

    dock.session.offer_crashed()
    assert "ended unexpectedly" in dock.messages.text
    qtbot.mouseClick(dock.messages.button, Qt.MouseButton.LeftButton)
    (again,) = dock.session.sessions.recorders
    assert again.recording.path == path
    np.testing.assert_array_equal(again.objects.labels.data, pixels)
    assert len(dock._viewer.layers) <= 4, "the image was there already"
    dock.session.offer_crashed()
    assert dock.messages.text == ""
