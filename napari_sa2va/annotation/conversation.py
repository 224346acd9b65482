"""What was asked and answered, in order."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from weakref import ref

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SEG: Final = "[SEG]"
CHAT: Final = "chat"
"""Kind of a question, and of its answer, that questions after it go on from."""
PHRASE_MARKS: Final = ("<p>", "</p>")
# A phrase may be set off by Markdown.
_BETWEEN: Final = " \n*_`:"
_MOST_CARRIED: Final = 16
_MOST_LETTERS: Final = 12_000


@dataclass(frozen=True, slots=True)
class Chip:
    """A part of an answer that names objects.

    Attributes
    ----------
    start, stop : int
        Where in the turn's text: the phrase, if the answer gives one, and the labels.
    labels : tuple of int
        Several where a mask was split into its parts; empty where nothing new was found, or while
        what is followed has no labels yet.
    """

    start: int
    stop: int
    labels: tuple[int, ...] = ()


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
    chips : tuple of Chip
        Where in the text they are named.
    raw : str
        For questions that follow: a question as it was sent, an answer as the model wrote it.
        Empty for an answer that was never finished.
    kind : str
        What Run made of the text: "segment", "describe" or `CHAT`; empty in sessions of earlier
        versions.
    about : str
        What was looked at.
    regions : tuple of int
        The labels that a question points out: region1, region2, …
    note : str
        What the reader should know of an answer: that it was cut, what was counted.
    aside : bool
        A question in the place of this one, or of one before it, was asked instead.
    begins : bool
        With this question a new conversation begins.
    """

    speaker: str
    text: str
    labels: tuple[int, ...] = ()
    chips: tuple[Chip, ...] = ()
    raw: str = ""
    kind: str = ""
    about: str = ""
    regions: tuple[int, ...] = ()
    note: str = ""
    aside: bool = False
    begins: bool = False


class Home:
    """What a turn is about, while napari is open.

    What was said outlives what it was said about: a layer that is deleted is not kept in memory.

    Parameters
    ----------
    images : frozenset of str
        Ids of the image layers.
    objects : LabelObjects, optional
        Whose labels its chips name; held weakly.
    """

    __slots__ = ("_objects", "images", "layer")

    def __init__(self, images: frozenset[str] = frozenset(), objects: Any = None) -> None:
        self.images = images
        self._objects = None if objects is None else ref(objects)
        self.layer: str = "" if objects is None else objects.labels.unique_id
        """Id of the layer of the objects, for when it comes back; empty for none."""

    @property
    def objects(self) -> Any:
        """The `LabelObjects`; None where there are none, or none any more."""
        return None if self._objects is None else self._objects()


@dataclass(slots=True)
class Conversation:
    """Turns, newest last; one may still grow.

    Attributes
    ----------
    turns : list of Turn
    homes : dict of int to Home
        By turn; of some of them only.
    """

    turns: list[Turn] = field(default_factory=list)
    homes: dict[int, Home] = field(default_factory=dict)

    def say(self, speaker: str, text: str = "", labels: Sequence[int] = (), **more: Any) -> Turn:
        """Begin a turn; `more` are further fields of it."""
        self.turns.append(Turn(speaker, text, tuple(labels), **more))
        return self.turns[-1]

    def extend(self, text: str, at: int = -1) -> Turn:
        """Add to a turn, the last one if it is not said which."""
        self.turns[at] = replace(self.turns[at], text=self.turns[at].text + text)
        return self.turns[at]

    def settle(self, text: str, labels: Sequence[int] = (), at: int = -1, **more: Any) -> Turn:
        """Replace a turn's text by its final form; `more` are further fields of it."""
        self.turns[at] = replace(self.turns[at], text=text, labels=tuple(labels), **more)
        return self.turns[at]

    def about_images(self, images: frozenset[str]) -> list[int]:
        """Return the turns about any of some images, and those of which that is not known."""
        return [
            at
            for at in range(len(self.turns))
            if (home := self.homes.get(at)) is None
            or not home.images
            or not images
            or home.images & images
        ]

    def set_aside(self, turns: Iterable[int]) -> list[int]:
        """Grey turns that another question takes the place of; return those that changed."""
        changed = [at for at in turns if not self.turns[at].aside]
        for at in changed:
            self.turns[at] = replace(self.turns[at], aside=True)
        return changed


def current_part(turns: Sequence[Turn], order: Sequence[int]) -> list[int]:
    """Return the turns that a next question goes on from: since a conversation was begun anew.

    Parameters
    ----------
    turns : sequence of Turn
    order : sequence of int
        Those of them that are about the image.
    """
    part: list[int] = []
    for at in order:
        if turns[at].begins:
            part = []
        if turns[at].kind == CHAT and not turns[at].aside:
            part.append(at)
    return part


