"""Writes turns of the conversation into a document: who speaks, text, chips, notes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Qt
from qtpy.QtGui import (
    QColor,
    QFont,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextDocumentFragment,
)

from napari_sa2va.annotation.growing import Growing
from napari_sa2va.widgets.chat_colours import chip_colours, dimmed, link_colour
from napari_sa2va.widgets.chat_markdown import CHIP, LINK, begins_plainly, rendered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sa2va.annotation import Turn

ABOUT: Final = " | "
"""In what a turn is about: between the image's name and where in it."""
_LINE: Final = "\u2028"
_TINT: Final = 28
_SPACE: Final = 4.0
_LONG_BLOCK: Final = 1500
"""Letters: laying out so many takes a millisecond."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a chip is drawn.

    Attributes
    ----------
    colour : tuple of float or None
        Of its label: red, green, blue, 0 to 1. None where its objects are gone.
    current : bool
        Whether its object is the selected one.
    """

    colour: tuple[float, float, float] | None
    current: bool = False


@dataclass(frozen=True, slots=True)
class Inks:
    """The colours of a theme, as far as text needs them by name."""

    text: QColor
    base: QColor
    dim: QColor
    link: QColor

    @classmethod
    def on(cls, text: QColor, base: QColor) -> Inks:
        """Return the inks that go with a text colour and the ground it is on."""
        return cls(QColor(text), QColor(base), dimmed(text, base), link_colour(base))


@dataclass(slots=True, eq=False)
class DrawnChip:
    """A chip in the document: what is marked by a cursor."""

    cursor: QTextCursor
    look: Look | None = None


@dataclass(slots=True, eq=False)
class Shown:
    """A turn in the document.

    Attributes
    ----------
    number : int
    turn : Turn
    start : QTextCursor
        Where it begins; stays there.
    chips : list of DrawnChip
        By their numbers.
    grown : Growing
        What stands there of an answer that is being said.
    """

    number: int
    turn: Turn
    start: QTextCursor
    chips: list[DrawnChip] = field(default_factory=list)
    grown: Growing = field(default_factory=Growing)

    @property
    def text(self) -> str:
        """What was said, as far as it stands there."""
        return self.turn.text or self.grown.shown

    @property
    def is_question(self) -> bool:
        """Whether the user said it."""
        return self.turn.speaker == "you"


