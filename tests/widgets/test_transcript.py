"""What a model says, shown: safe, readable in both themes, and never in the way of the window."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QColor, QGuiApplication, QTextDocument

from napari_sa2va.annotation import Turn
from napari_sa2va.annotation.conversation import Chip, with_chips
from napari_sa2va.widgets.chat_colours import (
    READABLE,
    chip_colours,
    contrast,
    dimmed,
    link_colour,
)
from napari_sa2va.widgets.chat_fonts import FontCheck, sentence
from napari_sa2va.widgets.chat_markdown import CHIP, LINK, rendered
from napari_sa2va.widgets.chat_turns import Look
from napari_sa2va.widgets.transcript import Transcript
from tests.gui.mouse import move_mouse

if TYPE_CHECKING:
    from collections.abc import Iterator

HOSTILE = (
    "<script>alert(1)</script> <img src='file:///etc/passwd'> <b onclick='x()'>bold</b>\n"
    "![p](file:///etc/passwd) ![q](http://example.org/track.png 'title') <iframe src=x></iframe>\n"
    "[run](javascript:alert(1)) [f](file:///etc/passwd) [c](chip:0) [d](data:text/html,x) "
    "<http://example.org/a?b=c> www.example.org\n"
    "\ue000not a chip\ue001 \x00 [SEG"
)


def pieces(document: QTextDocument) -> Iterator[tuple[str, Any]]:
    block = document.begin()
    while block.isValid():
        at = block.begin()
        while not at.atEnd():
            yield at.fragment().text(), at.fragment().charFormat()
            at += 1
        block = block.next()


def test_the_empty_conversation_says_what_it_is_for_in_a_narrow_dock(qapp: Any) -> None:
    view = Transcript()
    room = 280 - 2 * view.document().documentMargin()  # of a dock of 320 pixels
    assert 0 < view.fontMetrics().horizontalAdvance(view.placeholderText()) < room


def test_nothing_in_an_answer_is_more_than_text(qapp: Any) -> None:
    text, chips = with_chips(f"<p>a cell</p> [SEG]\n{HOSTILE}", [(4,)])
    document = rendered(text, chips)
    shown = document.toPlainText()
    for literal in ("<script>alert(1)</script>", "<img src=", "<b onclick", "<iframe"):
        assert literal in shown, "HTML is shown as it was written"
    assert "\ufffc" not in shown and "[picture: p]" in shown and "[picture: q]" in shown
    formats = [(piece, format_) for piece, format_ in pieces(document)]
    assert not any(format_.isImageFormat() for _, format_ in formats)
    anchors = [(t, f.anchorHref()) for t, f in formats if f.isAnchor()]
    assert [(t, a) for t, a in anchors if a.startswith(CHIP)] == [("a cell ■ 4", f"{CHIP}0")]
    others = [a for _, a in anchors if not a.startswith(CHIP)]
    assert len(others) == 6 and all(a.startswith(LINK) for a in others)
    assert f"{LINK}javascript:alert(1)" in others and f"{LINK}chip:0" in others
    assert document.loadResource(2, "file:///etc/passwd") is None


@pytest.mark.parametrize(
    "text",
    [">" * 9000, "> " * 4000 + "x", "[" * 9000, "*a " * 3000, "`a" * 4000, "1. " * 3000 + "x"],
    ids=["quotes", "deep quotes", "brackets", "stars", "ticks", "deep lists"],
)
def test_markdown_made_to_be_slow_is_not(qapp: Any, text: str) -> None:
    start = time.process_time()
    rendered(text)
    assert time.process_time() - start < 1.0


def test_markdown_is_shown_and_chips_stay_where_they_are(qapp: Any) -> None:
    answer = (
        "😀 **<p>red *cells*</p>** [SEG]\nnext line\n\n# Head\n\n- one <p>x</p> [SEG]\n  - two\n\n"
        "| a | b |\n|---|---|\n| 1 | <p>in a table</p> [SEG] |\n\n```\n<b>code</b>\n```"
    )
    text, chips = with_chips(answer, [(1,), (2,), (3,)])
    document = rendered(text, chips)
    lines = document.toPlainText().splitlines()
    assert lines[:3] == ["😀 red cells ■ 1", "next line", "Head"]
    assert "<b>code</b>" in lines
    found: dict[str, str] = {}
    for piece, format_ in pieces(document):
        if format_.anchorHref().startswith(CHIP):
            found[format_.anchorHref()] = found.get(format_.anchorHref(), "") + piece
    assert list(found.values()) == ["red cells ■ 1", "x ■ 2", "in a table ■ 3"]
    assert "title: x" in rendered("---\ntitle: x\n---\nhi").toPlainText()


def test_what_markdown_leaves_out_moves_no_chip(qapp: Any) -> None:
    table = "| a |\n|---|\n| x | <p>cell</p> [SEG] |\n\nthen <p>a dog</p> [SEG]"
    found = [
        (piece, format_.anchorHref())
        for piece, format_ in pieces(rendered(*with_chips(table, [(1,), (2,)])))
        if format_.isAnchor()
    ]
    assert found == [("a dog ■ 2", f"{CHIP}1")]


@pytest.mark.parametrize(("base", "text"), [("#121212", "#f0f1f2"), ("#ffffff", "#3b3a39")])
def test_chips_are_readable_in_both_themes(base: str, text: str) -> None:
    ground = QColor(base)
    shades = [0.0, 0.25, 0.5, 0.75, 1.0]
    worst = min(
        contrast(*chip_colours((red, green, blue), ground))
        for red in shades
        for green in shades
        for blue in shades
    )
    assert worst >= READABLE
    assert contrast(dimmed(QColor(text), ground), ground) >= READABLE
    assert contrast(link_colour(ground), ground) >= READABLE


@pytest.fixture
def view(qtbot: Any) -> Transcript:
    view = Transcript()
    qtbot.addWidget(view)
    view.resize(320, 400)
    view.show()
    return view


def chatter(count: int) -> list[Turn]:
    text, chips = with_chips("I see <p>a cell</p> [SEG], and **more**.\n\n- a\n- b", [(1,)])
    return [
        Turn("you", f"Question {at // 2}?", raw="q", kind="chat")
        if at % 2 == 0
        else Turn("demo", text, (1,), chips, raw="a", kind="chat")
        for at in range(count)
    ]


def ends_in_chip() -> tuple[str, tuple[int, ...], tuple[Chip, ...]]:
    text, chips = with_chips("It is <p>a cell</p> [SEG]", [(1,)])
    return text, (1,), chips


def test_chips_follow_their_objects_and_the_mouse(view: Transcript, qtbot: Any) -> None:
    turns = chatter(4)
    colours: list[Look | None] = [Look((1.0, 0.0, 0.0))]
    view.looks = lambda number: colours
    view.show_turns(enumerate(turns))
    chip = view._shown[1].chips[0].cursor
    assert chip.selectedText() == "a cell ■ 1"
    red = chip.charFormat().background().color()
    assert red.red() > red.green()
    colours[0] = Look(None)
    view.refresh_chips()
    assert chip.charFormat().fontStrikeOut()
    # A chip at the end of an answer takes in neither the note nor the turns below it.
    view.add_turn(4, Turn("demo", *ends_in_chip(), note="A note."))
    view.add_turn(5, turns[0])
    assert [one.cursor.selectedText() for one in view._shown[4].chips] == ["a cell ■ 1"]
    colours[0] = Look((0.0, 1.0, 0.0), current=True)
    view.refresh_chips()
    assert not chip.charFormat().fontStrikeOut() and chip.charFormat().fontUnderline()

    view.verticalScrollBar().setValue(0)
    at = chip.__class__(chip)
    at.setPosition(chip.selectionStart() + 2)
    place = view.cursorRect(at).center()
    with qtbot.waitSignal(view.chip_entered) as entered:
        move_mouse(view.viewport(), place)
    assert entered.args == [1, 0]
    with qtbot.waitSignal(view.chip_clicked) as clicked:
        qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert clicked.args == [1, 0]
    assert view.turn_at(QPointF(5, 5).toPoint()) == 0
    view.copy_turn(1)
    assert QGuiApplication.clipboard().text() == turns[1].text
    view.verticalScrollBar().setValue(view.verticalScrollBar().maximum())
    view.show_chip(1, 0)
    rect = view.cursorRect(at)
    assert rect.top() >= 0 and rect.bottom() <= view.viewport().height()


def test_the_buttons_of_a_turn_cover_no_chip(view: Transcript) -> None:
    """They stand beside a line that leaves room; where all is chips, there are none."""
    view.looks = lambda number: [Look((1.0, 0.0, 0.0))] * 40
    said = "<p>so many words that they need all of a line and then some</p> [SEG]"
    text, chips = with_chips(f"{said} {said}\nEnd.", [(1,), (2,)])
    full, more = with_chips(" ".join([said] * 12), [(at,) for at in range(1, 13)])
    view.show_turns(enumerate([Turn("demo", text, (1, 2), chips), Turn("demo", full, (1,), more)]))
    view.verticalScrollBar().setValue(0)
    buttons = view._buttons
    view._offer(view.turn_at(QPoint(20, 12)))  # as the mouse does
    assert buttons.isVisible() and view.turn_at(buttons.pos()) == 0
    covered = buttons.geometry()
    assert not any(
        view.anchorAt(QPoint(x, y))
        for x in range(covered.left(), covered.right(), 3)
        for y in range(covered.top(), covered.bottom(), 3)
    )
    last = covered.top()
    view.change(0, replace(view._shown[0].turn, text="Short.", chips=()))
    assert buttons.isVisible() and buttons.geometry().top() < last, "they go with the text"
    view.verticalScrollBar().setValue(view.verticalScrollBar().maximum() // 2)
    view._offer(view.turn_at(QPoint(20, 100)))
    if buttons.isVisible():
        assert not view.anchorAt(buttons.geometry().center())


def test_turns_are_written_anew_in_their_place(view: Transcript) -> None:
    turns = chatter(6)
    view.looks = lambda number: [Look((1.0, 0.0, 0.0))]
    view.show_turns(enumerate(turns))
    before = view.toPlainText()
    view.change(2, replace(turns[2], aside=True))
    view.change(1, replace(turns[1], note="Said: 5."))
    changed = view.toPlainText()
    assert "Set aside" in changed and "Said: 5." in changed
    view.change(2, turns[2])
    view.change(1, turns[1])
    assert view.toPlainText() == before
    view.add_turn(6, replace(turns[0], begins=True))
    assert "New conversation" in view.toPlainText()
    assert view._shown[5].chips[0].cursor.selectedText() == "a cell ■ 1"


def longest_step(steps: Iterator[None]) -> float:
    """Return the seconds of this thread's own time that the longest of some steps takes."""
    longest = 0.0
    while True:
        start = time.thread_time()
        if next(steps, "end") == "end":
            return longest
        longest = max(longest, time.thread_time() - start)


