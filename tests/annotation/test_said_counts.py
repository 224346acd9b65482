"""A number that was said stands beside the number of objects that there are."""

from __future__ import annotations

import pytest

from napari_sa2va.annotation.said_counts import beside, counted, number_said

PHRASES = ["the large red cell", "Red cells.", "the green cell", ""]


@pytest.mark.parametrize(
    ("question", "answer", "line"),
    [
        (
            "How many red cells are there?",
            "There are five.",
            "Said: 5. Objects in this plane: 2 named “red cells”, 4 in all.",
        ),
        (
            "Count the cells in this image.",
            "12 cells [SEG].",
            "Said: 12. Objects in this plane: 3 named “cells”, 4 in all.",
        ),
        ("How many objects do you see?", "No, only 3.", "Said: 3. Objects in this plane: 4."),
        (
            "What is the number of nuclei?",
            "None.",
            "Said: 0. Objects in this plane: 0 named “nuclei”, 4 in all.",
        ),
        (
            "How many visible cells are there?",
            "Five.",
            "Said: 5. Objects in this plane: 3 named “visible cells”, 4 in all.",
        ),
        (
            "How many in-focus cells do you see?",
            "Five.",
            "Said: 5. Objects in this plane: 0 named “in-focus cells”, 4 in all.",
        ),
        ("How many cells are there?", "Many.", ""),
        ("How many are there?", "Five.", ""),
        ("How many do you see?", "Five.", ""),
        ("How many in this image?", "Five.", ""),
        ("What is in this image?", "Three cells.", ""),
        ("Wie viele Zellen sind das?", "3", ""),
    ],
)
def test_what_stands_beside_an_answer(question: str, answer: str, line: str) -> None:
    assert beside(question, answer, PHRASES) == line


def test_without_objects_nothing_is_counted() -> None:
    assert "nothing was counted" in beside("How many cells are there?", "Two.", None)
    assert number_said("0.93 of region1") is None
    assert number_said("1,000 or so") is None
    assert counted("How many?") is None
