from __future__ import annotations

import subprocess
import sys

import pytest

from napari_sa2va.engine import Question, ask_question, segment_questions
from napari_sa2va.engine.phrases import name_of
from napari_sa2va.errors import InvalidInput


def test_a_bare_phrase_becomes_the_question_of_training() -> None:
    (question,) = segment_questions("  The large red cell. ")
    assert question.text == "Please segment the large red cell in this image."
    assert question.phrase == "The large red cell."


def test_one_question_a_line_and_blank_lines_dropped() -> None:
    questions = segment_questions("\nthe red cell\n \n...\nall blue cells\r\n")
    assert [question.phrase for question in questions] == ["the red cell", "all blue cells"]


@pytest.mark.parametrize(
    ("line", "phrase"),
    [
        ("Can you segment the red cell in this image?", "the red cell"),
        ("Please segment the red cell.", "the red cell"),
        ("segment all nuclei", "all nuclei"),
        ("Where is the nucleus?", "Where is the nucleus"),
        (
            "Describe the image. Please respond with interleaved segmentation masks.",
            "Describe the image. Please respond with interleaved segmentation masks",
        ),
    ],
)
def test_a_question_is_asked_word_for_word(line: str, phrase: str) -> None:
    assert segment_questions(line) == (Question(line, phrase),)


@pytest.mark.parametrize("phrase", ["the segmented neutrophil", "segment of the worm", "Zelle μ"])
def test_a_phrase_about_segments_is_still_a_phrase(phrase: str) -> None:
    (question,) = segment_questions(phrase)
    assert question == Question(f"Please segment {phrase.lower()} in this image.", phrase)


@pytest.mark.parametrize("text", ["", " \n\t\n", "...\n?"])
def test_nothing_to_ask_is_an_error(text: str) -> None:
    with pytest.raises(InvalidInput, match="Type what to segment"):
        segment_questions(text)
    with pytest.raises(InvalidInput, match="Type a question"):
        ask_question(text)


def test_in_ask_mode_the_text_goes_as_it_is() -> None:
    assert ask_question("What is this?\nAnd that? ") == (Question("What is this?\nAnd that?"),)


def test_the_engine_is_imported_without_torch() -> None:
    code = "import sys, napari_sa2va.engine; assert not {'torch', 'napari'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("a **large red** disk", "a large red disk"),
        ("***all** cells*", "all cells"),
        ("the _nucleus_, `c` and __d__", "the nucleus, c and d"),
        ("cell_1 of 5 * 3", "cell_1 of 5 * 3"),
        ("a*b", "a*b"),
        ("**", "mine"),
        ("", "mine"),
        (None, "mine"),
    ],
)
def test_emphasis_is_no_part_of_a_name(said: str | None, name: str) -> None:
    assert name_of(said, "mine") == name
    assert name_of(said, None) == ("" if name == "mine" else name)
