"""What stands between the conversation and the composer: what to ask, about what, and a caution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_sa2va.annotation.ready_questions import STANDARD, by_group, parse
from napari_sa2va.widgets.objects_model import plain_tip

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_sa2va.viewer import StackAxis

CAUTION: Final = "Not a measurement, not a diagnosis."
_FIRST_FRAMES: Final = 5
_MOST_FRAMES: Final = 32


class ChatBar(QWidget):
    """Buttons of the conversation.

    Attributes
    ----------
    questions : callable
        Returns the text of the ready-made questions.
    """

    caption_clicked = Signal()
    question_chosen = Signal(str)
    """The text of a ready-made question."""
    edit_questions_clicked = Signal()
    new_clicked = Signal()
    copy_clicked = Signal()
    about_changed = Signal()
    """Another plane, or other planes, are asked about."""
    keep_clicked = Signal()
    """The question that is being edited is to stay as it was."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.questions: Callable[[], str] = lambda: STANDARD
        self._wanted = False
        self._axes: list[StackAxis] = []
        self.caption = _button("Caption", "Describe the image, with a mask for each thing named")
        self.ready = _button("Questions ▾", "Questions to choose from, and to change")
        self.menu = QMenu(self.ready)
        self.ready.setMenu(self.menu)
        # napari's themes draw the arrow over the text.
        self.ready.setStyleSheet("QPushButton::menu-indicator { image: none; }")
        self.new = _button("New", "")
        self.copy = _button("Copy all", "Copy the whole conversation")
        self.caution = QLabel(CAUTION)
        self.caution.setWordWrap(True)
        self.caution.setStyleSheet("font-size: 8pt;")  # one line in a narrow dock
        self.caution.setToolTip(
            "These are the words of a language model. They can be wrong, also where they sound "
            "sure. Areas and numbers in the table of objects are measured from the masks."
        )
        self.about = QComboBox()
        self.about.setAccessibleName("What the question is about")
        self.about.setToolTip("The plane that is shown, or several planes at once, as a movie")
        self.about.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.frames = QSpinBox()
        self.frames.setRange(2, _MOST_FRAMES)
        self.frames.setValue(_FIRST_FRAMES)
        self.frames.setPrefix("up to ")
        self.frames.setMaximumWidth(self.fontMetrics().horizontalAdvance("up to 99") + 44)
        self.frames.setAccessibleName("How many planes the model looks at")
        self.frames.setToolTip("At most so many, spread evenly; each makes the answer slower")
        self.editing = QWidget()
        self.keep = QPushButton("Keep as it was")
        self._lay_out()
        self._connect()
        self.set_axes(())
        self.show_editing(False)
        self.show_carried(0)

    def _lay_out(self) -> None:
        tools = QHBoxLayout()
        tools.setSpacing(4)
        for button in (self.caption, self.ready):
            tools.addWidget(button)
        tools.addStretch(1)
        for button in (self.new, self.copy):
            tools.addWidget(button)
        self._about_row = QWidget()
        row = QHBoxLayout(self._about_row)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(QLabel("About"))
        row.addWidget(self.about, stretch=1)
        row.addWidget(self.frames)
        editing = QHBoxLayout(self.editing)
        editing.setContentsMargins(0, 0, 0, 0)
        told = QLabel("Editing a question: what came after it is set aside.")
        told.setWordWrap(True)
        editing.addWidget(told, stretch=1)
        editing.addWidget(self.keep)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(self.caution)
        layout.addLayout(tools)
        layout.addWidget(self._about_row)
        layout.addWidget(self.editing)

    def _connect(self) -> None:
        self.caption.clicked.connect(self.caption_clicked)
        self.new.clicked.connect(self.new_clicked)
        self.copy.clicked.connect(self.copy_clicked)
        self.keep.clicked.connect(self.keep_clicked)
        self.menu.aboutToShow.connect(self._fill_menu)
        self.about.currentIndexChanged.connect(self._on_about)
        self.about.currentIndexChanged.connect(self.about_changed)
        self.frames.valueChanged.connect(self.about_changed)

    # --- what a question is about ---

    @property
    def movie(self) -> int | None:
        """The axis whose planes a question is about; None for the plane shown."""
        axis: int | None = self.about.currentData()
        return axis

    def set_axes(self, axes: Sequence[StackAxis]) -> None:
        """Offer the axes along which there are planes; the choice stays where it can."""
        if [one.axis for one in axes] != [one.axis for one in self._axes] or not self.about.count():
            former = self.movie
            self.about.blockSignals(True)
            self.about.clear()
            self.about.addItem("the plane shown", None)
            for one in axes:
                self.about.addItem(f"planes of {one.name}", one.axis)
            self.about.setCurrentIndex(max(self.about.findData(former), 0))
            self.about.blockSignals(False)
        self._axes = list(axes)
        self._on_about()
        self.offer_about(self._wanted)

    def offer_about(self, possible: bool) -> None:
        """Show the choice where it counts: where a question is typed."""
        self._wanted = possible
        self._about_row.setVisible(possible and bool(self._axes))

    def _on_about(self) -> None:
        self.frames.setVisible(self.movie is not None)
        chosen = next((one for one in self._axes if one.axis == self.movie), None)
        if chosen is not None:
            self.frames.setMaximum(max(min(chosen.length, _MOST_FRAMES), 2))

    # --- what is going on ---

    def show_editing(self, editing: bool) -> None:
        """Say that Run will ask in the place of an earlier question."""
        self.editing.setVisible(editing)

    def show_carried(self, sent: int, said: int = 0) -> None:
        """Say how many questions go with the next one.

        Parameters
        ----------
        sent : int
            So many, as things stand.
        said : int
            Since the conversation began; those of them that are not sent are about something else
            than what is looked at now, or too long ago.
        """
        said = max(said, sent)
        self.new.setEnabled(said > 0)
        self.new.setText(f"New ({sent})" if sent else "New")
        left_out = said - sent
        begin = "Begin a new conversation: what was said stays here, but no longer goes with what "
        if not said:
            tip = "Nothing was said that would go with the next question"
        elif not left_out:
            tip = f"{begin}you ask next. Now {_questions(sent)} would, with their answers."
        elif sent:
            tip = (
                f"{begin}you ask next. Now {_questions(sent)} of {said} would, with their answers: "
                "the others are about something else than what is looked at, or too long ago."
            )
        else:
            tip = (
                f"{begin}you ask later. Now none of {_questions(said)} would: they are about "
                "something else than what is looked at."
            )
        self.new.setToolTip(plain_tip(tip))

    def _fill_menu(self) -> None:
        self.menu.clear()
        groups = by_group(parse(self.questions()))
        for number, (group, questions) in enumerate(groups.items()):
            menu = self.menu if number == 0 else self.menu.addMenu(group or "Others")
            for question in questions:
                action = menu.addAction(question.title.replace("&", "&&"))
                action.setToolTip(plain_tip(question.text))
                action.triggered.connect(
                    lambda _=False, text=question.text: self.question_chosen.emit(text)
                )
            menu.setToolTipsVisible(True)
        self.menu.addSeparator()
        self.menu.addAction("Change these questions…").triggered.connect(
            self.edit_questions_clicked
        )


def _questions(count: int) -> str:
    return f"{count} question{'s' * (count > 1)}"


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setAccessibleName(text.rstrip(" ▾"))
    return button
