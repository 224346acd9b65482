"""The dock ends when it is closed, and only then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QApplication

from napari_sa2va.viewer import snapshot
from napari_sa2va.widgets import Sa2VAWidget
from napari_sa2va.widgets.closing import Closing

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sa2va.viewer.objects import LabelObjects


def objects_of(dock: Sa2VAWidget) -> LabelObjects:
    image = dock._viewer.layers[0]
    objects = dock._results.prepared([image], snapshot(dock._viewer, [image]).placement)
    dock._on_source()
    return objects


def close(wrapper: Any) -> None:
    """Click on its x."""
    wrapper.title.close_button.click()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    QApplication.processEvents()


def test_closed_it_leaves_the_viewer_and_opens_again(
    dock: Any, runner: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_SA2VA_DATA_FOLDER", str(tmp_path))
    viewer, wrapper = dock._viewer, dock.parent()
    second = viewer.window.add_dock_widget(Sa2VAWidget(viewer, runner), name="second", tabify=True)
    for change in (wrapper.setFloating, wrapper.setVisible):
        change(True)
        change(False)
    wrapper.show()
    close(second)
    objects = objects_of(dock)
    objects.labels.paint((20, 20), 3)
    (recorder,) = dock.session.sessions.recorders
    assert recorder.recording.state == "saved"
    assert dock.session.sessions.images() == dock.source.images
    keys = len(viewer.keymap)
    assert keys > 30
    runner.busy = True  # so that the dock does not look ahead
    mouse = list(viewer.mouse_drag_callbacks)
    dock.correct.correcting.turn(True)
    assert viewer.mouse_drag_callbacks != mouse

    ended: list[bool] = []
    left: list[bool] = []
    dock.destroyed.connect(lambda: ended.append(True))
    monkeypatch.setattr(dock.controller, "leave", lambda: left.append(dock.session._open))
    close(wrapper)
    assert ended == [True]
    assert left == [True]  # what a run has found still goes into the session
    assert not viewer.keymap
    assert not dock.session.sessions.recorders
    assert viewer.mouse_drag_callbacks == mouse
    assert not any(layer.name.startswith("Correction") for layer in viewer.layers)
    viewer.layers.selection.active = objects.labels
    objects.labels.mode = "paint"
    objects.labels.paint((30, 30), 4)
    viewer.add_image(np.zeros((9, 9)))

    again = Sa2VAWidget(viewer, runner)
    viewer.window.add_dock_widget(again, name="Sa2VA")
    assert len(viewer.keymap) == keys
    assert len(again.session.sessions.recorders) == 1
    close(again.parent())


def test_a_part_that_fails_keeps_no_other_from_closing() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    closed: list[str] = []
    closing = Closing(lambda: closed.append("run"), fail, lambda: closed.append("log"))
    with pytest.raises(ZeroDivisionError):
        closing()
    closing()  # once is enough
    assert closed == ["run", "log"]
