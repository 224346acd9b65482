"""A conversation over the sample scene with the demo checkpoint, from typing to chips and objects.

What the checkpoint gets wrong is shown as it is: all that is asserted follows from what it said.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QTextCursor

from napari_sa2va.annotation.conversation import with_chips
from napari_sa2va.engine import CAPTION_QUESTION, QuestionDone, Runner
from napari_sa2va.samples import SAMPLE_SEED, cells
from napari_sa2va.samples.scenes import make_scene
from tests.gui.mouse import move_mouse

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from napari_sa2va.engine import ChatRequest, Event

# The first run imports torch and transformers.
WAIT = 180_000
LEFT = Qt.MouseButton.LeftButton


class Heard(Runner):
    """The real runner; keeps what it was asked and what it answered."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[ChatRequest] = []
        self.answers: list[QuestionDone] = []

    def run(self, request: Any, cancelled: threading.Event) -> Iterator[Event]:
        self.requests.append(request)
        for event in super().run(request, cancelled):
            if isinstance(event, QuestionDone):
                self.answers.append(event)
            yield event


@pytest.fixture
def dock(make_napari_viewer: Any, qtbot: Any) -> Iterator[Any]:
    from napari_sa2va.widgets import Sa2VAWidget

    viewer, runner = make_napari_viewer(show=True), Heard()
    data, arguments, _ = cells()[0]
    viewer.add_image(data, **arguments)
    widget = Sa2VAWidget(viewer, runner)
    viewer.window.add_dock_widget(widget, name="Sa2VA")
    yield widget
    widget.controller.close()
    qtbot.waitUntil(lambda: not runner.busy, timeout=WAIT)
    runner.unload()


def wait(dock: Any, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: dock.controller.busy, timeout=10_000)
    qtbot.waitUntil(lambda: not dock.controller.busy, timeout=WAIT)


def test_a_conversation_with_the_demo_checkpoint(dock: Any, qtbot: Any) -> None:
    runner, viewer, view = dock._runner, dock._viewer, dock.ask.transcript
    masks = make_scene(SAMPLE_SEED).masks()
    qtbot.mouseClick(dock.ask.ask, LEFT)
    qtbot.keyClick(dock, Qt.Key.Key_N, Qt.KeyboardModifier.AltModifier)
    (regions,) = (one for one in viewer.layers if one.name.endswith("regions"))
    for label, mask in enumerate(masks[:2], start=1):
        regions.data_setitem(np.nonzero(mask), label)

    for text in (
        "Please describe this image.",
        "How many cells are in this image?",
        "What is the difference between region1 and region2?",
    ):
        dock.ask.composer.setPlainText(text)
        qtbot.keyClick(dock.ask.composer, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
        wait(dock, qtbot)
    qtbot.mouseClick(dock.ask.bar.caption, LEFT)
    wait(dock, qtbot)
    dock.ask.composer.setPlainText("Please segment the large red cell in this image.")
    qtbot.mouseClick(dock.ask.run, LEFT)
    wait(dock, qtbot)

    assert len(runner.answers) == 5, dock.messages.text
    assert runner.requests[3].text == CAPTION_QUESTION
    assert [len(request.before) for request in runner.requests] == [0, 1, 2, 3, 4]
    assert [one.answer for one in runner.requests[4].before] == [
        done.raw for done in runner.answers[:4]
    ]
    # The regions of the question that pointed some out stay in view.
    assert [len(request.regions) for request in runner.requests] == [0, 0, 2, 2, 2]

    turns = dock.controller.conversation.turns
    assert len(turns) == 10
    objects = dock.objects.objects
    there = set() if objects is None else {row.label for row in objects.rows()}
    for number, done in enumerate(runner.answers):
        question, answer = turns[2 * number], turns[2 * number + 1]
        assert question.text == runner.requests[number].text
        assert len(answer.chips) == done.masks
        text, chips = with_chips(done.answer, [chip.labels for chip in answer.chips])
        assert answer.text.startswith(text) and answer.chips == chips
        assert set(answer.labels) <= there
        assert answer.raw == done.raw
        shown = view._shown[2 * number + 1].chips
        assert len(shown) == done.masks
        for drawn, chip in zip(shown, chips, strict=True):
            assert drawn.cursor.selectedText() == text[chip.start : chip.stop]
            assert chip.labels == () or drawn.look.colour is not None
    # What it says in a conversation, it may get wrong; on its own it finds this one.
    qtbot.mouseClick(dock.ask.bar.new, LEFT)
    qtbot.mouseClick(dock.ask.run, LEFT)
    wait(dock, qtbot)
    assert runner.requests[5].before == ()
    assert "New conversation" in view.toPlainText()
    objects = dock.objects.objects
    number, chip, label = next(
        (at, place, one.labels[0])
        for at, turn in enumerate(turns)
        for place, one in enumerate(turn.chips)
        if one.labels
    )

    # From the chip to the object. The text may still move: the mouse goes after it.
    objects.labels.selected_label = 0
    view.show_chip(number, chip)
    steps = itertools.count()

    def on_the_chip() -> QPoint:
        cursor = QTextCursor(view._shown[number].chips[chip].cursor)
        cursor.setPosition(cursor.selectionStart())
        place = view.cursorRect(cursor).center()
        return QPoint(place.x() + 3 + next(steps) % 2, place.y())

    def pointed_at() -> bool:
        move_mouse(view.viewport(), on_the_chip())
        return any(one.name == "Pointed at" and one.visible for one in viewer.layers)

    qtbot.waitUntil(pointed_at)
    qtbot.mouseClick(view.viewport(), LEFT, pos=on_the_chip())
    assert objects.labels.selected_label == label
    assert viewer.layers.selection.active is objects.labels
