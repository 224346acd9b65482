"""From regions, and what a user types about them, to the questions that are asked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from napari_sa2va.annotation.mentions import mentioned, mentions, regions_counted
from napari_sa2va.engine.request import Question
from napari_sa2va.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_sa2va.annotation.packed import PackedMask

DESCRIBE: Final = "Please describe region1 in detail."
"""Asked of each region when the user types nothing: the wording of Sa2VA's training data."""

_BETWEEN: Final = "\x1e"  # the sign of a record's end: nobody types it
# The prompt lists the visual tokens of every region once more.
_MOST_AT_A_TIME: Final = 32


def describe_questions(text: str, regions: Mapping[int, PackedMask]) -> tuple[Question, ...]:
    """Ask about each region on its own, or about several together where the text names them.

    Parameters
    ----------
    text : str
        Asked of each region, which it may call region1; `DESCRIBE` if empty. A text that mentions
        labels (``@3``) or speaks of region2 is one question about those.
    regions : mapping of int to PackedMask
        By label.

    Raises
    ------
    InvalidInput
        If there is no region, or none of that label or number.
    """
    _check(regions)
    text = text.strip() or DESCRIBE
    if mentions(text) or regions_counted(text) > 1:
        return region_question(text, regions)
    return tuple(Question(text, None, (mask,), label) for label, mask in regions.items())


def region_question(text: str, regions: Mapping[int, PackedMask]) -> tuple[Question]:
    """Ask one question about regions.

    Parameters
    ----------
    text : str
        With ``@3`` for label 3; or with region1, region2, … for the labels in their order; without
        any of these it is about all regions.
    regions : mapping of int to PackedMask
        By label, in the order in which they are counted.

    Raises
    ------
    InvalidInput
        If the text has no word, or names what is not there, or there are too many regions.
    """
    if not re.search(r"\w", text):
        raise InvalidInput("Type a question, for example: What is @1?")
    named, labels = mentioned(text.strip(), regions.keys())
    if not labels:
        _check(regions)
        count = regions_counted(named) or len(regions)
        if count > len(regions):
            raise InvalidInput(
                f"The question speaks of region{count}, and there "
                f"{'is one region' if len(regions) == 1 else f'are {len(regions)} regions'}."
            )
        labels = tuple(regions)[:count]
    if len(labels) > _MOST_AT_A_TIME:
        raise InvalidInput(
            f"A question can be about {_MOST_AT_A_TIME} regions at a time, not {len(labels)}. Name "
            "some by their labels, as in: Compare @3 with @7."
        )
    about = labels[0] if len(labels) == 1 else None
    return (Question(named, None, tuple(regions[label] for label in labels), about),)


def numbered_together(
    texts: Sequence[str], regions: Mapping[int, PackedMask]
) -> tuple[tuple[str, ...], tuple[PackedMask, ...]]:
    """Give regions one number through all questions of a conversation.

    Parameters
    ----------
    texts : sequence of str
        All of the user's questions, the newest last, as `region_question` takes them.
    regions : mapping of int to PackedMask
        By label.

    Returns
    -------
    texts : tuple of str
        With region1, region2, … in place of labels.
    regions : tuple of PackedMask
        Those, for `ChatRequest`; a label that a later question mentions comes last, so that the
        earlier questions stay as they were.

    Raises
    ------
    InvalidInput
        As `region_question`.
    """
    (question,) = region_question(_BETWEEN.join(texts), regions)
    return tuple(question.text.split(_BETWEEN)), question.regions


def _check(regions: Mapping[int, PackedMask]) -> None:
    if not regions:
        raise InvalidInput(
            "There is no region to ask about in the plane in view. Paint one, or choose a layer "
            "that has some."
        )
