from __future__ import annotations

import numpy as np
import pytest

from napari_sa2va.annotation.regions import regions_in
from napari_sa2va.engine.region_questions import (
    DESCRIBE,
    describe_questions,
    numbered_together,
    region_question,
)
from napari_sa2va.errors import InvalidInput

REGIONS = regions_in(np.array([[3, 3, 0], [7, 0, 12]]))


def test_each_region_is_described_on_its_own() -> None:
    questions = describe_questions("  ", REGIONS)
    assert [(q.text, q.regions, q.label) for q in questions] == [
        (DESCRIBE, (REGIONS[label],), label) for label in (3, 7, 12)
    ]
    assert [q.text for q in describe_questions("Is region1 round?", REGIONS)] == [
        "Is region1 round?"
    ] * 3


def test_a_text_that_names_several_is_one_question() -> None:
    text = "What is the difference between region1 and region2?"
    for ask in (describe_questions, region_question):
        (question,) = ask(text, REGIONS)
        assert question.text == text
        assert question.regions == (REGIONS[3], REGIONS[7])
        assert question.label is None
        (question,) = ask("Is @12 like @3?", REGIONS)
        assert question.text == "Is region1 like region2?"
        assert question.regions == (REGIONS[12], REGIONS[3])


def test_a_region_has_one_number_through_a_conversation() -> None:
    texts, regions = numbered_together(["Is @12 like @3?", "Why?", "And @7 like @12?"], REGIONS)
    assert texts == ("Is region1 like region2?", "Why?", "And region3 like region1?")
    assert regions == (REGIONS[12], REGIONS[3], REGIONS[7])


def test_a_question_about_one_or_all() -> None:
    (question,) = region_question("What is @7?", REGIONS)
    assert (question.text, question.label) == ("What is region1?", 7)
    (question,) = region_question("How many are round?", REGIONS)
    assert question.regions == tuple(REGIONS.values())


def test_what_is_not_there() -> None:
    with pytest.raises(InvalidInput, match="@9 is not there"):
        describe_questions("What is @9?", REGIONS)
    with pytest.raises(InvalidInput, match="speaks of region4, and there are 3"):
        region_question("Compare region1 with region4.", REGIONS)
    for ask in (describe_questions, region_question):
        with pytest.raises(InvalidInput, match="no region to ask about"):
            ask("What is region1?", {})
    with pytest.raises(InvalidInput, match="Type a question"):
        region_question(" ? ", REGIONS)
    many = regions_in(np.arange(64).reshape(8, 8))
    assert len(describe_questions("", many)) == 63
    with pytest.raises(InvalidInput, match="32 regions at a time, not 63"):
        region_question("How many are round?", many)
