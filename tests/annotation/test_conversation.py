from __future__ import annotations

from napari_sa2va.annotation import Conversation
from napari_sa2va.annotation.conversation import name_objects


def test_an_answer_grows_and_settles() -> None:
    conversation = Conversation()
    conversation.say("you", "the red cell")
    conversation.say("Sa2VA")
    conversation.extend("Sure, ")
    assert conversation.extend("[SEG].").text == "Sure, [SEG]."
    turn = conversation.settle("Sure, ■ 1.", [1])
    assert conversation.turns[-1] == turn
    assert turn.labels == (1,)
    assert turn.speaker == "Sa2VA"
    assert len(conversation.turns) == 2


def test_masks_are_named_by_their_labels() -> None:
    assert name_objects("<p>A cell</p> [SEG] by [SEG].", [(4,), (5, 6)]) == "A cell ■ 4 by ■ 5, 6."
    assert name_objects("[SEG]", [()]) == "(nothing new)"
    assert name_objects("[SEG]", [tuple(range(1, 31))]) == "■ 1 to 30 (30)"
    assert name_objects("There is none.", []) == "There is none."
