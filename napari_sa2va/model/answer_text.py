"""From tokens to an answer's text: streamed without tags, phrases found."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from napari_sa2va.model.prompts import SEG
from napari_sa2va.model.tokenizer import PHRASE_END, PHRASE_START, Detokenizer

if TYPE_CHECKING:
    from napari_sa2va.model.tokenizer import Tokenizer


class Phrase(NamedTuple):
    """A phrase of an answer and where it stands in the answer's text."""

    text: str
    span: tuple[int, int]


class AnswerText:
    """Assembles an answer's text while its tokens come.

    A phrase stands between ``<p>`` and ``</p>`` and belongs to every ``[SEG]`` behind it with white
    space at most in between: ``<p> two cells </p> [SEG] [SEG]``. What a model writes otherwise is
    text: a ``<p>`` that is never closed (or opened again, or has a ``[SEG]`` in it) begins no
    phrase, and a ``[SEG]`` behind other words has none.

    Each token costs the same, however long the answer is.

    Parameters
    ----------
    tokenizer : Tokenizer
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._detokenizer = Detokenizer(tokenizer)
        self._told: list[str] = []
        self._length = 0
        self._space = ""  # white space that a </p> would take out
        self._opened: tuple[int, int] | None = None  # pieces and characters in front of a phrase
        self._trim = False  # white space is taken out behind a <p>
        self._closed: Phrase | None = None
        self._phrases: list[Phrase | None] = []

    @property
    def text(self) -> str:
        """The text so far: ``[SEG]`` kept, other tags and their inner margins taken out."""
        return "".join(self._told) + self._space

    def push(self, token: int) -> str:
        """Add a token; return the text that is now certain, which may be empty."""
        before = len(self._told)
        name = self._tokenizer.special(token)
        if name is None:
            self._write(self._detokenizer.push(token))
        else:
            self._write(self._detokenizer.flush(token))
            self._mark(name)
        return "".join(self._told[before:])

    def finish(self) -> str:
        """Return the rest of the text."""
        before = len(self._told)
        self._write(self._detokenizer.flush())
        self._settle()
        return "".join(self._told[before:])

    def phrases(self) -> list[Phrase | None]:
        """Return for each ``[SEG]`` the phrase in front of it, None where there is none."""
        return list(self._phrases)

    def _mark(self, name: str) -> None:
        if name == PHRASE_START:
            self._settle()
            self._opened, self._trim, self._closed = (len(self._told), self._length), True, None
        elif name == PHRASE_END:
            self._space, self._trim = "", False
            self._closed = self._phrase()
            self._opened = None
        elif name == SEG:
            self._settle()
            self._phrases.append(self._closed)
            self._opened, self._trim = None, False
            self._tell(SEG)

    def _phrase(self) -> Phrase | None:
        """Return what stands since the last ``<p>``, None if nothing does."""
        if self._opened is None or self._length == self._opened[1]:
            return None
        pieces, start = self._opened
        return Phrase("".join(self._told[pieces:]), (start, self._length))

    def _write(self, text: str) -> None:
        if self._trim:
            text = text.lstrip()
        words = text.rstrip()
        if words:
            self._trim, self._closed = False, None
            self._settle()
            self._tell(words)
        self._space += text[len(words) :]

    def _settle(self) -> None:
        if self._space:
            self._tell(self._space)
            self._space = ""

    def _tell(self, text: str) -> None:
        self._told.append(text)
        self._length += len(text)