class TurnWriter:
    """Writes into a document that shows nothing but turns.

    Parameters
    ----------
    document : QTextDocument
    """

    def __init__(self, document: QTextDocument) -> None:
        self._document = document
        self.inks = Inks.on(QColor("black"), QColor("white"))

    def append(
        self, number: int, turn: Turn, looks: Sequence[Look | None], *, first: bool
    ) -> Shown:
        """Write a turn below all others.

        Parameters
        ----------
        number : int
        turn : Turn
        looks : sequence of Look
            Of its chips.
        first : bool
            Whether there is none yet.
        """
        cursor = self._at(self._document.characterCount() - 1)
        cursor.beginEditBlock()
        if not first:
            cursor.insertBlock(QTextBlockFormat(), QTextCharFormat())
        start = self._at(cursor.position())
        start.setKeepPositionOnInsert(True)
        shown = Shown(number, turn, start)
        self._write(cursor, shown, looks, divided=turn.begins and not first)
        cursor.endEditBlock()
        return shown

    def rewrite(self, shown: Shown, turn: Turn, stop: int, looks: Sequence[Look | None]) -> None:
        """Write a turn in its place anew.

        Parameters
        ----------
        shown : Shown
        turn : Turn
            As it is now.
        stop : int
            Where it ends now.
        looks : sequence of Look
        """
        shown.turn, shown.chips, shown.grown = turn, [], Growing()
        begin = shown.start.position()
        cursor = self._at(begin)
        cursor.beginEditBlock()
        cursor.setPosition(stop, QTextCursor.MoveMode.KeepAnchor)
        cursor.removeSelectedText()
        cursor.setBlockFormat(QTextBlockFormat())
        cursor.setBlockCharFormat(QTextCharFormat())
        self._write(cursor, shown, looks, divided=turn.begins and begin > 0)
        cursor.endEditBlock()

    def grow(self, shown: Shown, answer: str) -> None:
        """Write what is new of the last turn, an answer that is being said.

        Each line is a block, and a very long one is several meanwhile: Qt lays out anew the block
        that is written to, and no other.
        """
        lines = shown.grown.take(answer).split("\n")
        cursor = self._at(self._document.characterCount() - 1)
        if cursor.block().length() > _LONG_BLOCK:
            lines[:1] = lines[0].split(" ", 1)
        cursor.beginEditBlock()
        for number, line in enumerate(lines):
            if number:
                cursor.insertBlock(QTextBlockFormat(), QTextCharFormat())
            cursor.insertText(line, QTextCharFormat())
        cursor.endEditBlock()

    def ink_chips(self, shown: Shown, looks: Sequence[Look | None]) -> None:
        """Draw chips as they are to look now."""
        for chip, look in zip(shown.chips, looks, strict=False):
            if look is not None and chip.look != look:
                chip.look = look
                chip.cursor.mergeCharFormat(self._chip_format(look))

    # --- the parts of a turn ---

    def _write(
        self, cursor: QTextCursor, shown: Shown, looks: Sequence[Look | None], *, divided: bool
    ) -> None:
        turn, begin = shown.turn, cursor.position()
        if divided:
            middle = QTextBlockFormat()
            middle.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            middle.setTopMargin(2 * _SPACE)
            cursor.setBlockFormat(middle)
            cursor.insertText("— New conversation —", self._dim())
            cursor.insertBlock(QTextBlockFormat(), QTextCharFormat())
        bold = QTextCharFormat()
        bold.setFontWeight(QFont.Weight.Bold)
        cursor.setBlockFormat(self._head(shown.is_question))
        cursor.insertText(f"{turn.speaker}  ", bold)
        if shown.is_question:
            cursor.insertText(turn.text.replace("\n", _LINE), QTextCharFormat())
            where = turn.about.partition(ABOUT)[2]
            if where:
                cursor.insertText(f"  {where}", self._dim())
        else:
            self._write_answer(cursor, shown)
        if turn.aside:
            self._grey(begin, cursor.position())
        notes = [turn.note] if turn.note else []
        if turn.aside and shown.is_question:
            notes.append("Set aside: it was edited, or comes after one that was.")
        for note in notes:
            cursor.insertBlock(self._head(False), QTextCharFormat())
            cursor.insertText(note.replace("\n", _LINE), self._dim())
        self.ink_chips(shown, looks)

    def _write_answer(self, cursor: QTextCursor, shown: Shown) -> None:
        begin, turn = cursor.position(), shown.turn
        if not turn.text:
            return
        document = rendered(turn.text, turn.chips)
        if not begins_plainly(document) and document.begin().textList() is None:
            cursor.insertBlock(QTextBlockFormat(), QTextCharFormat())
        cursor.insertFragment(QTextDocumentFragment(document))
        self._ink_links(begin, cursor.position())
        shown.chips = self._chips_between(begin, cursor.position(), len(turn.chips))

    def _chips_between(self, start: int, stop: int, count: int) -> list[DrawnChip]:
        """Find the chips of an answer; one that Markdown tore apart is drawn in one piece."""
        spans: dict[int, tuple[int, int]] = {}
        for at, length, format_ in self._pieces(start, stop):
            anchor = format_.anchorHref()
            if anchor.startswith(CHIP):
                number = int(anchor.removeprefix(CHIP))
                first, _ = spans.get(number, (at, 0))
                spans[number] = first, at + length
        chips = [DrawnChip(self._over(*spans.get(at, (start, start)))) for at in range(count)]
        for chip in chips:  # one that ends its turn would take in whatever is written below it
            chip.cursor.setKeepPositionOnInsert(True)
        return chips

    def _ink_links(self, start: int, stop: int) -> None:
        for at, length, format_ in self._pieces(start, stop):
            if format_.anchorHref().startswith(LINK):
                coloured = QTextCharFormat()
                coloured.setForeground(self.inks.link)
                self._over(at, at + length).mergeCharFormat(coloured)

    def _pieces(self, start: int, stop: int) -> list[tuple[int, int, QTextCharFormat]]:
        found = []
        block = self._document.findBlock(start)
        while block.isValid() and block.position() <= stop:
            pieces = block.begin()
            while not pieces.atEnd():
                piece = pieces.fragment()
                if start <= piece.position() < stop:
                    found.append((piece.position(), piece.length(), piece.charFormat()))
                pieces += 1
            block = block.next()
        return found

    def _grey(self, start: int, stop: int) -> None:
        grey = QTextCharFormat()
        grey.setForeground(self.inks.dim)
        self._over(start, stop).mergeCharFormat(grey)

    # --- formats ---

    def _head(self, question: bool) -> QTextBlockFormat:
        format_ = QTextBlockFormat()
        format_.setTopMargin(2 * _SPACE if question else _SPACE / 2)
        format_.setBottomMargin(_SPACE / 2)
        if question:
            tint = QColor(self.inks.text)
            tint.setAlpha(_TINT)
            format_.setBackground(tint)
        return format_

    def _dim(self) -> QTextCharFormat:
        format_ = QTextCharFormat()
        format_.setForeground(self.inks.dim)
        format_.setFontItalic(True)
        return format_

    def _chip_format(self, look: Look) -> QTextCharFormat:
        format_ = QTextCharFormat()
        gone = look.colour is None
        if look.colour is None:
            format_.setForeground(self.inks.dim)
            format_.setBackground(self.inks.base)
        else:
            ground, letters = chip_colours(look.colour, self.inks.base)
            format_.setBackground(ground)
            format_.setForeground(letters)
        format_.setFontStrikeOut(gone)
        format_.setFontUnderline(look.current and not gone)
        return format_

    def _at(self, position: int) -> QTextCursor:
        cursor = QTextCursor(self._document)
        cursor.setPosition(position)
        return cursor

    def _over(self, start: int, stop: int) -> QTextCursor:
        cursor = self._at(start)
        cursor.setPosition(stop, QTextCursor.MoveMode.KeepAnchor)
        return cursor
