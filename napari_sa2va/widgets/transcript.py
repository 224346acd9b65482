"""The conversation as text that can be read, copied and pointed at."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QEvent, QSize, Qt, QTimer, Signal
from qtpy.QtGui import QGuiApplication, QPalette, QTextCursor
from qtpy.QtWidgets import QTextEdit, QWidget

from napari_sa2va.widgets.chat_actions import TurnButtons, turn_menu
from napari_sa2va.widgets.chat_markdown import CHIP, LINK, InertDocument
from napari_sa2va.widgets.chat_turns import Inks, Shown, TurnWriter
from napari_sa2va.widgets.objects_model import plain_tip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from qtpy.QtCore import QPoint
    from qtpy.QtGui import QContextMenuEvent, QMouseEvent, QResizeEvent

    from napari_sa2va.annotation import Turn
    from napari_sa2va.widgets.chat_turns import Look

_GROW_MILLISECONDS: Final = 60
"""How long words gather before they are drawn: a fast model says hundreds a second."""
_REFRESH_MILLISECONDS: Final = 80
_INDENT: Final = 16.0


class Transcript(QTextEdit):
    """Turns below each other, the newest last; it follows while its end is in view.

    It knows turns by the numbers that it is given, and nothing of layers: `looks` says how the
    chips of an answer are drawn.
    """

    chip_entered = Signal(int, int)
    """The mouse is over a chip: the number of the turn, and that of the chip; -1 when it leaves."""
    chip_clicked = Signal(int, int)
    link_clicked = Signal(str)
    """An address, as the model wrote it. Nothing was opened."""
    edit_wanted = Signal(int)
    """A question is to be edited and asked again."""
    copy_all_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        document = InertDocument(self)
        document.setDefaultFont(self.font())
        document.setIndentWidth(_INDENT)
        self.setDocument(document)
        self.setReadOnly(True)
        self.setUndoRedoEnabled(False)
        self.setTabChangesFocus(True)
        # One short line: Qt (6.11) does not break it. The caution stands in the bar below.
        self.setPlaceholderText("Questions and answers stand here.")
        self.setAccessibleName("Conversation")
        self.setLineWrapMode(QTextEdit.LineWrapMode.WidgetWidth)
        self.viewport().setMouseTracking(True)
        self.looks: Callable[[int], list[Look | None]] = lambda number: []
        self._writer = TurnWriter(document)
        self._shown: list[Shown] = []
        self._at: dict[int, int] = {}
        self._growing: tuple[int, str] | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_GROW_MILLISECONDS)
        self._timer.timeout.connect(self._grow)
        self._refresh_timer = QTimer(self)
        self._refresh_timer.setSingleShot(True)
        self._refresh_timer.setInterval(_REFRESH_MILLISECONDS)
        self._refresh_timer.timeout.connect(self.refresh_chips)
        self._over = (-1, -1)
        viewport = self.viewport()
        assert viewport is not None
        self._buttons = TurnButtons(viewport)
        self._buttons.copy_clicked.connect(self.copy_turn)
        self._buttons.edit_clicked.connect(self.edit_wanted)
        self.verticalScrollBar().valueChanged.connect(self._offer_again)

    # --- what is shown ---

    @property
    def numbers(self) -> list[int]:
        """The turns that are shown, from the top."""
        return [one.number for one in self._shown]

    def show_turns(self, turns: Iterable[tuple[int, Turn]]) -> None:
        """Show these turns, and no others; the newest are in view."""
        self._timer.stop()
        self._growing = None
        self._buttons.hide()
        self.setUpdatesEnabled(False)
        self._shown, self._at = [], {}
        self.document().clear()
        for number, turn in turns:
            self._append(number, turn)
        self.setUpdatesEnabled(True)
        self._to_end()

    def add_turn(self, number: int, turn: Turn) -> None:
        """Write a new turn."""
        following = self._following
        self._append(number, turn)
        if following:
            self._to_end()

    def grow(self, number: int, text: str) -> None:
        """Follow an answer that is being said; soon, with what came meanwhile."""
        self._growing = number, text
        if not self._timer.isActive():
            self._timer.start()

    def change(self, number: int, turn: Turn) -> None:
        """Write a turn anew."""
        at = self._at.get(number)
        if at is None:
            return
        if self._growing is not None and self._growing[0] == number:
            self._timer.stop()
            self._growing = None
        following, bar = self._following, self.verticalScrollBar()
        place = bar.value()
        self._writer.rewrite(self._shown[at], turn, self._stop_of(at), self._looks(number, turn))
        if following:
            self._to_end()
        else:
            bar.setValue(place)
        self._offer_again()

    def refresh_soon(self, *_: object) -> None:
        """Draw the chips anew soon: objects can change many times a second."""
        if not self._refresh_timer.isActive():
            self._refresh_timer.start()

    def refresh_chips(self) -> None:
        """Draw the chips anew whose objects changed."""
        for one in self._shown:
            if one.chips:
                self._writer.ink_chips(one, self.looks(one.number))

    def show_chip(self, number: int, chip: int) -> None:
        """Scroll to a chip, unless it is in view."""
        at = self._at.get(number)
        if at is None or chip >= len(self._shown[at].chips):
            return
        cursor = QTextCursor(self._shown[at].chips[chip].cursor)
        cursor.setPosition(cursor.selectionStart())
        rect = self.cursorRect(cursor)
        if rect.top() < 0 or rect.bottom() > self.viewport().height():
            bar = self.verticalScrollBar()
            bar.setValue(bar.value() + rect.top() - self.viewport().height() // 3)

    def _append(self, number: int, turn: Turn) -> None:
        first = not self._shown
        shown = self._writer.append(number, turn, self._looks(number, turn), first=first)
        self._at[number] = len(self._shown)
        self._shown.append(shown)

    def _looks(self, number: int, turn: Turn) -> list[Look | None]:
        return self.looks(number) if turn.chips else []

    def _grow(self) -> None:
        if self._growing is None:
            return
        number, text = self._growing
        self._growing = None
        at = self._at.get(number)
        if at is None or at != len(self._shown) - 1:
            return
        following = self._following
        self._writer.grow(self._shown[at], text)
        if following:
            self._to_end()
        self._offer_again()

    def _stop_of(self, at: int) -> int:
        """Return where a turn ends in the document."""
        if at + 1 < len(self._shown):
            return self._shown[at + 1].start.position() - 1
        return self.document().characterCount() - 1

    @property
    def _following(self) -> bool:
        bar = self.verticalScrollBar()
        return bar.value() >= bar.maximum() - 4

    def _to_end(self) -> None:
        bar = self.verticalScrollBar()
        bar.setValue(bar.maximum())

    # --- copying ---

    def text_of(self, number: int) -> str:
        """Return what was said in a turn, as it was written; so far, where it is being said."""
        at = self._at.get(number)
        if self._growing is not None and self._growing[0] == number:
            self._grow()
        return "" if at is None else self._shown[at].text

    def copy_turn(self, number: int) -> None:
        """Put what was said in a turn on the clipboard."""
        if text := self.text_of(number):  # else what is there stays
            QGuiApplication.clipboard().setText(text)

    # --- the mouse ---

    def turn_at(self, place: QPoint) -> int | None:
        """Return the turn at a place of the viewport."""
        if not self._shown:
            return None
        at = self.cursorForPosition(place).position()
        starts = [one.start.position() for one in self._shown]
        return self._shown[max(bisect_right(starts, at) - 1, 0)].number

    def _chip_at(self, place: QPoint) -> tuple[int, int]:
        anchor = self.anchorAt(place)
        number = self.turn_at(place) if anchor.startswith(CHIP) else None
        return (-1, -1) if number is None else (number, int(anchor.removeprefix(CHIP)))

    def _enter(self, chip: tuple[int, int]) -> None:
        if chip != self._over:
            self._over = chip
            self.chip_entered.emit(*chip)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Say which chip the mouse is over, and offer what can be done with the turn."""
        super().mouseMoveEvent(event)
        if event is None or event.buttons() != Qt.MouseButton.NoButton:
            return
        place = event.position().toPoint()
        anchor = self.anchorAt(place)
        shape = Qt.CursorShape.PointingHandCursor if anchor else Qt.CursorShape.IBeamCursor
        self.viewport().setCursor(shape)
        is_link = anchor.startswith(LINK)
        self.setToolTip(plain_tip(anchor.removeprefix(LINK)) if is_link else "")
        self._enter(self._chip_at(place))
        self._offer(self.turn_at(place))

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Follow a chip; of a link only say that it was clicked."""
        super().mouseReleaseEvent(event)
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        if self.textCursor().hasSelection():  # text was marked, not clicked
            return
        place = event.position().toPoint()
        anchor = self.anchorAt(place)
        if anchor.startswith(CHIP):
            self.chip_clicked.emit(*self._chip_at(place))
        elif anchor.startswith(LINK):
            self.link_clicked.emit(anchor.removeprefix(LINK))

    def leaveEvent(self, event: QEvent | None) -> None:
        """Let go of what the mouse was over."""
        super().leaveEvent(event)
        self._enter((-1, -1))
        self._buttons.hide()

    def contextMenuEvent(self, event: QContextMenuEvent | None) -> None:
        """Offer what can be done with the text that is marked, with the turn, and with all."""
        if event is None:
            return
        number = self.turn_at(event.pos())
        shown = None if number is None else self._shown[self._at[number]]
        menu = turn_menu(self, shown, self.textCursor().hasSelection())
        if menu.actions():
            menu.popup(event.globalPos())

    def _offer(self, number: int | None) -> None:
        """Let the buttons of a turn stand where they cover nothing that can be clicked."""
        at = None if number is None else self._at.get(number)
        if at is None:
            self._buttons.hide()
        else:
            self._buttons.offer(self, self._shown[at], self._stop_of(at))

    def _offer_again(self) -> None:
        """Let the buttons go with the text, which moved."""
        if self._buttons.isVisible():
            self._offer(self._buttons.number)

    # --- Qt's names from here on ---

    def loadResource(self, type: int, name: Any) -> Any:
        """Load nothing: what is named in an answer stays where it is."""
        return None

    def sizeHint(self) -> QSize:
        """Return a small wish: it grows with the dock, and a small dock need not scroll for it."""
        return QSize(super().sizeHint().width(), 12 * self.fontMetrics().lineSpacing())

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Keep the end in view, if it is."""
        following = self._following
        super().resizeEvent(event)
        if following:
            self._to_end()
        self._offer_again()

    def changeEvent(self, event: QEvent | None) -> None:
        """Take other colours with another theme."""
        super().changeEvent(event)
        kinds = (QEvent.Type.PaletteChange, QEvent.Type.StyleChange, QEvent.Type.FontChange)
        if event is not None and event.type() in kinds and hasattr(self, "_writer"):
            self._take_colours()

    def showEvent(self, event: Any) -> None:
        """Take the colours of the theme, which come with the window."""
        super().showEvent(event)
        self._take_colours()

    def _take_colours(self) -> None:
        palette = self.palette()
        inks = Inks.on(
            palette.color(QPalette.ColorRole.Text), palette.color(QPalette.ColorRole.Base)
        )
        if inks != self._writer.inks:
            self._writer.inks = inks
            following = self._following
            for at, one in enumerate(self._shown):
                looks = self._looks(one.number, one.turn)
                self._writer.rewrite(one, one.turn, self._stop_of(at), looks)
            if following:
                self._to_end()
