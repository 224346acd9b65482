"""The mouse wheel scrolls the dock; it changes only what the user has clicked into before."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QAbstractSpinBox, QComboBox, QSlider, QWidget


class WheelGuard(QObject):
    """Keeps the wheel from fields that do not have the focus: another model would end a run.

    Parameters
    ----------
    widget : QWidget
        Those that are in it now.
    """

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        for kind in (QComboBox, QAbstractSpinBox, QSlider):
            for field in widget.findChildren(kind):
                field.installEventFilter(self)
                if field.focusPolicy() == Qt.FocusPolicy.WheelFocus:
                    field.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Leave the wheel to what is around a field."""
        if event is not None and event.type() == QEvent.Type.Wheel:
            if isinstance(watched, QWidget) and not watched.hasFocus():
                event.ignore()
                return True
        return False
