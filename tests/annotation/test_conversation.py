"""The conversation keeps what was said, and says what the next question is asked along with."""

from __future__ import annotations

from dataclasses import replace

from napari_sa2va.annotation import Conversation, Turn
from napari_sa2va.annotation.conversation import (
    CHAT,
    Home,
    carried,
    name_objects,
    with_chips,
)
from napari_sa2va.annotation.growing import Growing
from napari_sa2va.annotation.session.log import turn_detail, turn_from


def test_an_answer_grows_and_settles() -> None:
    conversation = Conversation()
    conversation.say("you", "the red cell")
    conversation.say("Sa2VA")
    conversation.extend("Sure, ")
    assert conversation.extend("[SEG].").text == "Sure, [SEG]."
    turn = conversation.settle("Sure, ■ 1.", [1], note="Cut.")
    assert conversation.turns[-1] == turn
    assert (turn.labels, turn.note) == ((1,), "Cut.")
    assert [turn.speaker for turn in conversation.turns] == ["you", "Sa2VA"]
    assert len(conversation.turns) == 2


def test_masks_in_an_answer_are_named() -> None:
    assert name_objects("<p>A cell</p> [SEG] by [SEG].", [(4,), (5, 6)]) == "A cell ■ 4 by ■ 5, 6."
    assert name_objects("[SEG]", [()]) == "(nothing new)"
    assert name_objects("[SEG]", [tuple(range(1, 31))]) == "■ 1 to 30 (30)"
    assert name_objects("There is none.", []) == "There is none."
    assert name_objects("One.\n\n- two  three", None) == "One. - two three"


def named(answer: str, labels: list[tuple[int, ...]] | None) -> list[tuple[str, tuple[int, ...]]]:
    text, chips = with_chips(answer, labels)
    return [(text[chip.start : chip.stop], chip.labels) for chip in chips]


def test_chips_cover_phrases_and_labels() -> None:
    answer = "The image shows <p> two  red cells </p> [SEG] and <p>a green one</p> [SEG] ."
    assert named(answer, [(1, 2), (3,)]) == [
        ("two red cells ■ 1, 2", (1, 2)),
        ("a green one ■ 3", (3,)),
    ]
    assert named("<p> a </p> is beside [SEG]", [(1,)]) == [("■ 1", (1,))], "not its phrase"
    assert named("<p> a </p> [SEG]", [()]) == [("a (nothing new)", ())]
    assert named("Sure, [SEG].", None) == [("■", ())]


def test_masks_that_were_not_made_before_it_stopped_are_left_open() -> None:
    text, chips = with_chips("<p>a</p> [SEG], <p>b</p> [SEG], [SEG", [(4,)], stopped=True)
    assert (text, [chip.labels for chip in chips]) == ("a ■ 4, b ■, [SEG", [(4,), ()])
    assert named("<p>  </p>[SEG] a", [(4,)]) == [("■ 4", (4,))], "a phrase of nothing"


def test_an_answer_that_grows_is_read_once_and_shown_as_it_will_be() -> None:
    answer = "\n  <p> A <cell </p>  [SEG]  [x]\n\n  - <p>b</p>\n    [SEG] a  b<p>c</p> [SEG].  \n"
    growing, shown = Growing(), ""
    for stop in range(len(answer) + 1):
        new = growing.take(answer[:stop])
        assert not any(mark in new for mark in ("[S", "<p", "</")), "no half of a mark"
        shown += new
    assert shown == growing.shown == with_chips(answer, None)[0]


def test_lines_of_an_answer_stay() -> None:
    text, chips = with_chips(
        "\n Cells:\n\n- <p>red</p> [SEG]\n    - **<p>green</p>** [SEG]", [(1,), ()]
    )
    assert text == "Cells:\n\n- red ■ 1\n    - **green** (nothing new)"
    assert [text[chip.start : chip.stop] for chip in chips] == ["red ■ 1", "green** (nothing new)"]


def chat(*said: str, about: str = "cells") -> list[Turn]:
    """Questions and answers in turn; an empty answer was never finished."""
    speakers = ("you", "demo")
    return [
        Turn(speakers[at % 2], text, raw=text, kind=CHAT, about=about if at % 2 == 0 else "")
        for at, text in enumerate(said)
    ]


def sent(turns: list[Turn], about: str = "cells") -> list[str]:
    return [question.raw for question, _ in carried(turns, range(len(turns)), about)]


def test_what_the_next_question_is_asked_along_with() -> None:
    turns = chat("one?", "1", "two?", "", "three?", "3")
    assert sent(turns) == ["one?", "three?"], "an unfinished answer is no part of it"
    assert sent(turns, "cells · z 3") == [], "the model will not see what these were about"
    words = Turn("you", "the red cell", raw="Please segment …", kind="segment")
    assert sent([*turns, words, Turn("demo", "Sure.", raw="Sure.", kind="segment")]) == sent(turns)
    assert sent([*turns[:4], replace(turns[4], aside=True), replace(turns[5], aside=True)]) == [
        "one?"
    ]
    again = chat("four?", "4")
    assert sent([*turns, replace(again[0], begins=True), again[1]]) == ["four?"]
    many = chat(*[f"{at}?" for at in range(80)])
    assert sent(many)[-1] == "78?" and len(sent(many)) == 16
    assert len(sent(chat("a" * 9000, "b" * 9000, "c", "d"))) == 1


def test_turns_are_told_apart_by_their_images() -> None:
    conversation = Conversation(chat("one?", "1", "two?", "2"))
    for at in (0, 1):
        conversation.homes[at] = Home(frozenset({"a"}))
    assert conversation.about_images(frozenset({"a", "c"})) == [0, 1, 2, 3]
    assert conversation.about_images(frozenset({"b"})) == [2, 3]
    assert conversation.set_aside([1, 2]) == [1, 2]
    assert conversation.set_aside([2, 3]) == [3]


def test_turns_come_back_from_a_session_and_so_do_those_of_earlier_versions() -> None:
    text, chips = with_chips("<p>a cell</p> [SEG]", [(4,)])
    turn = Turn("demo", text, (4,), chips, "raw [SEG]", CHAT, "t 3", (1, 2), "Cut.", True, True)
    assert turn_from(turn_detail(turn)) == turn
    assert turn_from({"speaker": "you", "text": "Where?"}) == Turn("you", "Where?")
    assert turn_detail(Turn("you", "Where?")) == {"speaker": "you", "text": "Where?"}
    assert turn_from({"speaker": "x", "text": "y", "chips": [[0, 9, [1]]]}).chips == ()
