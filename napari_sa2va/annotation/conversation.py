"""What was asked and answered, in order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

SEG: Final = "[SEG]"
_PHRASE_MARKS: Final = ("<p>", "</p>")


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing said.

    Attributes
    ----------
    speaker : str
        ``"you"``, or the model's short name.
    text : str
        As shown.
    labels : tuple of int
        The objects that an answer found.
    """

    speaker: str
    text: str
    labels: tuple[int, ...] = ()


@dataclass(slots=True)
class Conversation:
    """Turns, newest last; the last one may still grow."""

    turns: list[Turn] = field(default_factory=list)

    def say(self, speaker: str, text: str = "", labels: Sequence[int] = ()) -> Turn:
        """Begin a turn."""
        self.turns.append(Turn(speaker, text, tuple(labels)))
        return self.turns[-1]

    def extend(self, text: str) -> Turn:
        """Add to the last turn."""
        self.turns[-1] = replace(self.turns[-1], text=self.turns[-1].text + text)
        return self.turns[-1]

    def settle(self, text: str, labels: Sequence[int] = ()) -> Turn:
        """Replace the last turn's text by its final form."""
        self.turns[-1] = replace(self.turns[-1], text=text, labels=tuple(labels))
        return self.turns[-1]


def name_objects(answer: str, labels: Sequence[Sequence[int]] | None) -> str:
    """Write an answer for people: every ``[SEG]`` becomes the labels of its mask.

    Parameters
    ----------
    answer : str
        With ``[SEG]`` where a mask belongs, and perhaps ``<p>…</p>`` round phrases.
    labels : sequence of sequence of int, or None
        For each mask in order, its labels: none, one, or one per connected part. None while they
        have no labels yet.

    Examples
    --------
    >>> name_objects("Sure, [SEG].", [(1, 2)])
    'Sure, ■ 1, 2.'
    """
    for mark in _PHRASE_MARKS:
        answer = answer.replace(mark, "")
    first, *rest = answer.split(SEG)
    named = first
    for number, after in enumerate(rest):
        own = labels[number] if labels is not None and number < len(labels) else ()
        nothing = "■" if labels is None else "(nothing new)"
        named += (f"■ {_short_list(own)}" if own else nothing) + after
    return " ".join(named.split())


def _short_list(labels: Sequence[int], most: int = 8) -> str:
    """Write labels one by one, a long row of them by its ends."""
    if len(labels) <= most:
        return ", ".join(str(label) for label in labels)
    return f"{labels[0]} to {labels[-1]} ({len(labels)})"
