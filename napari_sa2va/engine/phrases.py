"""From what a user types to the questions that are asked."""

from __future__ import annotations

import re
from typing import Final

from napari_sa2va.engine.request import Question
from napari_sa2va.errors import InvalidInput
from napari_sa2va.model.prompts import segmentation_question

# "segment" alone does not make a question: cells can be "segmented neutrophils", worms have
# "the last body segment". Only a request or a question mark does.
_QUESTION: Final = re.compile(
    r"\?\s*$"
    r"|segmentation masks?\b"
    r"|^(?:please|can you|could you|segment (?!of\b|in\b|on\b|at\b))",
    re.IGNORECASE,
)
# Of Markdown: at the beginning or the end of a word, neither within it nor alone.
_EMPHASIS: Final = re.compile(r"(?<![\w*`])[*_`]+(?=\S)|(?<=\S)[*_`]+(?![\w*`])|^[*_`]+$")
_ASKED_FOR: Final = re.compile(
    r"^(?:please |can you |could you |now )*segment (?P<phrase>.+?)"
    r"(?: in (?:this|the) (?:image|picture))?[\s?.!]*$",
    re.IGNORECASE,
)


def segment_questions(text: str) -> tuple[Question, ...]:
    r"""Turn expressions, one a line, into questions.

    A bare phrase becomes the question that the model was trained on. A line that already is a
    question or a request ("Can you segment the red cell?") is asked word for word.

    Parameters
    ----------
    text : str
        Blank lines are dropped.

    Raises
    ------
    InvalidInput
        If no line has a word.

    Examples
    --------
    >>> [question.text for question in segment_questions("the red cell\n\nWhere is it?")]
    ['Please segment the red cell in this image.', 'Where is it?']
    """
    lines = [line.strip() for line in text.splitlines()]
    questions = tuple(_question(line) for line in lines if re.search(r"\w", line))
    if not questions:
        raise InvalidInput("Type what to segment, for example: the large red cell.")
    return questions


def ask_question(text: str) -> tuple[Question, ...]:
    """Turn a text into one question, asked word for word whatever its line breaks.

    Raises
    ------
    InvalidInput
        If the text has no word.
    """
    if not re.search(r"\w", text):
        raise InvalidInput("Type a question, for example: What is in this image?")
    return (Question(text.strip()),)


def expression_in(text: str) -> str | None:
    """Return what a text asks to segment, in the user's words; None where it asks another thing.

    Examples
    --------
    >>> expression_in("Can you segment the red cell in this image?")
    'the red cell'
    """
    asked_for = _ASKED_FOR.match(text.strip())
    return asked_for["phrase"] if asked_for else None


def name_of(said: str | None, asked: str | None) -> str:
    """Return what a mask is called: by the model's phrase, else by the user's expression.

    Parameters
    ----------
    said : str or None
        As the model wrote it: marks of emphasis are no part of a name.
    asked : str or None

    Examples
    --------
    >>> name_of("a **large red** disk", None), name_of("**", "cell_1"), name_of("cell_1", None)
    ('a large red disk', 'cell_1', 'cell_1')
    """
    return " ".join(_EMPHASIS.sub("", said or "").split()) or asked or ""


def _question(line: str) -> Question:
    if not _QUESTION.search(line):
        return Question(segmentation_question(line), line)
    return Question(line, expression_in(line) or line.rstrip("?!. "))
