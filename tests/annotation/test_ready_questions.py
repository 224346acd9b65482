"""Questions that are ready to be asked: read, edited, kept for a user or for a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from napari_sa2va.annotation.ready_questions import (
    BLANK,
    FILE,
    STANDARD,
    by_group,
    forget_questions,
    parse,
    read_questions,
    write_questions,
)
from napari_sa2va.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path


def test_the_standard_ones_are_all_read() -> None:
    groups = by_group(parse(STANDARD))
    assert list(groups) == ["Any image", "Microscopy", "Medical"]
    assert [question.title for question in groups["Any image"]] == [
        "Describe",
        "Count",
        "Compare two regions",
        "Anything unusual",
    ]
    assert BLANK in groups["Any image"][1].text
    for questions in groups.values():
        assert all(question.text and question.title != question.text for question in questions)


def test_what_people_write_is_read() -> None:
    text = (
        "Where is it?\n\n#Mine\n  Ratio: is it 1:2?\nAt 10: 30, what is seen?\n" + "x" * 50 + ": y"
    )
    found = parse(text)
    assert [(one.group, one.title, one.text) for one in found[:3]] == [
        ("", "Where is it?", "Where is it?"),
        ("Mine", "Ratio", "is it 1:2?"),
        ("Mine", "At 10", "30, what is seen?"),
    ]
    assert found[3].title == found[3].text
    assert parse(" \n# Empty") == ()


def test_a_session_has_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_SA2VA_DATA_FOLDER", str(tmp_path / "data"))
    session = tmp_path / "cells.sa2va"
    session.mkdir()
    assert read_questions(session) == STANDARD
    write_questions("Où?")
    assert read_questions() == read_questions(session) == "Où?"
    write_questions("Here: Where?", session)
    assert (read_questions(session), read_questions()) == ("Here: Where?", "Où?")
    forget_questions(session)
    assert read_questions(session) == "Où?"


def test_a_refusal_to_remove_questions_is_said(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()  # no file: the system will not unlink it
    with pytest.raises(InvalidInput, match="cannot be removed"):
        forget_questions(tmp_path)
