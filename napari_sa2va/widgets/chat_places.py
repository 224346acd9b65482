"""Where buttons can float over text, and cover nothing that can be clicked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QPoint, QRect, Qt
from qtpy.QtGui import QTextCursor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qtpy.QtCore import QSize
    from qtpy.QtWidgets import QTextEdit

_MARGIN: Final = 2
_GRID: Final = 4
_TOP_LEFT: Final = QPoint(0, 0)


def free_place(view: QTextEdit, start: int, stop: int, size: QSize) -> QPoint | None:
    """Return a place at the right edge, beside a line in view.

    Parameters
    ----------
    view : QTextEdit
    start, stop : int
        Part of its document: a line of it is stood beside.
    size : QSize
        Of what is to stand there.

    Returns
    -------
    QPoint or None
        In the viewport; beside the first line that leaves room, else over the first where nothing
        can be clicked. None where there is neither.
    """
    viewport = view.viewport()
    assert viewport is not None
    left = viewport.width() - size.width() - _MARGIN
    lines = list(_lines(view))
    places = []
    for at, text in lines:
        top = text.top() + (text.height() - size.height()) // 2
        place = QRect(QPoint(left, max(top, 0)), size)
        if start <= at < stop and text.top() >= 0 and place.bottom() < viewport.height():
            places.append(place)
    for place in places:
        if not any(place.intersects(text) for _, text in lines):
            return place.topLeft()
    free = (place.topLeft() for place in places if not _has_anchor(view, place))
    return next(free, None)


def _lines(view: QTextEdit) -> Iterator[tuple[int, QRect]]:
    """Yield the lines in view: where each begins in the document, and in the viewport."""
    viewport = view.viewport()
    assert viewport is not None
    block = view.cursorForPosition(_TOP_LEFT).block()
    while block.isValid():
        cursor = QTextCursor(block)
        # Beside a cell of a table is another one; what is written from the right ends there.
        whole = cursor.currentTable() is not None
        whole = whole or block.textDirection() == Qt.LayoutDirection.RightToLeft
        for number in range(block.layout().lineCount()):
            line = block.layout().lineAt(number)
            cursor.setPosition(block.position() + line.textStart())
            begin = view.cursorRect(cursor)
            if begin.top() > viewport.height():
                return
            width = viewport.width() if whole else int(line.naturalTextWidth()) + 1
            yield cursor.position(), QRect(begin.left(), begin.top(), width, begin.height())
        block = block.next()


def _has_anchor(view: QTextEdit, place: QRect) -> bool:
    return any(
        view.anchorAt(QPoint(x, y))
        for x in range(place.left(), place.right() + _GRID, _GRID)
        for y in range(place.top(), place.bottom() + _GRID, _GRID)
    )