def test_long_answers_and_long_conversations_do_not_stop_the_window(
    view: Transcript, qapp: Any
) -> None:
    view.looks = lambda number: [Look((1.0, 0.0, 0.0))] * 200
    view.show_turns(enumerate(chatter(200)))
    said = "The image shows <p> a large cell </p> [SEG] beside **another** one.\n\n" * 150
    assert len(said) > 10_000
    text, chips = with_chips(said, [(1,)] * 150)

    def steps() -> Iterator[None]:
        view.add_turn(200, Turn("demo", ""))
        yield
        for end in range(0, len(said), 200):  # as often as the timer lets it
            view.grow(200, said[:end])
            view._grow()
            qapp.processEvents()
            yield
        view.change(200, Turn("demo", text, (1,), chips))
        qapp.processEvents()
        yield
        bar = view.verticalScrollBar()
        for part in range(40):
            bar.setValue(bar.maximum() * part // 40)
            qapp.processEvents()
            yield

    assert longest_step(steps()) < 0.5
    one = " ".join(said.split())  # in one line: what is laid out anew stays small
    view.add_turn(201, Turn("demo", ""))
    for end in range(0, len(one), 100):
        view.grow(201, one[:end])
        view._grow()
    view.copy_turn(201)
    assert len(QGuiApplication.clipboard().text()) > 7_000, "what there is so far"
    assert view.document().lastBlock().length() < 2_000
    assert len(view._shown[200].chips) == 150
    assert "[SEG]" not in view.toPlainText()


def test_a_missing_font_is_named_once(view: Transcript) -> None:
    check = FontCheck(view.font())
    assert check.missing("Größe: 5 µm² at 20 °C ■ and\n\t“quotes”") == ""
    missing = check.missing("a \U00013000 b")  # Egyptian: in no font of an ordinary system
    if missing:
        assert missing == "\U00013000"
        assert "no font for \U00013000 (Egyptian)" in sentence(missing)
    assert check.missing("\U00013000") == "", "said once"
    assert "Chinese characters, Hiragana" in sentence("細い")
