"""Letters for lists: in a combo box they find an entry, and are no keys of the dock."""

from __future__ import annotations

from typing import Final

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QComboBox, QListWidget, QWidget

_TYPING: Final = (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier)


class ListKeys(QObject):
    """Keeps letters and digits for the combo boxes and lists of a widget that have the focus.

    As text fields do: Qt asks who has the focus before it looks for a shortcut.

    Parameters
    ----------
    widget : QWidget
        Those that are in it now.
    """

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        for box in widget.findChildren(QComboBox):
            box.installEventFilter(self)
            box.view().installEventFilter(self)  # has the focus while it is open
        for entries in widget.findChildren(QListWidget):
            entries.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Say of a letter that it is wanted."""
        if event is not None and event.type() == QEvent.Type.ShortcutOverride:
            if event.text().isprintable() and event.text() and event.modifiers() in _TYPING:
                event.accept()
                return True
        return False
