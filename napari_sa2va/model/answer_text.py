"""From tokens to an answer's text: streamed without tags, phrases found."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from napari_sa2va.model.prompts import SEG
from napari_sa2va.model.tokenizer import PHRASE_END, PHRASE_START, Detokenizer

if TYPE_CHECKING:
    from napari_sa2va.model.tokenizer import Tokenizer

# Private-use characters stand for the tags while text is assembled, so that a tag is told from
# letters that happen to spell one.
_SEG, _START, _END = "\ue000", "\ue001", "\ue002"
_MARKS: Final = {SEG: _SEG, PHRASE_START: _START, PHRASE_END: _END}
_TAGS: Final = re.compile(rf"{_START}\s*|\s*{_END}")
# Several objects may share one phrase: <p> two cells </p> [SEG] [SEG]
_PHRASE: Final = re.compile(rf"{_START}([^{_START}{_END}{_SEG}]*){_END}((?:\s*{_SEG})+)")


class Phrase(NamedTuple):
    """A phrase of an answer and where it stands in the answer's text."""

    text: str
    span: tuple[int, int]


class AnswerText:
    """Assembles an answer's text while its tokens come.

    Parameters
    ----------
    tokenizer : Tokenizer
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._detokenizer = Detokenizer(tokenizer)
        self._marked = ""
        self._sent = 0

    @property
    def text(self) -> str:
        """The text so far: ``[SEG]`` kept, other tags and their inner margins taken out."""
        return _without_tags(self._marked)

    def push(self, token: int) -> str:
        """Add a token; return the text that is now certain, which may be empty."""
        name = self._tokenizer.special(token)
        if name is None:
            self._marked += self._detokenizer.push(token)
        else:
            self._marked += self._detokenizer.flush() + _MARKS.get(name, "")
        # White space waits: it is taken out when </p> follows.
        return self._more(self.text.rstrip())

    def finish(self) -> str:
        """Return the rest of the text."""
        self._marked += self._detokenizer.flush()
        return self._more(self.text)

    def phrases(self) -> list[Phrase | None]:
        """Return for each ``[SEG]`` the phrase in front of it, None where there is none."""
        found: list[Phrase | None] = []
        read = 0
        for match in _PHRASE.finditer(self._marked):
            found += [None] * self._marked.count(_SEG, read, match.start())
            words = match.group(1).strip()
            start = len(_without_tags(self._marked[: match.start()]))
            phrase = Phrase(words, (start, start + len(words))) if words else None
            found += [phrase] * match.group(2).count(_SEG)
            read = match.end()
        return found + [None] * self._marked.count(_SEG, read)

    def _more(self, certain: str) -> str:
        more = certain[self._sent :]
        self._sent = max(self._sent, len(certain))
        return more


def _without_tags(marked: str) -> str:
    return _TAGS.sub("", marked).replace(_SEG, SEG)
