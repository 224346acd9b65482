"""What was said of objects beside what is measured on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QSize, Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QApplication,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_sa2va.annotation.measure_text import (
    measured_lines,
    said_lines,
    summarized,
    summary_lines,
    tsv,
)
from napari_sa2va.errors import Cancelled
from napari_sa2va.viewer.measuring import MeasureJob, measure_job
from napari_sa2va.widgets.exchange_task import Task
from napari_sa2va.widgets.messages import Message
from napari_sa2va.widgets.objects_model import plain_tip
from napari_sa2va.widgets.shortcuts import with_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sa2va.annotation import ObjectRecord
    from napari_sa2va.annotation.measure import Measured
    from napari_sa2va.viewer.objects import LabelObjects

WHICH: Final = (("chosen", "chosen"), ("accepted", "accepted"), ("all", "all"))
# Read without being asked: a second or so of a hard disk.
_MOST_UNASKED: Final = 64_000_000
_CHOSEN_MILLISECONDS: Final = 150
_EDITED_MILLISECONDS: Final = 700  # longer than a run takes from one plane to the next
_MOST_LETTERS: Final = 400
# Of the width; a centre with its unit fits into the second column of a narrow dock.
_SHARES: Final = (2, 3)
_MOST_IN_TIP: Final = 4000


class MeasuredPanel(QWidget):
    """Numbers of the chosen objects, or a summary of several; copied as a table.

    `corner` has what chooses and copies, for a heading above.

    Parameters
    ----------
    viewer : napari.Viewer
        Its image layers are measured.
    """

    told = Signal(object)
    """A `Message`."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._objects: LabelObjects | None = None
        self._chosen: list[int] = []
        self._shown: list[int] = []
        self._job: MeasureJob | None = None
        self._found: dict[int, Measured] = {}
        self.task = Task(self)
        self.which = QComboBox()
        self.which.setAccessibleName("What is measured")
        self.which.setToolTip(
            "Which objects: of one all numbers are shown, of several their mean and total"
        )
        for text, name in WHICH:
            self.which.addItem(text, name)
        self.measure_button = QPushButton("Measure")
        self.measure_button.setAccessibleName("Measure")
        self.copy_button = QToolButton()
        self.copy_button.setText("Copy")
        self.copy_button.setAccessibleName("Copy the measurements")
        self.copy_button.setToolTip(
            with_key("Copy as a table for a spreadsheet: a row per object", "copy_measured")
        )
        self.said, self.measured = _text("Said"), _text("Measured")
        self._headings: list[QLabel] = []
        self._lay_out()
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.timeout.connect(self.measure_if_cheap)
        self.which.currentIndexChanged.connect(self._on_news)
        self.measure_button.clicked.connect(self.measure)
        self.copy_button.clicked.connect(self.copy)
        self.task.progressed.connect(self._on_progress)
        self._on_news()

    def _lay_out(self) -> None:
        self.corner = QWidget()
        top = QHBoxLayout(self.corner)
        top.setContentsMargins(0, 0, 0, 0)
        top.setSpacing(4)
        top.addWidget(self.which)
        top.addWidget(self.copy_button)
        grid = QGridLayout()
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(0)
        for column, (title, label) in enumerate((("Said", self.said), ("Measured", self.measured))):
            heading = QLabel(title)
            heading.setStyleSheet("font-weight: bold;")
            self._headings.append(heading)
            grid.addWidget(heading, 0, column)
            grid.addWidget(label, 1, column, Qt.AlignmentFlag.AlignTop)
            grid.setColumnStretch(column, _SHARES[column])
        grid.addWidget(self.measure_button, 2, 1, Qt.AlignmentFlag.AlignLeft)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(grid)

    # --- what is measured

    def show_objects(self, objects: LabelObjects | None) -> None:
        """Measure the objects of a layer from now on, or anew: something of them has changed."""
        same = objects is self._objects
        if not same:
            self._chosen = []
        self._objects = objects
        labels = self.labels if self.isVisible() else []
        if same and labels and labels == self._shown:
            self._show_said(labels)
            self.task.cancel()  # what it reads is no longer what is there
            self._settled.start(_EDITED_MILLISECONDS)
        else:
            self._on_news()

    def choose(self, labels: Sequence[int]) -> None:
        """Take the chosen objects over."""
        if list(labels) != self._chosen:
            self._chosen = list(labels)
            if self.which.currentData() == "chosen":
                self._on_news()

    @property
    def labels(self) -> list[int]:
        """The objects to measure."""
        if self._objects is None:
            return []
        which = self.which.currentData()
        if which == "chosen":
            return self._chosen
        rows = self._objects.rows()
        return [row.label for row in rows if which == "all" or row.status == "accepted"]

    def measure_if_cheap(self) -> None:
        """Measure what is soon read; of more, offer to."""
        job = self._prepared()
        if job is None:
            return
        if job.pixels <= _MOST_UNASKED and self.isVisible():
            self._start(job)
        else:
            self._offer(job)

    def measure(self) -> None:
        """Measure, however long it takes."""
        job = self._prepared()
        if self.task.busy:
            self.task.stop()
        elif job is not None:
            self._start(job)

    def copy(self) -> None:
        """Put the numbers into the clipboard, as a table for a spreadsheet."""
        job = self._job
        if job is None or not self._found:
            self.told.emit(Message("Nothing is measured yet: choose an object first.", "info"))
            return
        found = list(self._found.values())
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(tsv(found, self._records, job.space, summary=len(found) > 1))
        many = f"{len(found)} objects and their summary" if len(found) > 1 else "1 object"
        self.told.emit(Message(f"Copied: {many}. Paste into a spreadsheet."))

    def close_task(self) -> None:
        """Wait for nothing any more: the window goes, and Qt's parts may have gone."""
        self.task.cancel()
        self._objects = None

    # --- what happens

    def _on_news(self, *_: object) -> None:
        """Show and measure other objects, soon."""
        self.task.cancel()
        self._settled.stop()
        self._forget()
        self._shown = []
        self.measure_button.setVisible(False)
        if not self.isVisible():
            return
        labels = self._shown = self.labels
        self.measured.setText("…" if labels else "")
        self._show_said(labels)
        if labels:
            self._settled.start(_CHOSEN_MILLISECONDS)

    def _forget(self) -> None:
        """Keep no numbers that are not shown: they would be copied."""
        self._job, self._found = None, {}
        self.copy_button.setEnabled(False)

    def _show_said(self, labels: Sequence[int]) -> None:
        records = self._records
        for part in (*self._headings, self.measured):
            part.setVisible(bool(labels))
        if not labels:
            nothing = {
                "chosen": "Choose an object in the table.",
                "accepted": "No object is accepted yet.",
                "all": "There are no objects yet.",
            }[self.which.currentData()]
            self.said.setText(nothing)
        elif len(labels) == 1 and labels[0] in records:
            self.said.setText("\n".join(said_lines(records[labels[0]])))
        else:
            self.said.setText(_said_of(labels, records))

    def _prepared(self) -> MeasureJob | None:
        labels = self.labels
        if self._objects is None or not labels:
            return None
        return measure_job(self._viewer, self._objects, labels)

    def _offer(self, job: MeasureJob) -> None:
        self._forget()
        self.measure_button.setText("Measure")
        self.measure_button.setVisible(True)
        planes = f"{job.planes} planes" if job.planes > 1 else "a large plane"
        self.measured.setText(f"{planes} to read")

    def _start(self, job: MeasureJob) -> None:
        self.measure_button.setText("Stop")
        self.measure_button.setVisible(job.pixels > _MOST_UNASKED)
        self.task.start(job.run, lambda found: self._on_found(job, found), self._on_failed)

    def _on_progress(self, done: int, total: int) -> None:
        if self.task.busy and total > 1:
            self.measured.setText(f"plane {done} of {total} …")

    def _on_found(self, job: MeasureJob, found: dict[int, Measured]) -> None:
        self._job, self._found = job, found
        self.measure_button.setVisible(False)
        if len(found) == 1:
            (one,) = found.values()
            lines = measured_lines(one, job.space)
        else:
            lines = [f"{len(found)} objects, mean ± SD", *summary_lines(summarized(found.values()))]
        if not job.channels:
            lines.append("no image in view here: no brightness")
        self.measured.setText("\n".join(lines))
        self.copy_button.setEnabled(True)

    def _on_failed(self, error: Exception) -> None:
        job = self._prepared()
        if isinstance(error, Cancelled) and job is not None:
            self._offer(job)
            return
        self._forget()
        self.measure_button.setVisible(False)
        self.measured.setText("–")  # noqa: RUF001 - a dash
        self.told.emit(Message(f"The objects could not be measured: {error}", "error"))

    @property
    def _records(self) -> dict[int, ObjectRecord]:
        return {} if self._objects is None else {row.label: row for row in self._objects.rows()}

    def minimumSizeHint(self) -> QSize:
        """Return a small wish: texts wrap."""
        return QSize(80, super().minimumSizeHint().height())

    def showEvent(self, event: Any) -> None:
        """Measure what was chosen while nobody could see it."""
        super().showEvent(event)
        if not self._found and not self.task.busy:
            self._on_news()


