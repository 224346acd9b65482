"""What can be done with a turn of the conversation: buttons where the mouse is, and a menu."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QMenu, QToolButton, QWidget

if TYPE_CHECKING:
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
            button.setStyleSheet("QToolButton { padding: 1px 5px; }")
            layout.addWidget(button)
        self.copy.clicked.connect(lambda: self.copy_clicked.emit(self._number))
        self.edit.clicked.connect(lambda: self.edit_clicked.emit(self._number))
        self.hide()

    def offer(self, number: int, top: int, *, question: bool) -> None:
        """Stand at the right of a turn.

        Parameters
        ----------
        number : int
            Of the turn.
        top : int
            Of its first line in the viewport, in pixels.
        question : bool
            Whether it can be edited.
        """
        self._number = number
        self.edit.setVisible(question)
        self.adjustSize()
        parent = self.parentWidget()
        assert parent is not None
        self.move(parent.width() - self.width() - 2, top)
        self.show()
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
