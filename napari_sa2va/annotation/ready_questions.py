"""Questions that are ready to be asked, as people edit them: plain text, a question a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.atomic import replacing
from napari_sa2va.io.data_folder import data_folder

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FILE: Final = "questions.txt"
"""In the user's folder, and in that of a session."""
BLANK: Final = "___"
"""Stands where something is to be typed before a question is asked."""
_LONGEST: Final = 100_000

STANDARD: Final = """\
# Any image
Describe: Please describe the image in detail.
Count: How many ___ are there in this image?
Compare two regions: What is the difference between region1 and region2?
Anything unusual: Please list what looks unusual in this image.

# Microscopy
Stain and contrast: Which stains or kinds of contrast does this image seem to show?
Shapes: Please describe the shapes and sizes of the ___ in this image.
Touching: Do any of the ___ touch or overlap each other?
Division: Are there any dividing cells in this image?
Focus and artefacts: Is any part of this image out of focus, or an artefact?

# Medical
Modality: What kind of medical image is this, and which part of the body does it show?
Structures: Which anatomical structures can be seen in this image?
Point out: Please segment the ___ in this image.
Left and right: What differs between the left and the right side of this image?
Out of the ordinary: Please list what looks out of the ordinary, and where.
"""
"""What there is before anybody changed it."""


@dataclass(frozen=True, slots=True)
class ReadyQuestion:
    """One of them.

    Attributes
    ----------
    group, title : str
        Its place in the menu, and its name there.
    text : str
        What is asked; with `BLANK` where something is to be filled in.
    """

    group: str
    title: str
    text: str


def parse(text: str) -> tuple[ReadyQuestion, ...]:
    r"""Read questions: ``# Group``, then ``Title: question`` or only the question, a line each.

    Examples
    --------
    >>> parse("# Mine\nWhere: Where is it?")
    (ReadyQuestion(group='Mine', title='Where', text='Where is it?'),)
    """
    found, group = [], ""
    for line in (line.strip() for line in text.splitlines()):
        if line.startswith("#"):
            group = line.lstrip("#").strip()
        elif line:
            title, colon, question = line.partition(": ")
            named = bool(colon) and bool(question.strip()) and len(title) <= 40
            found.append(
                ReadyQuestion(group, title.strip(), question.strip())
                if named
                else ReadyQuestion(group, line, line)
            )
    return tuple(found)


def by_group(questions: Iterable[ReadyQuestion]) -> dict[str, list[ReadyQuestion]]:
    """Put questions under their groups, in the order in which these first come."""
    groups: dict[str, list[ReadyQuestion]] = {}
    for question in questions:
        groups.setdefault(question.group, []).append(question)
    return groups


def read_questions(session: Path | None = None) -> str:
    """Return the text of the questions: the session's, else the user's, else the standard.

    Parameters
    ----------
    session : Path, optional
        Its folder.
    """
    for folder in (session, data_folder()):
        if folder is None:
            continue
        try:
            return (folder / FILE).read_text(encoding="utf-8", errors="replace")[:_LONGEST]
        except OSError:  # none there, or it cannot be read: the next best
            continue
    return STANDARD


def write_questions(text: str, session: Path | None = None) -> None:
    """Keep questions for a session, else for all images of the user, whole or as they were.

    Raises
    ------
    InvalidInput
        The disk refuses.
    """
    with replacing((session or data_folder()) / FILE) as temporary:
        temporary.write_text(text, encoding="utf-8")


def forget_questions(session: Path) -> None:
    """Go back to the user's questions where a session had its own.

    Raises
    ------
    InvalidInput
        The disk refuses.
    """
    try:
        (session / FILE).unlink(missing_ok=True)
    except OSError as error:
        raise InvalidInput(f"{session / FILE} cannot be removed: {error}.") from error
