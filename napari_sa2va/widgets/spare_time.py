"""Work in small steps that the window has time for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QObject, QTimer

if TYPE_CHECKING:
    from collections.abc import Iterator

_MILLISECONDS: Final = 40


class SpareTime(QObject):
    """Goes through an iterator, a step at a time, and leaves the window alone in between.

    Parameters
    ----------
    steps : iterator
        Each step shall take some milliseconds.
    parent : QObject
        With it the work ends.
    """

    def __init__(self, steps: Iterator[object], parent: QObject) -> None:
        super().__init__(parent)
        self._steps = steps
        self._timer = QTimer(self)
        self._timer.setInterval(_MILLISECONDS)
        self._timer.timeout.connect(self._step)
        self._timer.start()

    def _step(self) -> None:
        if next(self._steps, self) is self:
            self._timer.stop()
            self.deleteLater()
