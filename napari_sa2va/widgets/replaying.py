"""Undo and redo of steps over many planes, in the window's spare time, with how far they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sa2va.viewer.objects import LabelObjects


class Replaying(QObject):
    """Calls the pieces of an undo or redo one after the other, and lets the window work between.

    Parameters
    ----------
    parent : QObject
        With it the timer ends.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._piece: Callable[[], bool] | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._next)

    def follow(self, objects: LabelObjects) -> None:
        """Undo and redo what happens to a layer in pieces."""
        objects.replay_in_pieces(self._begin)

    def _begin(self, piece: Callable[[], bool]) -> None:
        self._piece = piece
        self._timer.start()

    def _next(self) -> None:
        if self._piece is None or not self._piece():
            self._timer.stop()
            self._piece = None
