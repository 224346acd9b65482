"""Reviewing objects in a real window: keys on the canvas, clicks and writing in the table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QLineEdit

from napari_sa2va.annotation import ObjectRecord
from napari_sa2va.viewer.entries import NOWHERE, Entry, Spot
from napari_sa2va.viewer.results import results_of
from napari_sa2va.widgets import Sa2VAWidget
from napari_sa2va.widgets.objects_model import Column

SHIFT = Qt.KeyboardModifier.ShiftModifier
NONE = Qt.KeyboardModifier.NoModifier


@pytest.fixture
def dock(make_napari_viewer: Any, qtbot: Any) -> Any:
    """A window with an image, a Labels layer on it, and four objects in it."""
    viewer = make_napari_viewer(show=True)
    viewer.add_image(np.zeros((64, 64), np.uint8), name="cells")
    labels = viewer.add_labels(np.zeros((64, 64), np.int32), name="mine")
    dock = Sa2VAWidget(viewer)
    viewer.window.add_dock_widget(dock, name="Sa2VA")
    objects = results_of(viewer).of(labels)
    with objects.step("run", "Find") as step:
        for label, score in enumerate((0.9, 0.4, 0.7), start=1):
            record = ObjectRecord(
                label, f"cell {label}", "", score, 0.8, 0.0, "pixel", "demo", "now"
            )
            step.add(Entry(record, {(None, None): Spot(NOWHERE)}))
            box = slice(16 * label, 16 * label + 9), slice(16 * label, 16 * label + 9)
            step.paint((None, None), box, np.ones((9, 9), dtype=bool), label)
    dock.objects.show_objects(objects)
    yield dock
    dock.controller.close()


def press(dock: Any, qtbot: Any, key: Qt.Key, modifier: Any = NONE) -> None:
    """Press a key on the canvas."""
    canvas = dock._viewer.window._qt_viewer.canvas.native
    canvas.setFocus()
    qtbot.keyClick(canvas, key, modifier)


def row(dock: Any, label: int) -> ObjectRecord:
    return {record.label: record for record in dock.objects.objects.rows()}[label]


def test_a_review_by_keys_whatever_layer_is_active(dock: Any, qtbot: Any) -> None:
    viewer, objects = dock._viewer, dock.objects.objects
    press(dock, qtbot, Qt.Key.Key_R, SHIFT)
    assert dock.objects.review.count.text() == "Review: 1 of 3"
    assert objects.labels.selected_label == 2
    press(dock, qtbot, Qt.Key.Key_W)
    assert row(dock, 2).status == "rejected" and objects.labels.selected_label == 3
    viewer.layers.selection.active = viewer.layers["cells"]
    press(dock, qtbot, Qt.Key.Key_N)
    viewer.layers.selection.active = viewer.layers["cells"]
    press(dock, qtbot, Qt.Key.Key_G)
    assert row(dock, 1).status == "accepted"
    assert "Review done: 1 accepted, 1 proposed, 1 rejected." in dock.messages.text
    viewer.layers.selection.active = viewer.layers["cells"]
    press(dock, qtbot, Qt.Key.Key_U)
    press(dock, qtbot, Qt.Key.Key_U)
    assert {record.status for record in objects.rows()} == {"proposed"}
    press(dock, qtbot, Qt.Key.Key_U, SHIFT)
    assert row(dock, 2).status == "rejected"


def test_right_click_rename_and_undo(dock: Any, qtbot: Any) -> None:
    table = dock.objects.table
    at = table.visualRect(dock.objects.model.index(1, Column.PHRASE)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert dock.objects.objects.labels.selected_label == 2
    qtbot.mouseDClick(table.viewport(), Qt.MouseButton.LeftButton, pos=at)
    (field,) = table.viewport().findChildren(QLineEdit)
    field.selectAll()
    qtbot.keyClicks(field, "Wrong guess, now N")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: not table.editing)
    assert row(dock, 2).phrase == "Wrong guess, now N" and row(dock, 2).status == "proposed"
    captions = dock.objects.objects.captions.layer
    assert "2 · Wrong guess, now N" in list(captions.text.values)
    table.customContextMenuRequested.emit(QPoint(at))
    assert dock.objects.menu.isVisible()
    dock.objects.menu.close()
    qtbot.mouseClick(dock.objects.undo, Qt.MouseButton.LeftButton)
    assert row(dock, 2).phrase == "cell 2"
    press(dock, qtbot, Qt.Key.Key_F2)
    assert table.editing


def test_a_brush_leaves_a_locked_object_alone(dock: Any, qtbot: Any) -> None:
    labels = dock.objects.objects.labels
    dock.objects.table.choose(1)
    press(dock, qtbot, Qt.Key.Key_K, SHIFT)
    assert row(dock, 1).locked
    before = labels.data.copy()
    press(dock, qtbot, Qt.Key.Key_X, SHIFT)
    assert "locked" in dock.messages.text
    labels._begin_stroke()
    labels.brush_size = 40
    labels.paint((30, 30), 3)
    labels._commit_stroke()
    np.testing.assert_array_equal(labels.data == 1, before == 1)
    assert (labels.data == 3).sum() > (before == 3).sum()
