"""The conversation as text that can be read and copied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSize
from qtpy.QtGui import QFont, QTextCharFormat, QTextCursor
from qtpy.QtWidgets import QPlainTextEdit, QWidget

if TYPE_CHECKING:
    from napari_sa2va.annotation import Turn


class Transcript(QPlainTextEdit):
    """Turns below each other, the newest last; it follows while its end is in view."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setReadOnly(True)
        self.setTabChangesFocus(True)
        self.setPlaceholderText("Questions and answers stand here.")
        self.setAccessibleName("Conversation")
        self._start_of_last = 0

    def sizeHint(self) -> QSize:
        """Return a small wish: it grows with the dock, and a small dock need not scroll for it."""
        return QSize(super().sizeHint().width(), 6 * self.fontMetrics().lineSpacing())

    def add_turn(self, turn: Turn) -> None:
        """Write a new turn."""
        cursor = self._cursor_at_end()
        if not self.document().isEmpty():
            cursor.insertBlock()
        self._start_of_last = cursor.position()
        self._write(cursor, turn)

    def change_last(self, turn: Turn) -> None:
        """Write the last turn anew."""
        cursor = self._cursor_at_end()
        cursor.setPosition(self._start_of_last, QTextCursor.MoveMode.KeepAnchor)
        cursor.removeSelectedText()
        self._write(cursor, turn)

    def _write(self, cursor: QTextCursor, turn: Turn) -> None:
        bar = self.verticalScrollBar()
        following = bar.value() >= bar.maximum() - 2
        bold, plain = QTextCharFormat(), QTextCharFormat()
        bold.setFontWeight(QFont.Weight.Bold)
        cursor.insertText(f"{turn.speaker}  ", bold)
        cursor.insertText(turn.text, plain)
        if following:
            bar.setValue(bar.maximum())

    def _cursor_at_end(self) -> QTextCursor:
        cursor = QTextCursor(self.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        return cursor
