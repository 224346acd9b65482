"""Where objects are corrected: what is corrected, with which tool, and whether to keep it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

from napari_sa2va.widgets.correct_state import CorrectState
from napari_sa2va.widgets.objects_model import plain_tip
from napari_sa2va.widgets.shortcuts import shown, with_key

if TYPE_CHECKING:
    from qtpy.QtWidgets import QAbstractButton

# What takes less is not worth a word that comes and goes.
_SAY_BUSY_AFTER: Final = 250
_CORRECT: Final = "Correct on the canvas"
_WAITING: Final = "Clicks wait for the run to end"


class CorrectPanel(QWidget):
    """Buttons and words; what they mean is decided elsewhere."""

    toggled = Signal()
    selected_clicked = Signal()
    new_clicked = Signal()
    phrase_changed = Signal(str)
    positive_clicked = Signal()
    negative_clicked = Signal()
    box_clicked = Signal()
    scribble_clicked = Signal()
    paint_clicked = Signal()
    accept_clicked = Signal()
    reject_clicked = Signal()
    undo_clicked = Signal()
    next_clicked = Signal()
    previous_clicked = Signal()
    back_clicked = Signal()
    propagate_clicked = Signal(str)
    """``"forward"``, ``"backward"`` or ``"both"``."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._stack = False
        self._state = CorrectState()
        self.correct = _button(_CORRECT, "correct", checkable=True)
        self.selected = _button("Selected", "", checkable=True)
        self.new = _button("New object", "new_object", checkable=True)
        self.phrase = QLineEdit()
        self.phrase.setPlaceholderText("name of the new object (optional)")
        self.phrase.setAccessibleName("Name of the new object")
        self.positive = _button("+ Click", "positive", checkable=True)
        self.negative = _button("− Click", "negative", checkable=True)  # noqa: RUF001
        self.box = _button("▭ Box", "box", checkable=True)
        self.scribble = _button("∿ Scribble", "scribble", checkable=True)
        self.paint = _button("Use paint", "use_paint")
        self.previous = _small("◀", "previous_candidate", "Previous candidate mask")
        self.next = _small("▶", "next_candidate", "Next candidate mask")
        self.candidate = QLabel()
        self.accept = _button("Accept correction", "accept_correction")
        self.reject = _button("Reject it", "reject_correction")
        self.undo = _button("Undo click", "undo_click")
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.busy = QElidingLabel()
        self.busy.setElideMode(Qt.TextElideMode.ElideRight)
        self.back = QPushButton("Go back there")
        self.propagate_title = QLabel()
        self.backward = _button("◀", "propagate_backward")
        self.both = _button("◀▶", "propagate_both")
        self.forward = _button("▶", "propagate_forward")
        self._busy_soon = QTimer(self)
        self._busy_soon.setSingleShot(True)
        self._busy_soon.setInterval(_SAY_BUSY_AFTER)
        self._busy_soon.timeout.connect(self._show_busy)
        self._set_tips()
        self._lay_out()
        self._connect()
        self.show_state(self._state)

    def _set_tips(self) -> None:
        tips: dict[QAbstractButton, tuple[str, str]] = {
            self.correct: ("Click on objects in the image to correct them", "correct"),
            self.new: ("The next click begins an object of its own", "new_object"),
            self.positive: ("Clicks say: this belongs to the object", "positive"),
            self.negative: (
                "Clicks say: this does not belong to it; so does Shift+click",
                "negative",
            ),
            self.box: ("Drag a box round the object: it is found anew", "box"),
            self.scribble: ("Drag a stroke over what belongs to it, or does not", "scribble"),
            self.paint: ("Take the object as it is painted now with napari's brush", "use_paint"),
            self.accept: ("Keep it: one step, which Undo takes back", "accept_correction"),
            self.reject: ("Leave the object as it was", "reject_correction"),
            self.undo: ("Take the last click back", "undo_click"),
            self.forward: ("To higher planes, or later in time", "propagate_forward"),
            self.backward: ("To lower planes, or earlier in time", "propagate_backward"),
            self.both: ("Both ways", "propagate_both"),
        }
        for button, (tip, name) in tips.items():
            button.setToolTip(with_key(tip, name))
        for button in (self.forward, self.backward, self.both):
            button.setAccessibleName(f"Propagate: {tips[button][0]}")

    def _lay_out(self) -> None:
        self._targets = QButtonGroup(self)
        target = QHBoxLayout()
        for button in (self.selected, self.new):
            self._targets.addButton(button)
            target.addWidget(button)
        tools = QGridLayout()
        tools.setSpacing(4)
        for place, button in enumerate((self.positive, self.negative, self.box, self.scribble)):
            tools.addWidget(button, place // 2, place % 2)
        self._signs = QButtonGroup(self)
        self._signs.addButton(self.positive)
        self._signs.addButton(self.negative)
        candidates = QHBoxLayout()
        candidates.addStretch(1)
        candidates.addWidget(self.previous)
        candidates.addWidget(self.candidate)
        candidates.addWidget(self.next)
        candidates.addStretch(1)
        tools.addWidget(self.paint, 2, 0)
        tools.addLayout(candidates, 2, 1)
        for column in (0, 1):
            tools.setColumnStretch(column, 1)
        ends = QGridLayout()
        ends.setSpacing(4)
        ends.addWidget(self.accept, 0, 0, 1, 2)
        ends.addWidget(self.reject, 1, 0)
        ends.addWidget(self.undo, 1, 1)
        for column in (0, 1):
            ends.setColumnStretch(column, 1)
        ways = QHBoxLayout()
        for button in (self.backward, self.both, self.forward):
            ways.addWidget(button)
        self._while_on = QWidget()
        inside = QVBoxLayout(self._while_on)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(4)
        inside.addLayout(target)
        inside.addWidget(self.phrase)
        inside.addLayout(tools)
        inside.addWidget(self.text)
        inside.addWidget(self.back)
        inside.addLayout(ends)
        inside.addWidget(self.busy)
        self._while_stack = QWidget()
        stack = QVBoxLayout(self._while_stack)
        stack.setContentsMargins(0, 0, 0, 0)
        stack.setSpacing(4)
        stack.addWidget(self.propagate_title)
        stack.addLayout(ways)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.correct)
        layout.addWidget(self._while_on)
        layout.addWidget(self._while_stack)

    def _connect(self) -> None:
        for button, signal in (
            (self.correct, self.toggled),
            (self.selected, self.selected_clicked),
            (self.new, self.new_clicked),
            (self.positive, self.positive_clicked),
            (self.negative, self.negative_clicked),
            (self.box, self.box_clicked),
            (self.scribble, self.scribble_clicked),
            (self.paint, self.paint_clicked),
            (self.accept, self.accept_clicked),
            (self.reject, self.reject_clicked),
            (self.undo, self.undo_clicked),
            (self.next, self.next_clicked),
            (self.previous, self.previous_clicked),
            (self.back, self.back_clicked),
        ):
            button.clicked.connect(signal)
            # What was clicked is shown when it is so, not because it was clicked.
            button.clicked.connect(self._show_checks)
        self.forward.clicked.connect(lambda: self.propagate_clicked.emit("forward"))
        self.backward.clicked.connect(lambda: self.propagate_clicked.emit("backward"))
        self.both.clicked.connect(lambda: self.propagate_clicked.emit("both"))
        self.phrase.textChanged.connect(self.phrase_changed)

    def show_stack(self, stack: bool) -> None:
        """Offer to propagate, or not: the image has one plane."""
        self._stack = stack
        self.show_state(self._state)

    def show_state(self, state: CorrectState) -> None:
        """Show what is."""
        self._state = state
        self._while_on.setVisible(state.on)
        self._show_checks()
        phrase = f" · {state.phrase}" if state.phrase else ""
        self.selected.setText(
            "None selected" if state.selected is None else f"■ {state.selected}{phrase}"
        )
        self.selected.setToolTip(
            "Select an object in the table or on the canvas to correct it"
            if state.selected is None
            else plain_tip(f"Correct ■ {state.selected}{phrase}")
        )
        self.selected.setEnabled(state.selected is not None)
        self.phrase.setVisible(state.new)
        self.text.setText(state.text)
        self.text.setAccessibleName(state.text)
        self.back.setVisible(bool(state.elsewhere))
        several = state.candidates > 1
        self.previous.setEnabled(several)
        self.next.setEnabled(several)
        self.candidate.setText(
            f"{state.candidate} of {state.candidates}" if state.candidates else "–"  # noqa: RUF001
        )
        for button in (self.accept, self.reject, self.undo):
            button.setEnabled(state.open)
        self.accept.setEnabled(state.open and not state.empty)
        propagates = state.propagates is not None
        self._while_stack.setVisible(self._stack and propagates)
        self.propagate_title.setText(f"Propagate ■ {state.propagates} from this plane")
        if not state.busy:
            self._busy_soon.stop()
            self._show_busy()
        elif self.busy.text():
            self._show_busy()
        elif not self._busy_soon.isActive():
            self._busy_soon.start()

    @property
    def summary(self) -> str:
        """Say in a few words what is going on."""
        return self._state.text or "off"

    def _show_checks(self) -> None:
        state = self._state
        self.correct.setChecked(state.on)
        self.selected.setChecked(not state.new)
        self.new.setChecked(state.new)
        self.positive.setChecked(state.positive)
        self.negative.setChecked(not state.positive)
        self.box.setChecked(state.drag == "box")
        self.scribble.setChecked(state.drag == "scribble")

    def _show_busy(self) -> None:
        busy = self._state.busy
        self.busy.setText(f"{busy}…" if busy else "")
        waits = busy.startswith("Waiting")
        self.correct.setText(_WAITING if waits else _with_shown(_CORRECT, "correct"))


def _button(text: str, name: str, *, checkable: bool = False) -> QPushButton:
    button = QPushButton(_with_shown(text, name))
    button.setAccessibleName(text)
    button.setCheckable(checkable)
    button.setMinimumWidth(1)
    button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return button


def _with_shown(text: str, name: str) -> str:
    key = shown(name) if name else ""
    return f"{text}  {key}" if key else text


def _small(text: str, name: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setAccessibleName(tip)
    button.setToolTip(with_key(tip, name))
    return button
