"""What can be done with a turn of the conversation: buttons where the mouse is, and a menu."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QMenu, QToolButton, QWidget

from napari_sa2va.widgets.chat_places import free_place

if TYPE_CHECKING:
    from qtpy.QtWidgets import QTextEdit

    from napari_sa2va.widgets.chat_turns import Shown
    from napari_sa2va.widgets.transcript import Transcript


class TurnButtons(QWidget):
    """Copy and Edit, at the right of the turn that the mouse is over.

    Parameters
    ----------
    parent : QWidget
        The viewport that they float over.
    """

    copy_clicked = Signal(int)
    edit_clicked = Signal(int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._number = -1
        self.copy = QToolButton()
        self.copy.setText("Copy")
        self.copy.setToolTip("Copy what was said here")
        self.edit = QToolButton()
        self.edit.setText("Edit")
        self.edit.setToolTip("Change this question and ask it again")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        for button in (self.edit, self.copy):
            button.setStyleSheet("QToolButton { padding: 0px 5px; }")
            button.setFixedHeight(parent.fontMetrics().height())  # no higher than a line of text
            layout.addWidget(button)
        self.copy.clicked.connect(lambda: self.copy_clicked.emit(self._number))
        self.edit.clicked.connect(lambda: self.edit_clicked.emit(self._number))
        self.hide()

    @property
    def number(self) -> int:
        """The turn that they belong to."""
        return self._number

    def offer(self, view: QTextEdit, shown: Shown, stop: int) -> None:
        """Stand at the right of a turn, where nothing can be clicked; the menu has all else.

        Parameters
        ----------
        view : QTextEdit
            Whose viewport they float over.
        shown : Shown
            The turn.
        stop : int
            Where it ends in the document.
        """
        self._number = shown.number
        self.edit.setVisible(shown.is_question)
        self.adjustSize()
        place = free_place(view, shown.start.position(), stop, self.size())
        self.setVisible(place is not None)
        if place is not None:
            self.move(place)
            self.raise_()


def turn_menu(view: Transcript, shown: Shown | None, marked: bool) -> QMenu:
    """Return a menu for a place in the conversation.

    Parameters
    ----------
    view : Transcript
    shown : Shown or None
        The turn at that place.
    marked : bool
        Whether any text is marked.
    """
    menu = QMenu(view)
    menu.aboutToHide.connect(menu.deleteLater)
    if marked:
        menu.addAction("Copy the marked text").triggered.connect(view.copy)
    if shown is not None:
        number, what = shown.number, "question" if shown.is_question else "answer"
        menu.addAction(f"Copy this {what}").triggered.connect(lambda: view.copy_turn(number))
        if shown.is_question:
            action = menu.addAction("Edit this question and ask again")
            action.triggered.connect(lambda: view.edit_wanted.emit(number))
        menu.addAction("Copy the whole conversation").triggered.connect(view.copy_all_wanted)
    return menu
