"""An answer that is still being said, for people: each piece of it is read once."""

from __future__ import annotations

import re
from typing import Final

from napari_sa2va.annotation.conversation import PHRASE_MARKS, SEG

_PIECES: Final = re.compile(r"</?p>|\[SEG\]|\n| +|[^ \n<\[]+|.")
_BEGUN: Final = re.compile(r"(?:<(?:/?p?)|\[(?:S(?:EG?)?)?)\Z")
"""What may become a mark: it waits until it is known whether it does."""


class Growing:
    """Takes an answer as it grows, and gives what there is to show, never to be taken back.

    Marks of phrases are left out, ``[SEG]`` becomes a square, and spaces are as `with_chips` leaves
    them.

    Attributes
    ----------
    taken : str
        All of the answer that there was.
    shown : str
        What is to be shown of it.

    Examples
    --------
    >>> answer = Growing()
    >>> answer.take("<p> A cell </p> [SEG] and <p> ano"), answer.take("<p> A cell </p> [SEG] and")
    ('A cell ■ and ano', '')
    """

    def __init__(self) -> None:
        self.taken = ""
        self.shown = ""
        self._rest = ""
        self._space = ""  # waits: there is none before a line's end, nor before a square
        self._begun = False

    def take(self, answer: str) -> str:
        """Take the answer as it is now; return what is to be shown behind what is shown.

        Parameters
        ----------
        answer : str
            From its beginning on. What is not longer than before is nothing new.
        """
        text = self._rest + answer[len(self.taken) :]
        if len(answer) <= len(self.taken):
            return ""
        self.taken = answer
        begun = _BEGUN.search(text[-len(SEG) :])
        whole = text if begun is None else text[: len(text) - len(begun[0])]
        self._rest = text[len(whole) :]
        new = "".join(map(self._written, _PIECES.findall(whole)))
        self.shown += new
        return new

    def _written(self, piece: str) -> str:
        if piece in PHRASE_MARKS:
            return ""
        if piece[0] in " \n":
            self._space += piece
            return ""
        space, self._space = self._space, ""
        if piece == SEG:  # one space behind its phrase, none where a line begins
            space = space.rstrip(" ")
            space = space or (" " if self._begun else "")
            piece = "■"
        written = self._spaced(space) + piece
        self._begun = True
        return written

    def _spaced(self, space: str) -> str:
        """Leave one space within a line; what a line begins with stays."""
        if not self._begun:
            return ""
        first, line_end, more = space.partition("\n")
        return (" " if first else "") + line_end + more
