"""A region painted with the mouse and put into words, with the demo checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication

from napari_sa2va.engine import Runner
from napari_sa2va.samples import SAMPLE_SEED, cells
from napari_sa2va.samples.scenes import make_scene

if TYPE_CHECKING:
    from collections.abc import Iterator

# The first run imports torch and transformers.
WAIT = 180_000
LEFT, NO_KEY = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


@pytest.fixture
def dock(make_napari_viewer: Any, qtbot: Any) -> Iterator[Any]:
    from napari_sa2va.widgets import Sa2VAWidget

    viewer, runner = make_napari_viewer(show=True), Runner()
    data, arguments, _ = cells()[0]
    viewer.add_image(data, **arguments)
    widget = Sa2VAWidget(viewer, runner)
    viewer.window.add_dock_widget(widget, name="Sa2VA")
    yield widget
    widget.controller.close()
    qtbot.waitUntil(lambda: not runner.busy, timeout=WAIT)
    runner.unload()


def paint(dock: Any, qtbot: Any, start: Any, stop: Any) -> None:
    """Drag the mouse from a pixel of the image to another."""
    viewer = dock._viewer
    canvas = viewer.window._qt_viewer.canvas.native

    def place(at: Any) -> QPointF:
        world = np.asarray(viewer.layers[0].data_to_world(at))
        size = np.array(viewer.canvas.size)
        row, column = (
            world - viewer.scene.camera.center[-2:]
        ) * viewer.scene.camera.zoom + size / 2
        return QPointF(QPoint(round(column), round(row)))

    first, last = place(start), place(stop)
    qtbot.mousePress(canvas, LEFT, NO_KEY, first.toPoint())
    for part in np.linspace(0, 1, 6):
        at = first + (last - first) * float(part)
        kind, none = QEvent.Type.MouseMove, Qt.MouseButton.NoButton
        there = canvas.mapToGlobal(at)
        QApplication.sendEvent(canvas, QMouseEvent(kind, at, there, none, LEFT, NO_KEY))
        qtbot.wait(20)  # napari looks at the mouse every 5 ms
    qtbot.mouseRelease(canvas, LEFT, NO_KEY, last.toPoint())


def test_a_stroke_is_put_into_words_and_into_its_row(dock: Any, qtbot: Any) -> None:
    scene = make_scene(SAMPLE_SEED)
    number = next(i for i, cell in enumerate(scene.cells) if cell.size == "large")
    cell, mask = scene.cells[number], scene.masks()[number]
    rows, columns = np.nonzero(mask)
    middle = (rows.min() + rows.max()) / 2, (columns.min() + columns.max()) / 2

    qtbot.mouseClick(dock.ask.describe, LEFT)
    qtbot.keyClick(dock, Qt.Key.Key_N, Qt.KeyboardModifier.AltModifier)
    (layer,) = (one for one in dock._viewer.layers if one.name.endswith("regions"))
    layer.brush_size = int(np.ptp(rows) * 0.8)
    paint(dock, qtbot, middle, (middle[0], middle[1] + 4))
    assert (layer.data == 1)[mask].mean() > 0.5

    qtbot.keyClick(dock.ask.composer, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: dock.controller.busy, timeout=5000)
    qtbot.waitUntil(lambda: not dock.controller.busy, timeout=WAIT)
    (row,) = dock.objects.objects.rows()
    assert dock.objects.objects.labels is layer
    assert cell.color in row.description
    assert row.description in dock.ask.transcript.toPlainText()
    assert dock.objects.model.rowCount() == 1

    # One line of time for the stroke and the words.
    dock.objects.commands.undo()
    assert layer.data.any()
    assert dock.objects.objects.rows() == []
    dock.objects.commands.redo()
    assert [one.description for one in dock.objects.objects.rows()] == [row.description]
