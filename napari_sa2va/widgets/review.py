"""Review mode: the objects one after another, worst score first."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QToolButton, QWidget

from napari_sa2va.widgets.shortcuts import with_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari_sa2va.annotation import ObjectRecord


def review_order(records: Iterable[ObjectRecord]) -> list[int]:
    """Return the labels to look at, the worst score first.

    Those that nobody accepted or rejected yet; all, if there are none such. Objects without a
    score, which people drew, come last.
    """
    records = list(records)
    undecided = [row for row in records if row.status not in ("accepted", "rejected")]

    def urgency(row: ObjectRecord) -> tuple[float, int]:
        return (math.inf if math.isnan(row.score) else row.score, row.label)

    return [row.label for row in sorted(undecided or records, key=urgency)]


def tally(records: Iterable[ObjectRecord], labels: Sequence[int]) -> str:
    """Say how many of some objects have which status.

    Examples
    --------
    >>> tally([], [])
    'Review done.'
    """
    wanted, counts = set(labels), dict[str, int]()
    for row in records:
        if row.label in wanted:
            counts[row.shown_status] = counts.get(row.shown_status, 0) + 1
    said = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    return f"Review done: {said}." if said else "Review done."


class Review(QWidget):
    """A row that says how far one is, with buttons to go on and back; hidden while it is over."""

    wanted = Signal(int)
    """Go to the object of this label."""
    ended = Signal()
    """The last object was passed, or the user closed the review."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.labels: list[int] = []
        self._position = 0
        self.count = QLabel()
        self.count.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.count.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.previous = _button("◀", with_key("Previous object", "review_previous"))
        self.next = _button("▶", with_key("Next object", "review_next"))
        self.close_button = _button("×", with_key("End the review", "review"))  # noqa: RUF001
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.previous)
        layout.addWidget(self.count, stretch=1)
        layout.addWidget(self.next)
        layout.addWidget(self.close_button)
        self.previous.clicked.connect(lambda: self.go(-1))
        self.next.clicked.connect(lambda: self.go(1))
        self.close_button.clicked.connect(self.end)
        self.setVisible(False)

    @property
    def active(self) -> bool:
        """Whether a review is under way."""
        return bool(self.labels)

    @property
    def current(self) -> int | None:
        """The label that is looked at; None without a review."""
        return self.labels[self._position] if self.labels else None

    def start(self, labels: Sequence[int]) -> None:
        """Begin with the first of some labels."""
        self.labels, self._position = list(labels), 0
        self.setVisible(self.active)
        self._show()

    def go(self, by: int) -> None:
        """Go on (1) or back (-1); past the last one the review ends."""
        if not self.active:
            return
        if self._position + by >= len(self.labels):
            self.end()
            return
        self._position = max(self._position + by, 0)
        self._show()

    def keep(self, there: Iterable[int]) -> None:
        """Leave out objects that are not there any more; what comes next takes their place."""
        left = set(there)
        if not self.active or left.issuperset(self.labels):
            return
        gone = self.current not in left
        before = [label for label in self.labels[: self._position] if label in left]
        self.labels = [label for label in self.labels if label in left]
        self._position = min(len(before), max(len(self.labels) - 1, 0))
        if not self.active:
            self.end()
        else:
            self._show(tell=gone)

    def end(self) -> None:
        """End the review."""
        self.setVisible(False)
        self.ended.emit()
        self.labels, self._position = [], 0

    def _show(self, *, tell: bool = True) -> None:
        if not self.active:
            return
        text = f"{self._position + 1} of {len(self.labels)}"
        self.count.setText(f"Review: {text}")
        self.count.setToolTip(
            f"Object {self.current}, {text}. {with_key('Accept', 'accept')} and "
            f"{with_key('Reject', 'reject')} go on to the next one."
        )
        self.previous.setEnabled(self._position > 0)
        if tell:
            self.wanted.emit(self.current)


def _button(sign: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(sign)
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    return button
