"""Where one types, runs and cancels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

from napari_sa2va.widgets.chat_bar import ChatBar
from napari_sa2va.widgets.objects_model import plain_tip
from napari_sa2va.widgets.transcript import Transcript

if TYPE_CHECKING:
    from napari_sa2va.widgets.asked import Mode

PLACEHOLDERS: Final = {
    "segment": "the large red cell\nOne expression a line: each becomes an object.",
    "ask": "What is in this image? Is @3 like @7?\nAsked word for word; @3 is label 3.",
    "describe": "Please describe region1 in detail.\nAsked of each region, or type a question.",
}

_FRAME: Final = (
    "{0} {{ border: 1px solid rgba(128, 128, 128, 110); border-radius: 3px; }}"
    "{0}:focus {{ border-color: rgb(70, 130, 220); }}"
)


class Composer(QPlainTextEdit):
    """Where expressions and questions are typed; tall enough for three lines."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTabChangesFocus(True)
        self.setAccessibleName("Expressions or question")
        line = self.fontMetrics().lineSpacing()
        margins = 2 * (self.frameWidth() + int(self.document().documentMargin()))
        self.setFixedHeight(3 * line + margins + 4)


class AskPanel(QWidget):
    """Conversation, composer, Run and Cancel, and how far a run is.

    Parameters
    ----------
    run_key, cancel_key : str
        Shown on the buttons; the dock makes the shortcuts.
    """

    run_clicked = Signal()
    cancel_clicked = Signal()

    def __init__(
        self,
        run_key: str,
        cancel_key: str,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.transcript = Transcript()
        self.bar = ChatBar()
        self.composer = Composer()
        self.transcript.setMinimumHeight(9 * self.transcript.fontMetrics().lineSpacing())
        for field in (self.transcript, self.composer):
            # napari's themes draw text fields without any border.
            field.setStyleSheet(_FRAME.format(type(field).__name__))
        self.segment = QRadioButton("Segment")
        self.segment.setToolTip("Each line is an expression; what it names becomes an object.")
        self.ask = QRadioButton("Ask")
        self.ask.setToolTip("The text goes to the model word for word.")
        self.describe = QRadioButton("Describe")
        self.describe.setToolTip("Each region is described, or asked about, on its own.")
        self._modes = QButtonGroup(self)
        for button in (self.segment, self.ask, self.describe):
            self._modes.addButton(button)
        self.run = QPushButton(f"Run  {_shown(run_key)}")
        self.run.setAccessibleName("Run")
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip(f"End the run, keep what was found ({_shown(cancel_key)})")
        self.stage = QElidingLabel()
        self.stage.setElideMode(Qt.TextElideMode.ElideRight)
        self.stage.setTextFormat(Qt.TextFormat.PlainText)  # a question, as it was typed
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(6)
        self.regions: QWidget | None = None
        self._ran, self._ran_in = "", ""
        self._lay_out()
        self.run.clicked.connect(self.run_clicked)
        self.cancel.clicked.connect(self.cancel_clicked)
        self._modes.buttonToggled.connect(self._on_mode)
        self._modes.buttonClicked.connect(self._on_clicked)
        self.segment.setChecked(True)
        self.set_busy(False)

    def _lay_out(self) -> None:
        modes = QHBoxLayout()
        for button in (self.segment, self.ask, self.describe):
            modes.addWidget(button)
        modes.addStretch(1)
        state = QHBoxLayout()
        state.addWidget(self.stage, stretch=1)
        state.addWidget(self.cancel)
        state.addWidget(self.run)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.transcript, stretch=1)
        layout.addWidget(self.bar)
        layout.addWidget(self.composer)
        layout.addLayout(modes)
        self._place = QVBoxLayout()
        layout.addLayout(self._place)
        layout.addLayout(state)
        layout.addWidget(self.progress)

    @property
    def mode(self) -> Mode:
        """What Run does with the text."""
        if self.describe.isChecked():
            return "describe"
        return "ask" if self.ask.isChecked() else "segment"

    @mode.setter
    def mode(self, mode: str) -> None:
        wanted = {"ask": self.ask, "describe": self.describe}.get(mode, self.segment)
        wanted.setChecked(True)

    def place_regions(self, widget: QWidget) -> None:
        """Show a widget where questions may be about regions."""
        self.regions = widget
        self._place.addWidget(widget)
        self._on_mode()

    @property
    def text(self) -> str:
        """What was typed."""
        return self.composer.toPlainText()

    def note_run(self) -> None:
        """Select the text that was just run: the next one replaces it, and it can be run again.

        It goes when another mode is chosen: an expression is no question, nor the other way round.
        """
        self.composer.selectAll()
        self._ran, self._ran_in = self.text, self.mode

    def set_busy(self, busy: bool) -> None:
        """Show that a run is under way, or none."""
        self.run.setEnabled(not busy)
        self.bar.caption.setEnabled(not busy)
        self.cancel.setEnabled(busy)
        # Hidden but keeping its place: nothing jumps when a run starts.
        policy = self.progress.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.progress.setSizePolicy(policy)
        self.progress.setVisible(busy)

    def show_stage(self, text: str, fraction: float | None) -> None:
        """Say what is being done, and how far it is (0 to 1, None while that is unknown)."""
        self.stage.setText(text)
        self.stage.setToolTip(plain_tip(text) if text else "")
        # Enabled, QProgressBar would paint the window at once, and the canvas with it; so it waits
        # for the next turn of the event loop.
        self.progress.setUpdatesEnabled(False)
        if fraction is None:
            self.progress.setRange(0, 0)
        else:
            self.progress.setRange(0, 1000)
            self.progress.setValue(round(fraction * 1000))
        self.progress.setUpdatesEnabled(True)

    def _on_clicked(self) -> None:
        """Take away what was run in another mode; Ctrl+Z brings it back."""
        if self._ran and self.mode != self._ran_in and self.text == self._ran:
            self.composer.selectAll()
            self.composer.textCursor().removeSelectedText()

    def _on_mode(self) -> None:
        self.composer.setPlaceholderText(PLACEHOLDERS[self.mode])
        self.bar.offer_about(self.mode == "ask")
        if self.regions is not None:
            self.regions.setVisible(self.mode != "segment")


def _shown(key: str) -> str:
    """Write a shortcut as people call it on this system."""
    native: str = QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)
    return native.replace("Return", "Enter")
