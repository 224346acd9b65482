"""Numbers that a model says, beside the number of objects that there are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_WORDS: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty"
).split()
_NUMBERS: Final = {word: number for number, word in enumerate(_WORDS)}
# "No, there are three": only where there is no number.
_NONE: Final = re.compile(r"\b(?:no|none)\b", re.I)
_SAID: Final = re.compile(rf"(?<![\w.,@■-])(\d{{1,6}}(?![.,]?\d)|{'|'.join(_NUMBERS)})\b", re.I)
# What is counted ends where the sentence goes on.
_ASKED: Final = re.compile(
    r"\b(?:how many|(?:the )?number of|count(?: up)?(?: of)?)\s+(?:of )?(?:the )?"
    r"(?P<what>[^?.!,;:\n]+)",
    re.I,
)
# At the beginning, "visible cells" and "in-focus cells" are kinds.
_END: Final = re.compile(
    r"(?:(?:^|\s+)(?:are|is|do|does|did|can|could|have|has|were|was|will|there|you|touch|overlap)|"
    r"(?:^(?!\w+-)|\s+)(?:in|on|that|which|with|within)|\s+visible)\b.*$",
    re.I | re.S,
)
_NO_KIND: Final = frozenset(
    {"the", "all", "of", "these", "those", "a", "an", "this", "different", "visible"}
)
_ANY_KIND: Final = frozenset({"object", "thing", "item", "structure", "instance", "they", "them"})


@dataclass(frozen=True, slots=True)
class Counted:
    """What a question wants counted.

    Attributes
    ----------
    what : str
        In the question's words, such as "red cells".
    words : frozenset of str
        Without plurals and articles; empty for objects of any kind.
    """

    what: str
    words: frozenset[str]


def counted(question: str) -> Counted | None:
    """Return what a question wants counted; None if it is no such question.

    English only: another language is no count, and nothing is said beside its answer.

    Examples
    --------
    >>> counted("How many red cells are there?").what
    'red cells'
    """
    asked = _ASKED.search(question)
    if asked is None:
        return None
    what = _END.sub("", asked["what"]).strip()
    words = frozenset(_words(what)) - _ANY_KIND
    return Counted(what, words) if what else None


def number_said(answer: str) -> int | None:
    """Return the first number in an answer, in figures or in English words; None for none.

    Examples
    --------
    >>> number_said("There are five red cells, two of them large.")
    5
    """
    said = _SAID.search(answer)
    if said is None:
        return 0 if _NONE.search(answer) else None
    word = said[1].lower()
    return int(word) if word.isdigit() else _NUMBERS[word]


def answers_to(phrase: str, wanted: Counted) -> bool:
    """Whether an object's phrase names what is counted: it has all of its words.

    Examples
    --------
    >>> answers_to("the large red cell", counted("How many red cells are there?"))
    True
    """
    return wanted.words <= set(_words(phrase))


def beside(question: str, answer: str, phrases: Iterable[str] | None) -> str:
    """Return a line that sets objects beside a number that the model said; empty where none is due.

    Parameters
    ----------
    question, answer : str
    phrases : iterable of str, or None
        Of the objects in the plane that was looked at; None where there is no layer of objects.

    Examples
    --------
    >>> beside("How many red cells are there?", "Three.", ["the red cell", "a green cell"])
    'Said: 3. Objects in this plane: 1 named “red cells”, 2 in all.'
    """
    wanted, said = counted(question), number_said(answer)
    if wanted is None or said is None:
        return ""
    named = list(phrases or ())
    if not named:
        return f"Said: {said}. Objects in this plane: none yet, so nothing was counted."
    total = f"{len(named)} in all" if wanted.words else str(len(named))
    if not wanted.words:
        return f"Said: {said}. Objects in this plane: {total}."
    matching = sum(answers_to(phrase, wanted) for phrase in named)
    return f"Said: {said}. Objects in this plane: {matching} named “{wanted.what}”, {total}."


def _words(text: str) -> list[str]:
    words = (_singular(word) for word in re.findall(r"[^\W\d_]+", text.lower()))
    return [word for word in words if word not in _NO_KIND]


def _singular(word: str) -> str:
    """Take the plural's end off; a word that is wrong then is wrong on both sides."""
    for plural, single in (("nuclei", "nucleus"), ("mitochondria", "mitochondrion")):
        if word == plural:
            return single
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word
