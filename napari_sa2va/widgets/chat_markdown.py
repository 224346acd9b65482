"""An answer's Markdown as a document of Qt: nothing in it can run, load or be anything but text.

Qt reads the Markdown, without HTML. Of what it makes, pictures become words, links become marks
that only `Transcript` follows, and nesting and letters keep to sizes that fit a narrow dock.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtGui import QTextBlockFormat, QTextCharFormat, QTextCursor, QTextDocument, QTextFormat

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qtpy.QtGui import QTextBlock

    from napari_sa2va.annotation.conversation import Chip

CHIP: Final = "chip:"
"""Begins the anchor of a chip; its number among those of the answer follows."""
LINK: Final = "link:"
"""Begins the anchor of a link; the address follows, as the model wrote it."""

# Of Unicode's private use: no model writes them, and where one does they are taken out. Each chip
# has a pair of its own, since Markdown can leave out a part of a text, and its chips with it.
_FIRST_MARK, _LAST_MARK = 0xE000, 0xF8FF
_MOST_CHIPS = (_LAST_MARK + 1 - _FIRST_MARK) // 2
_MARK_OR_NUL = re.compile(f"[{chr(_FIRST_MARK)}-{chr(_LAST_MARK)}\0]")
_UNKNOWN = "\ufffd"
_FENCES: Final = ("```", "~~~")
_DEEPEST: Final = 5
_SPACE_ABOVE, _SPACE_BELOW = 2.0, 3.0


class InertDocument(QTextDocument):
    """A document that loads nothing, whatever its text names."""

    def loadResource(self, type: int, name: Any) -> Any:
        """Load nothing."""
        return None


def rendered(text: str, chips: Sequence[Chip] = ()) -> QTextDocument:
    """Read Markdown.

    Parameters
    ----------
    text : str
        Of a model: anything at all.
    chips : sequence of Chip
        Parts of it, in order and apart from each other; each becomes an anchor `CHIP` and its
        number.

    Returns
    -------
    QTextDocument
        Its only other anchors are `LINK`; it has no pictures.
    """
    document = InertDocument()
    document.setUndoRedoEnabled(False)
    features = QTextDocument.MarkdownFeature
    document.setMarkdown(
        _prepared(text, chips), features.MarkdownDialectGitHub | features.MarkdownNoHTML
    )
    _disarm(document)
    _keep_small(document)
    _mark_chips(document, min(len(chips), _MOST_CHIPS))
    return document


def begins_plainly(document: QTextDocument) -> bool:
    """Whether a document begins with a paragraph, which can go on in a line that is there."""
    block = document.begin()
    return (
        block.textList() is None
        and not block.blockFormat().headingLevel()
        and not block.blockFormat().hasProperty(QTextFormat.Property.BlockCodeFence)
        and document.rootFrame().childFrames() == []
    )


def _prepared(text: str, chips: Sequence[Chip]) -> str:
    """Put marks round chips, and keep lines as lines."""
    plain = _MARK_OR_NUL.sub(_UNKNOWN, text)
    for number, chip in reversed(list(enumerate(chips[:_MOST_CHIPS]))):
        opening, closing = _marks(number)
        named = f"{opening}{plain[chip.start : chip.stop]}{closing}"
        plain = plain[: chip.start] + named + plain[chip.stop :]
    lines, fenced = plain.split("\n"), False
    for at, line in enumerate(lines):
        fenced ^= line.lstrip().startswith(_FENCES)
        if not fenced and line.strip() and at + 1 < len(lines) and lines[at + 1].strip():
            lines[at] = f"{line}  "  # Markdown would join the two
    # Qt keeps what stands between two such lines at the top to itself.
    return ("\n" if lines[0].startswith("---") else "") + "\n".join(lines)


def _blocks(document: QTextDocument) -> Iterator[QTextBlock]:
    block = document.begin()
    while block.isValid():
        yield block
        block = block.next()


def _fragments(document: QTextDocument) -> list[tuple[int, int, QTextCharFormat]]:
    """Return place, length and format of all pieces of text of one format."""
    found = []
    for block in _blocks(document):
        pieces = block.begin()
        while not pieces.atEnd():
            piece = pieces.fragment()
            found.append((piece.position(), piece.length(), piece.charFormat()))
            pieces += 1
    return found


def _selected(document: QTextDocument, start: int, length: int) -> QTextCursor:
    cursor = QTextCursor(document)
    cursor.setPosition(start)
    cursor.setPosition(start + length, QTextCursor.MoveMode.KeepAnchor)
    return cursor


def _disarm(document: QTextDocument) -> None:
    """Write the names of pictures instead of them, and mark links as what they are."""
    for start, length, format_ in reversed(_fragments(document)):
        if format_.isImageFormat():
            image = format_.toImageFormat()
            named = image.property(QTextFormat.Property.ImageAltText) or image.name()
            _selected(document, start, length).insertText(f"[picture: {named}]", QTextCharFormat())
        elif format_.isAnchor():
            address, plain = format_.anchorHref(), QTextCharFormat(format_)
            plain.clearProperty(QTextFormat.Property.AnchorName)
            plain.clearProperty(QTextFormat.Property.TextToolTip)
            plain.clearForeground()
            plain.setAnchorHref(f"{LINK}{address}")
            plain.setFontUnderline(True)
            _selected(document, start, length).setCharFormat(plain)


def _keep_small(document: QTextDocument) -> None:
    """Let headings, quotes, lists and code fit a narrow dock."""
    for block in _blocks(document):
        cursor = QTextCursor(block)
        format_ = QTextBlockFormat(block.blockFormat())
        format_.setNonBreakableLines(False)
        format_.setTopMargin(_SPACE_ABOVE)
        format_.setBottomMargin(_SPACE_BELOW)
        format_.setIndent(min(format_.indent(), _DEEPEST))
        format_.setLeftMargin(min(format_.leftMargin(), 16.0 * _DEEPEST))
        format_.setRightMargin(0)
        cursor.setBlockFormat(format_)
        if (listed := block.textList()) is not None and listed.format().indent() > _DEEPEST:
            shape = listed.format()
            shape.setIndent(_DEEPEST)
            listed.setFormat(shape)
    for start, length, letters in _fragments(document):
        if letters.intProperty(QTextFormat.Property.FontSizeAdjustment) > 1:
            smaller = QTextCharFormat(letters)
            smaller.setProperty(QTextFormat.Property.FontSizeAdjustment, 1)
            _selected(document, start, length).setCharFormat(smaller)


def _marks(number: int) -> tuple[str, str]:
    """Return what stands before and behind a chip."""
    return chr(_FIRST_MARK + 2 * number), chr(_FIRST_MARK + 2 * number + 1)


def _mark_chips(document: QTextDocument, count: int) -> None:
    """Turn what stands between marks into anchors, and take the marks out."""
    for number in range(count):
        opening, closing = (document.find(mark) for mark in _marks(number))
        start, stop = opening.selectionStart(), closing.selectionStart() - 1
        whole = not opening.isNull() and not closing.isNull()
        for mark in (closing, opening):
            mark.removeSelectedText()
        if whole and start < stop:
            anchor = QTextCharFormat()
            anchor.setAnchor(True)
            anchor.setAnchorHref(f"{CHIP}{number}")
            _selected(document, start, stop - start).mergeCharFormat(anchor)
