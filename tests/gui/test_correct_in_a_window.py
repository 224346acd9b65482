"""Corrections in a real window: real clicks, drags and keys on the canvas, with the demo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication

from napari_sa2va.annotation.masks import inner_point
from napari_sa2va.engine import Runner
from napari_sa2va.samples import SAMPLE_EXPRESSIONS, cells, movie, movie_scenes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari.layers import Labels

# The first click imports torch and transformers.
WAIT = 180_000
LEFT, MIDDLE = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton
NO_KEY, SHIFT = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    """One runner for all tests here: the model is loaded once."""
    runner = Runner()
    yield runner
    runner.unload()


class Hands:
    """A dock over the sample, and a mouse on its canvas."""

    def __init__(self, viewer: Any, runner: Runner, qtbot: Any) -> None:
        from napari_sa2va.widgets import Sa2VAWidget

        self.viewer, self.qtbot = viewer, qtbot
        data, arguments, _ = cells()[0]
        self.image = viewer.add_image(data, **arguments)
        self.dock = Sa2VAWidget(viewer, runner)
        viewer.window.add_dock_widget(self.dock, name="Sa2VA")
        self.it = self.dock.correct.correcting
        self.canvas = viewer.window._qt_viewer.canvas.native
        qtbot.mouseClick(self.dock.correct.panel.correct, LEFT)
        self.idle()

    def idle(self) -> None:
        self.qtbot.waitUntil(lambda: self.it.refining._job is None, timeout=WAIT)
        QApplication.processEvents()

    def place(self, at: tuple[float, float]) -> QPoint:
        """Where a pixel of the image is on the canvas."""
        camera, size = self.viewer.scene.camera, np.array(self.viewer.canvas.size)
        world = np.asarray(self.image.data_to_world(at))
        row, column = (world - np.array(camera.center)[-2:]) * camera.zoom + size / 2
        return QPoint(round(column), round(row))

    def click(self, at: tuple[float, float], key: Any = NO_KEY) -> None:
        self.qtbot.mouseClick(self.canvas, LEFT, key, self.place(at))
        self.idle()

    def drag(
        self, start: tuple[float, float], stop: tuple[float, float], button: Any = LEFT
    ) -> None:
        first, last = (QPointF(self.place(at)) for at in (start, stop))
        self.qtbot.mousePress(self.canvas, button, NO_KEY, first.toPoint())
        for part in np.linspace(0, 1, 6):
            at = first + (last - first) * float(part)
            move = QMouseEvent(
                QEvent.Type.MouseMove,
                at,
                self.canvas.mapToGlobal(at),
                Qt.MouseButton.NoButton,
                button,
                NO_KEY,
            )
            QApplication.sendEvent(self.canvas, move)
            self.qtbot.wait(20)  # napari looks at the mouse every 5 ms
        self.qtbot.mouseRelease(self.canvas, button, NO_KEY, last.toPoint())
        self.idle()

    def press(self, key: Any, modifiers: Any = NO_KEY) -> None:
        self.canvas.setFocus()
        self.qtbot.keyClick(self.canvas, key, modifiers)
        self.idle()

    @property
    def labels(self) -> Labels:
        (layer,) = (one for one in self.viewer.layers if one.name.endswith("Sa2VA"))
        return layer


@pytest.fixture
def hands(make_napari_viewer: Any, runner: Runner, qtbot: Any) -> Iterator[Hands]:
    hands = Hands(make_napari_viewer(show=True), runner, qtbot)
    yield hands
    hands.it.close()
    hands.dock.controller.close()
    hands.idle()
    qtbot.waitUntil(lambda: not runner.busy, timeout=WAIT)


# Of the sample: in the large magenta cell, in the small green ring, and where nothing is.
CELL, OTHER, NOTHING = (75.0, 55.0), (110.0, 210.0), (235.0, 20.0)


def test_clicks_and_keys_on_the_canvas_make_an_object(hands: Hands) -> None:
    panel, before = hands.dock.correct.panel, len(hands.viewer.layers)
    hands.qtbot.keyClicks(panel.phrase, "my cell")
    hands.click(CELL)
    hands.click(NOTHING, SHIFT)
    assert (hands.it.state.marks, hands.it.state.open) == (2, True)
    marks = hands.it.drawing.marks.layer
    np.testing.assert_allclose(marks.data, [CELL, NOTHING], atol=0.5)
    assert not np.array_equal(*marks.face_color)
    assert hands.it.drawing.preview.layer.data.any()
    assert len(hands.viewer.layers) == before
    hands.press(Qt.Key.Key_Z, SHIFT)
    assert hands.it.state.marks == 1
    assert panel.candidate.text() == "1 of 3"
    hands.press(Qt.Key.Key_H)
    assert panel.candidate.text() == "2 of 3"
    hands.press(Qt.Key.Key_H, SHIFT)
    hands.press(Qt.Key.Key_K)
    painted = hands.labels.data == 1
    assert painted.any()
    assert hands.labels.features["phrase"][1] == "my cell"
    assert not hands.it.drawing.preview.layer.data.any()
    # While marks are open, napari's undo key takes them back, and the labels after that.
    hands.viewer.layers.selection.active = hands.labels
    hands.click(OTHER)
    hands.press(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert not hands.it.state.open
    assert np.array_equal(hands.labels.data == 1, painted)
    hands.press(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert not hands.labels.data.any()


def test_text_first_and_clicks_after_are_one_object(hands: Hands) -> None:
    hands.qtbot.mouseClick(hands.dock.correct.panel.correct, LEFT)
    hands.dock.ask.composer.setPlainText(SAMPLE_EXPRESSIONS[0])
    hands.qtbot.mouseClick(hands.dock.ask.run, LEFT)
    hands.qtbot.waitUntil(lambda: not hands.dock.controller.busy, timeout=WAIT)
    before = hands.labels.data.copy()
    point = hands.dock.objects.objects.point(1)
    hands.press(Qt.Key.Key_J)
    hands.click(point, SHIFT)
    assert hands.it.state.name == "■ 1"
    assert np.array_equal(hands.labels.data, before)
    # Which pixels the demo takes away is its own affair.
    if hands.it.state.empty:
        hands.press(Qt.Key.Key_J, SHIFT)
        return
    hands.press(Qt.Key.Key_K)
    assert [row.label for row in hands.dock.objects.objects.rows()] == [1]
    assert hands.labels.features["phrase"][1] == SAMPLE_EXPRESSIONS[0]


def test_the_view_can_be_moved_as_ever(hands: Hands) -> None:
    camera = hands.viewer.scene.camera
    centre, zoom = np.array(camera.center), camera.zoom
    hands.drag((100, 100), (130, 60))
    assert not hands.it.state.open
    assert np.linalg.norm(np.array(camera.center) - centre) > 5
    moved = np.array(camera.center)
    hands.press(Qt.Key.Key_0)  # drags draw boxes now
    hands.drag((60, 30), (100, 90))
    np.testing.assert_allclose(camera.center, moved)
    assert hands.it.state.marks == 1
    assert hands.it._open.marks.given[0].sides == pytest.approx((60, 30, 100, 90), abs=1)
    hands.drag((100, 100), (130, 60), MIDDLE)
    assert np.linalg.norm(np.array(camera.center) - moved) > 5
    assert hands.it.state.marks == 1
    # The second press of two quick clicks is told as a double click.
    hands.qtbot.mouseDClick(hands.canvas, LEFT, NO_KEY, hands.place(CELL))
    hands.idle()
    assert camera.zoom == pytest.approx(zoom)
    assert hands.it.state.marks >= 2


def test_the_brush_paints_and_its_paint_can_be_used(hands: Hands) -> None:
    hands.click(CELL)
    hands.press(Qt.Key.Key_K)
    labels = hands.labels
    hands.viewer.layers.selection.active = labels
    before = int((labels.data == 1).sum())
    labels.mode = "paint"
    labels.brush_size = 20
    hands.click(NOTHING)
    assert not hands.it.state.open
    assert (labels.data == 1).sum() > before
    assert "“paint”" in hands.dock.correct.panel.text.text()
    hands.qtbot.mouseClick(hands.dock.correct.panel.selected, LEFT)
    hands.qtbot.mouseClick(hands.dock.correct.panel.paint, LEFT)
    hands.idle()
    assert hands.it.state.marks == 1
    assert hands.it._open.marks.given[0].mask.area == (labels.data == 1).sum()


def test_the_panel_fits_the_dock(hands: Hands) -> None:
    panel = hands.dock.correct.panel
    hands.click(CELL)
    hands.dock.resize(320, 900)
    QApplication.processEvents()
    for button in (panel.accept, panel.reject, panel.undo, panel.positive, panel.scribble):
        text = button.fontMetrics().horizontalAdvance(button.text())
        assert button.width() >= text + 4, button.text()


def test_a_corrected_object_is_propagated_and_others_are_left(
    make_napari_viewer: Any, runner: Runner, qtbot: Any
) -> None:
    from napari_sa2va.widgets import Sa2VAWidget

    data, arguments, _ = movie()[0]
    viewer = make_napari_viewer(show=True)
    viewer.add_image(data[20:25], **arguments)
    dock = Sa2VAWidget(viewer, runner)
    viewer.window.add_dock_widget(dock, name="Sa2VA")
    viewer.dims.set_current_step(0, 2)
    part = dock.correct
    part.correcting.turn(True)
    scene = movie_scenes()[22]
    for number in (0, 1):
        row, column = inner_point(scene.masks()[number])
        world = viewer.layers[0].data_to_world((2, row, column))
        part.correcting._clicks.clicked.emit(np.asarray(world), False)
        qtbot.waitUntil(lambda: part.correcting.state.candidates > 0, timeout=WAIT)
        part.correcting.accept()
    (labels,) = (one for one in viewer.layers if one.name.endswith("Sa2VA"))
    before = labels.data.copy()
    assert dict.fromkeys(np.unique(before)[1:]) == {1: None, 2: None}
    assert part.panel.propagate_title.text() == "Propagate ■ 2 from this plane"
    qtbot.mouseClick(part.panel.forward, LEFT)
    qtbot.waitUntil(lambda: not dock.controller.busy, timeout=WAIT)
    assert dock.messages.level in ("", "info"), dock.messages.text
    assert (labels.data == 2).any(axis=(1, 2)).tolist() == [False, False, True, True, True]
    assert np.array_equal(labels.data == 1, before == 1)
    assert np.array_equal(labels.data[2] == 2, before[2] == 2)  # as it was accepted
    dock.objects.objects.undo()
    assert np.array_equal(labels.data, before)
    part.correcting.close()
    dock.controller.close()
    qtbot.waitUntil(lambda: not runner.busy, timeout=WAIT)