def _said_of(labels: Sequence[int], records: dict[int, ObjectRecord]) -> str:
    """Say what several objects are called, most frequent first."""
    counts: dict[str, int] = {}
    for label in labels:
        phrase = records[label].phrase if label in records else ""
        counts[phrase] = counts.get(phrase, 0) + 1
    ordered = sorted(counts.items(), key=lambda pair: -pair[1])
    lines = [f"{count} × {f'“{phrase}”' if phrase else 'no phrase'}" for phrase, count in ordered]  # noqa: RUF001
    more = [f"and {len(lines) - 6} more phrases"] if len(lines) > 6 else []
    return "\n".join([*lines[:6], *more])


def _text(name: str) -> _Wrapped:
    label = _Wrapped()
    label.setAccessibleName(name)
    return label


class _Wrapped(QLabel):
    """A text that wraps in a narrow dock, and that can be copied."""

    def __init__(self) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        # The height follows the text late: what is said and what is measured begin side by side.
        self.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )

    def setText(self, text: str | None) -> None:
        """Show a text; of a long one the beginning, and all of it where the mouse rests."""
        whole = text or ""
        long = len(whole) > _MOST_LETTERS
        super().setText(f"{whole[:_MOST_LETTERS].rstrip()}…" if long else whole)
        self.setToolTip(plain_tip(whole[:_MOST_IN_TIP]) if long else "")
        self._keep_height()

    def resizeEvent(self, event: Any) -> None:
        """Ask for the height that the new width needs."""
        super().resizeEvent(event)
        self._keep_height()

    def _keep_height(self) -> None:
        # In a dock without room, layouts go down to what a text needs that does not wrap.
        self.setMinimumHeight(max(0, self.heightForWidth(self.width())))
