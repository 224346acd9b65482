"""Small drawings of statuses and locks: fonts have not all of these signs."""

from __future__ import annotations

import functools
from typing import Final

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPen, QPixmap, QPolygonF

_SIZE = 14
ICON_SIZE: Final = QSize(2 * _SIZE, _SIZE)
# Readable on light and on dark themes; the shapes differ, too, for who cannot tell the colours.
_COLOURS = {
    "accepted": "#2e9e4f",
    "rejected": "#d9534f",
    "flagged": "#e08a1e",
    "locked": "#8a8f98",
}
_STROKES = {
    "accepted": [[(2.5, 7.5), (5.8, 11), (11.5, 3.5)]],
    "rejected": [[(3, 3), (11, 11)], [(11, 3), (3, 11)]],
}


@functools.cache
def status_icon(status: str, locked: bool) -> QIcon | None:
    """Return a drawing of a status, a padlock behind it if wanted; None for nothing to draw.

    Parameters
    ----------
    status : str
        As `ObjectRecord.shown_status`; a proposed object has no sign.
    locked : bool
        Whether to draw a padlock.
    """
    signs = [name for name in (status, "locked" * locked) if name in _COLOURS]
    if not signs:
        return None
    scale = 2  # for screens with many pixels
    pixmap = QPixmap(_SIZE * len(signs) * scale, _SIZE * scale)
    pixmap.setDevicePixelRatio(scale)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for place, name in enumerate(signs):
        painter.save()
        painter.translate(place * _SIZE, 0)
        _draw(painter, name)
        painter.restore()
    painter.end()
    icon = QIcon(pixmap)
    icon.addPixmap(pixmap, QIcon.Mode.Selected)  # or Qt would tint it
    return icon


def _draw(painter: QPainter, name: str) -> None:
    colour = QColor(_COLOURS[name])
    pen = QPen(colour, 2.2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap)
    painter.setPen(pen)
    for stroke in _STROKES.get(name, ()):
        painter.drawPolyline(QPolygonF([QPointF(*point) for point in stroke]))
    if name == "flagged":
        painter.drawLine(QPointF(3.5, 2), QPointF(3.5, 12.5))
        painter.setBrush(colour)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawPolygon(QPolygonF([QPointF(4, 1.5), QPointF(12, 4.5), QPointF(4, 7.5)]))
    elif name == "locked":
        painter.setPen(QPen(colour, 1.8))
        painter.drawArc(QRectF(4, 1.5, 6, 8), 0, 180 * 16)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawRoundedRect(QRectF(2.5, 6, 9, 6.5), 1.2, 1.2)
