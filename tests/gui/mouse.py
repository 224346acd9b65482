"""The mouse over a widget, in a window that another one may cover."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtTest import QTest

if TYPE_CHECKING:
    from qtpy.QtCore import QPoint
    from qtpy.QtWidgets import QWidget


def move_mouse(widget: QWidget, place: QPoint) -> None:
    """Move the mouse to a place of a widget.

    Given a widget, Qt's own `mouseMove` moves the screen's pointer: nothing arrives where a window
    that an earlier test left lies above, or where the pointer was there already. Given the window,
    it hands the window the event.
    """
    window = widget.window()
    handle = None if window is None else window.windowHandle()
    assert window is not None and handle is not None, "the widget must be shown"
    QTest.mouseMove(handle, widget.mapTo(window, place))
