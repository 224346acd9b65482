"""A small picture of what the model sees, made in a worker thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from napari.qt.threading import create_worker
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QLabel, QWidget

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sa2va.viewer import PlaneSnapshot

SIDE: Final = 72


class Thumbnail(QLabel):
    """The newest snapshot it was given; older ones that come late are dropped."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedSize(SIDE, SIDE)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setStyleSheet("border: 1px solid rgba(128, 128, 128, 120);")
        self.setToolTip("What the model sees")
        self.setAccessibleName("What the model sees")
        self._wanted: PlaneSnapshot | None = None
        self._drawing: PlaneSnapshot | None = None

    def show_snapshot(self, plane: PlaneSnapshot | None) -> None:
        """Draw a snapshot soon, or nothing."""
        self._wanted = plane
        if plane is None:
            self.clear()
        elif self._drawing is None:
            self._draw(plane)

    def _draw(self, plane: PlaneSnapshot) -> None:
        self._drawing = plane
        create_worker(
            _small_picture,
            plane,
            self.devicePixelRatioF(),
            _connect={"returned": self._on_drawn, "errored": self._on_drawn},
        )

    def _on_drawn(self, picture: NDArray[np.uint8] | Exception) -> None:
        drawn, self._drawing = self._drawing, None
        if self._wanted is None:
            return
        if self._wanted is not drawn:
            self._draw(self._wanted)
        elif isinstance(picture, np.ndarray):
            height, width = picture.shape[:2]
            image = QImage(picture.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
            pixmap = QPixmap.fromImage(image)
            pixmap.setDevicePixelRatio(self.devicePixelRatioF())
            self.setPixmap(pixmap)
        else:
            # The same error meets the user, in words, when it matters: at Run.
            self.setText("?")


def _small_picture(plane: PlaneSnapshot, pixel_ratio: float) -> Any:
    """Read the frame and shrink it by leaving pixels out: (height, width, 3) uint8."""
    frame = plane.frames[0]
    side = int((SIDE - 4) * pixel_ratio)
    longest = max(frame.shape[:2])
    shown = side / longest
    rows = (np.arange(max(1, round(frame.shape[0] * shown))) / shown).astype(int)
    columns = (np.arange(max(1, round(frame.shape[1] * shown))) / shown).astype(int)
    return np.ascontiguousarray(
        frame[np.ix_(rows.clip(max=len(frame) - 1), columns.clip(max=frame.shape[1] - 1))]
    )