def carried(turns: Sequence[Turn], order: Sequence[int], about: str) -> list[tuple[Turn, Turn]]:
    """Return the questions, with their answers, that a next one is asked along with.

    Parameters
    ----------
    turns : sequence of Turn
    order : sequence of int
        Those of them that are about the image.
    about : str
        What the next question looks at: what was said of something else is left out, for the model
        will not see that.

    Returns
    -------
    list of (Turn, Turn)
        Oldest first; of a long conversation its end.
    """
    pairs = []
    part = current_part(turns, order)
    for first, second in itertools.pairwise(part):
        question, answer = turns[first], turns[second]
        if question.speaker == "you" and answer.speaker != "you" and question.raw and answer.raw:
            if question.about == about:
                pairs.append((question, answer))
    pairs = pairs[-_MOST_CARRIED:]
    while pairs and sum(len(q.raw) + len(a.raw) for q, a in pairs) > _MOST_LETTERS:
        pairs.pop(0)
    return pairs


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
    return " ".join(with_chips(answer, labels)[0].split())


def with_chips(
    answer: str, labels: Sequence[Sequence[int]] | None, *, stopped: bool = False
) -> tuple[str, tuple[Chip, ...]]:
    r"""Write an answer for people, line by line as it was, and say where it names objects.

    Parameters
    ----------
    answer, labels
        As of `name_objects`.
    stopped : bool
        Whether masks that were named but not made yet are left out of `labels`.

    Examples
    --------
    >>> with_chips("<p> A cell </p> [SEG].", [(4,)])
    ('A cell ■ 4.', (Chip(start=0, stop=10, labels=(4,)),))
    """
    first, *rest = answer.split(SEG)
    written, chips = "", []
    for number, after in enumerate([first, *rest]):
        if number:
            made = labels is not None and number <= len(labels)
            own = labels[number - 1] if labels is not None and made else ()
            open_ = labels is None or (stopped and not made)
            shown = f"■ {_short_list(own)}" if own else "■" if open_ else "(nothing new)"
            opening, closing = (written.rfind(mark) for mark in PHRASE_MARKS)
            beside = 0 <= opening < closing and not written[closing + len("</p>") :].strip(_BETWEEN)
            written, begin = _without_marks(written, opening if beside else -1)
            written = _joined(written, shown)
            mask = len(written) - len(shown)  # its phrase may be nothing but spaces
            begin = mask if begin is None else min(begin, mask)
            chips.append(Chip(begin, len(written), tuple(int(label) for label in own)))
        written += after
    written, _ = _without_marks(written, -1)
    return _tidied(written, chips)


def _without_marks(text: str, phrase: int) -> tuple[str, int | None]:
    """Take the marks of phrases out; return where the phrase that began at `phrase` begins now."""
    opening, closing = PHRASE_MARKS
    if phrase < 0:
        return text.replace(opening, "").replace(closing, ""), None
    before = text[:phrase].replace(opening, "").replace(closing, "")
    inside = text[phrase:].replace(opening, "").replace(closing, "")
    stripped = inside.lstrip()
    return before + inside, len(before) + len(inside) - len(stripped)


def _joined(text: str, shown: str) -> str:
    """Put the labels of a mask behind its phrase, one space apart."""
    bare = text.rstrip(" ")
    return f"{bare} {shown}" if bare and not bare.endswith("\n") else f"{bare}{shown}"


def _tidied(text: str, chips: Sequence[Chip]) -> tuple[str, tuple[Chip, ...]]:
    """Leave one space where there are several, and none at the ends; let the chips follow."""
    places, letters, in_line = [0] * (len(text) + 1), list[str](), False
    for at, letter in enumerate(text):
        places[at] = len(letters)
        # What a line begins with stays: lists within lists are told by it.
        doubled = letter == " " and (not letters or (in_line and letters[-1] == " "))
        if doubled or (letter == "\n" and not letters):
            continue
        letters.append(letter)
        in_line = letter != "\n" and (in_line or letter != " ")
    places[len(text)] = len(letters)
    kept = "".join(letters).rstrip()
    return kept, tuple(
        Chip(places[chip.start], min(places[chip.stop], len(kept)), chip.labels) for chip in chips
    )


def _short_list(labels: Sequence[int], most: int = 8) -> str:
    """Write labels one by one, a long row of them by its ends."""
    if len(labels) <= most:
        return ", ".join(str(label) for label in labels)
    return f"{labels[0]} to {labels[-1]} ({len(labels)})"
