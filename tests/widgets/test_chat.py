"""Talking in the dock: several turns, chips and their objects, edits, captions, counts."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication

from napari_sa2va.annotation.ready_questions import BLANK, write_questions
from napari_sa2va.annotation.session import load, read_entries
from napari_sa2va.engine import CAPTION_QUESTION, ChatRequest, Exchange, MaskFound, TextChunk
from napari_sa2va.errors import InvalidInput

# napari asks scikit-image not to warn of this, in a way that another thread can undo meanwhile.
pytestmark = pytest.mark.filterwarnings("ignore:Conversion from CIE-LAB")

CAPTION = "I see <p> a **green** disk </p> [SEG]\nand <p>a blue one</p> [SEG] ."


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_SA2VA_DATA_FOLDER", str(tmp_path / "data"))


@pytest.fixture
def open_dock(runner: Any, qtbot: Any) -> Any:
    """Return a function that opens the dock on an image, in a viewer without a canvas."""
    from napari_sa2va.widgets import Sa2VAWidget

    docks = []

    def open_dock(image: np.ndarray, **arguments: Any) -> Any:
        viewer = ViewerModel()
        viewer.add_image(image, **arguments)
        docks.append(Sa2VAWidget(viewer, runner))
        qtbot.addWidget(docks[-1])
        docks[-1].resize(320, 900)
        docks[-1].show()
        return docks[-1]

    yield open_dock
    runner.go_on.set()
    for dock in docks:
        dock.controller.close()
        qtbot.waitUntil(lambda dock=dock: not dock.controller.busy, timeout=5000)
        dock.session.close_session()
        dock._closing()


@pytest.fixture
def dock(open_dock: Any, picture: np.ndarray) -> Any:
    return open_dock(picture, name="disks")


@pytest.fixture
def run(dock: Any, qtbot: Any) -> Any:
    def run(text: str, wait: bool = True) -> None:
        dock.ask.composer.setPlainText(text)
        dock.ask.run.click()
        if wait:
            # The first run imports napari's parts for labels.
            qtbot.waitUntil(lambda: not dock.controller.busy, timeout=90_000)

    return run


def look_at(dock: Any, name: str) -> None:
    image = dock.source.image
    image.setCurrentIndex(image.findText(name, Qt.MatchFlag.MatchStartsWith))
    dock._on_source()


def looks(dock: Any, number: int) -> list[Any]:
    return dock.ask.transcript.looks(number)


def test_a_caption_becomes_chips_and_objects(dock: Any, run: Any, runner: Any, qtbot: Any) -> None:
    viewer, view = dock._viewer, dock.ask.transcript
    runner.answer = CAPTION
    dock.ask.bar.caption.click()
    qtbot.waitUntil(lambda: not dock.controller.busy, timeout=90_000)
    (request,) = runner.requests
    assert isinstance(request, ChatRequest)
    assert (request.text, request.looked_at, request.before) == (CAPTION_QUESTION, (0,), ())

    objects = dock.objects.objects
    labels = objects.labels
    assert [row.label for row in objects.rows()] == [1, 2]
    turn = dock.controller.conversation.turns[1]
    assert turn.text == "I see a **green** disk ■ 1\nand a blue one ■ 2 ."
    assert [chip.labels for chip in turn.chips] == [(1,), (2,)]
    shown = [chip.cursor.selectedText() for chip in view._shown[1].chips]
    assert shown == ["a green disk ■ 1", "a blue one ■ 2"]
    assert turn.raw == CAPTION

    def colour(chip: int) -> np.ndarray:
        look = looks(dock, 1)[chip]
        return np.array(look.colour)

    np.testing.assert_allclose(colour(0), labels.get_color(1)[:3], atol=0.01)
    with objects.step("recolour", "Recolour") as step:
        step.change(1, color="#ff8000")
    np.testing.assert_allclose(colour(0), (1.0, 0.5, 0.0), atol=0.01)
    before = view._shown[1].chips[0].look
    qtbot.waitUntil(lambda: view._shown[1].chips[0].look != before)

    view.chip_entered.emit(1, 0)  # the mouse is over it: test_transcript moves one
    (layer,) = (one for one in viewer.layers if one.name == "Pointed at")
    assert layer.visible
    inside = np.zeros_like(labels.data, bool)
    corner = np.round(layer.translate).astype(int)
    rows, columns = np.nonzero(np.asarray(layer.data))
    inside[rows + corner[0], columns + corner[1]] = True
    np.testing.assert_array_equal(inside, labels.data == 1)
    assert viewer.layers.selection.active is labels
    view.chip_entered.emit(-1, -1)
    assert not layer.visible

    labels.selected_label = 1
    shown_chips: list[tuple[int, int]] = []
    view.show_chip = lambda *chip: shown_chips.append(chip)
    view.chip_clicked.emit(1, 1)
    assert labels.selected_label == 2 and viewer.layers.selection.active is labels
    assert [look.current for look in looks(dock, 1)] == [False, True]
    assert shown_chips == [], "the text stays where it was clicked"
    dock.objects.table.choose(1)
    assert shown_chips == [(1, 0)], "an object that is chosen in the table is found in the text"

    dock.objects.table.choose(2)
    dock.objects.commands.delete()
    assert looks(dock, 1)[1].colour is None
    view.chip_clicked.emit(1, 1)
    assert labels.selected_label == 2, "what is gone cannot be gone to"
    objects.undo()
    assert looks(dock, 1)[1].colour is not None
    labels.show_selected_label = True
    assert all(sum(look.colour) > 0.2 for look in looks(dock, 1)), "its own colour, not black"
    labels.show_selected_label = False

    turns, gone, layer_gone = view.numbers, weakref.ref(objects), weakref.ref(labels)
    viewer.layers.remove(labels)
    assert [look.colour for look in looks(dock, 1)] == [None, None]
    view.chip_clicked.emit(1, 0)
    view.chip_entered.emit(1, 0)
    viewer.layers.append(labels)  # as it was: its chips are back, and nothing is said twice
    qtbot.waitUntil(lambda: all(look.colour for look in looks(dock, 1)), timeout=10_000)
    assert view.numbers == turns
    viewer.layers.remove(labels)
    viewer.layers.selection.clear()  # napari remembers the last one
    del objects, labels, step, layer

    def deleted() -> bool:
        gc.collect()
        return gone() is None and layer_gone() is None

    # Once napari's own delayed calls about it have run, nothing that was said keeps it.
    qtbot.waitUntil(deleted, timeout=10_000)
    assert [look.colour for look in looks(dock, 1)] == [None, None]


def test_questions_go_on_from_one_another_and_can_be_edited(
    dock: Any, run: Any, runner: Any, qtbot: Any, tmp_path: Any
) -> None:
    ask, bar, view = dock.ask, dock.ask.bar, dock.ask.transcript
    ask.mode = "ask"
    runner.answer = "There are two red disks: <p>the red disks</p> [SEG]."
    run("How many red disks are there?")
    runner.answer = "They are round."
    run("What shape are they?")
    first = Exchange(
        "How many red disks are there?", "There are two red disks: <p>the red disks</p> [SEG]."
    )
    assert runner.requests[1].before == (first,)
    note = dock.controller.conversation.turns[1].note
    assert note == "Said: 2. Objects in this plane: 1 named “red disks”, 1 in all."
    assert note in view.toPlainText()
    assert bar.new.text() == "New (2)"

    # A question is edited: what came after it stays, greyed, and is not sent.
    view.edit_wanted.emit(2)
    assert ask.composer.toPlainText() == "What shape are they?"
    assert bar.editing.isVisibleTo(dock)
    run("What colour are they?")
    assert runner.requests[2].before == (first,)
    turns = dock.controller.conversation.turns
    assert [turn.aside for turn in turns] == [False, False, True, True, False, False]
    assert "Set aside" in view.toPlainText()
    assert not bar.editing.isVisibleTo(dock)
    run("And now?")
    assert [one.question for one in runner.requests[3].before] == [
        "How many red disks are there?",
        "What colour are they?",
    ]

    # Where the model cannot be loaded, nothing is set aside, and no conversation begun.
    runner.error = InvalidInput("There is no such model.")
    view.edit_wanted.emit(4)
    run("Never asked?")
    runner.error = None
    assert not any(turn.aside for turn in turns[4:]) and len(turns) == 8

    # An answer that was stopped is no part of what follows. Meanwhile another image is looked at,
    # and a session is opened: neither writes it twice, or into another turn.
    runner.paused_at = lambda event: isinstance(event, TextChunk)
    run("Stop?", wait=False)
    qtbot.waitUntil(runner.reached.is_set, timeout=30_000)
    qtbot.waitUntil(lambda: turns[9].text == "They ")
    order = view.numbers
    view.show_turns(())
    dock.chat._show_turns(order)
    view._grow()
    assert view.toPlainText().endswith("demo  They")
    dock.controller.conversation.say("demo", "Of a session.")
    dock.controller.cancel()
    qtbot.waitUntil(lambda: not dock.controller.busy)
    runner.paused_at = None
    assert "Stopped before" in turns[9].note and turns[10].text == "Of a session."
    turns.pop()
    runner.complete = False
    run("Cut?")
    assert len(runner.requests[-1].before) == 3
    assert "Cut at the greatest length" in turns[-1].note
    bar.new.click()
    assert bar.new.text() == "New"
    run("Fresh?")
    assert runner.requests[-1].before == ()
    assert "New conversation" in view.toPlainText()
    with dock.objects.objects.step("status", "Reject") as step:
        step.change(1, status="rejected")
    runner.answer = "Two."
    run("How many red disks are there?")
    assert "Said: 2. Objects in this plane: none yet" in turns[-1].note, "rejected is not counted"

    bar.copy.click()
    copied = QGuiApplication.clipboard().text()
    assert copied.startswith("you: How many red disks are there?\n\ndemo: There are two red disks")
    write_questions("Mine: How many ___ are <b>there</b>?")
    dock.ask.bar._fill_menu()
    assert bar.menu.actions()[0].text() == "Mine"
    assert "&lt;b&gt;" in bar.menu.actions()[0].toolTip(), "shown as it was written"
    bar.menu.actions()[0].trigger()
    assert ask.composer.textCursor().selectedText() == BLANK

    # Another image has a conversation of its own.
    said = view.numbers
    dock._viewer.add_image(np.zeros((32, 32), np.uint8), name="other")
    look_at(dock, "other")
    assert view.numbers == []
    runner.answer, runner.complete = "Nothing.", True
    run("What is this?")
    assert runner.requests[-1].before == ()
    look_at(dock, "disks")
    assert view.numbers == said

    # Its answer goes into its own session, whatever is looked at by then.
    runner.reached.clear()
    runner.go_on.clear()
    runner.paused_at = lambda event: isinstance(event, TextChunk)
    run("Late?", wait=False)
    qtbot.waitUntil(runner.reached.is_set, timeout=30_000)
    look_at(dock, "other")
    runner.paused_at = None
    runner.go_on.set()
    qtbot.waitUntil(lambda: not dock.controller.busy, timeout=30_000)
    asked = [entry.text for entry in read_entries(dock.session.path) if entry.kind == "asked"]
    assert asked == ["What is this?"]
    look_at(dock, "disks")
    said = view.numbers
    dock.session.close_session()
    kept = [load(path).turns for path in (tmp_path / "data" / "sessions").glob("disks*.sa2va")]
    assert kept and tuple(turns[at] for at in said) in kept, "all of it is in the image's session"


def test_what_was_found_before_it_was_stopped_has_chips_and_is_kept(
    dock: Any, run: Any, runner: Any, qtbot: Any
) -> None:
    view, turns = dock.ask.transcript, dock.controller.conversation.turns
    dock.ask.mode = "ask"
    runner.answer = "<p>a red disk</p> [SEG] and <p>a blue one</p> [SEG] too."
    runner.paused_at = lambda event: isinstance(event, MaskFound)
    run("What is there?", wait=False)
    qtbot.waitUntil(runner.reached.is_set, timeout=90_000)
    qtbot.waitUntil(lambda: dock.objects.objects is not None, timeout=30_000)
    view.copy_turn(1)
    assert QGuiApplication.clipboard().text() == "a red disk ■ and a blue one ■ too."
    dock.controller.cancel()
    qtbot.waitUntil(lambda: not dock.controller.busy, timeout=30_000)
    assert turns[1].text == "a red disk ■ 1 and a blue one ■ too."
    assert [chip.labels for chip in turns[1].chips] == [(1,), ()] and turns[1].labels == (1,)
    assert looks(dock, 1)[0].colour is not None and looks(dock, 1)[1] is None
    assert load(dock.session.path).turns[-1] == turns[1], "written when it stopped"
    (asked,) = (one for one in read_entries(dock.session.path) if one.kind == "asked")
    assert asked.text == "What is there?" and asked.detail["stopped"]


def test_a_movie_and_regions_stay_in_view(
    open_dock: Any, runner: Any, picture: np.ndarray, qtbot: Any
) -> None:
    dock = open_dock(np.stack([picture] * 9), name="film", rgb=True)
    viewer = dock._viewer

    def ask(text: str) -> Any:
        dock.ask.composer.setPlainText(text)
        dock.run()
        qtbot.waitUntil(lambda: not dock.controller.busy, timeout=90_000)
        return runner.requests[-1]

    bar = dock.ask.bar
    dock.ask.mode = "ask"
    assert bar.about.count() == 2
    viewer.dims.set_point(0, 3)
    runner.answer = "Two disks."
    request = ask("What is red here?")
    assert (request.looked_at, len(request.frames), request.before) == ((0,), 1, ())
    runner.answer = "The red one: [SEG]."
    ask("Where?")
    labels = dock.objects.objects.labels
    assert np.unique(np.nonzero(labels.data)[0]).tolist() == [3]
    assert dock.messages.button.text().startswith("Follow it through")
    assert "axis 0: 3" in dock.ask.transcript.toPlainText()

    assert bar.new.text() == "New (2)"
    viewer.dims.set_point(0, 5)
    qtbot.waitUntil(lambda: bar.new.text() == "New", timeout=5000)
    assert bar.new.isEnabled() and "none of 2 questions" in bar.new.toolTip()
    viewer.dims.set_point(0, 3)
    qtbot.waitUntil(lambda: bar.new.text() == "New (2)", timeout=5000)
    viewer.dims.set_point(0, 5)
    assert ask("And here?").before == ()
    assert "Asked on its own" in dock.messages.text, "the model does not see that plane any more"
    bar.about.setCurrentIndex(1)
    bar.frames.setValue(3)
    runner.answer = "The green one moves: [SEG]."
    request = ask("What moves?")
    assert (request.looked_at, len(request.frames)) == ((0, 4, 8), 9)
    assert np.unique(np.nonzero(labels.data == labels.data.max())[0]).tolist() == [0]
