"""Whether this computer has a font for what is said."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

from qtpy.QtGui import QTextLayout

if TYPE_CHECKING:
    from qtpy.QtGui import QFont

_MOST: Final = 400
_MOST_SHOWN: Final = 8


class FontCheck:
    """Finds letters that are drawn as empty boxes; each is told once.

    Parameters
    ----------
    font : QFont
        What the text is drawn in; Qt takes other fonts for what it lacks.
    """

    def __init__(self, font: QFont) -> None:
        self._font = font
        self._known: set[str] = set()

    def missing(self, text: str) -> str:
        """Return the letters of a text that no font of this computer has, new ones only."""
        new = [
            letter
            for letter in dict.fromkeys(text)
            if letter > "\x7f" and letter not in self._known and _is_drawn(letter)
        ][:_MOST]
        self._known.update(new)
        return "".join(letter for letter in new if not self._has(letter))

    def _has(self, letter: str) -> bool:
        layout = QTextLayout(letter, self._font)
        layout.beginLayout()
        layout.createLine()
        layout.endLayout()
        runs = layout.glyphRuns()  # none at all for some scripts that no font has
        return bool(runs) and not any(0 in run.glyphIndexes() for run in runs)


def sentence(letters: str) -> str:
    """Say that fonts are missing, and for which scripts."""
    scripts = dict.fromkeys(map(_script, letters))
    some = " ".join(letters[:_MOST_SHOWN]) + (" …" if len(letters) > _MOST_SHOWN else "")
    return (
        f"This computer has no font for {some} ({', '.join(scripts)}), so they show as empty "
        "boxes; copied text has them. Install a font for that script, such as one of the Noto "
        "fonts, and start napari again."
    )


def _is_drawn(letter: str) -> bool:
    """Whether a sign has a shape of its own: not one for control, joining or variants."""
    return unicodedata.category(letter)[0] in "LNPS"


def _script(letter: str) -> str:
    """Name the script of a letter, by the first word of its name in Unicode."""
    if unicodedata.category(letter)[0] != "L":
        return "signs"
    name = unicodedata.name(letter, "unknown").split()[0]
    return "Chinese characters" if name == "CJK" else name.capitalize()
