"""Links that a model writes: opened by nobody but the user, and only where they are of the web."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Qt, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QMessageBox

from napari_sa2va.widgets.messages import Message

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

_SCHEMES: Final = ("http", "https")
_LONGEST: Final = 200


def web_address(address: str) -> QUrl | None:
    """Return an address as it can be opened; None for what is none of the web."""
    url = QUrl(address, QUrl.ParsingMode.StrictMode)
    good = url.isValid() and url.scheme().lower() in _SCHEMES and url.host()
    return url if good else None


def open_link(address: str, parent: QWidget) -> Message | None:
    """Show where a link goes, and open it in the browser if the user says so.

    Returns
    -------
    Message or None
        Why it cannot be opened.
    """
    url = web_address(address)
    if url is None:
        shown = address if len(address) <= _LONGEST else f"{address[:_LONGEST]}…"
        return Message(
            f"The model wrote a link that is no address of the web, so it was not opened: {shown}",
            "warning",
        )
    box = QMessageBox(parent)
    box.setWindowTitle("Open a page of the web?")
    box.setTextFormat(Qt.TextFormat.PlainText)
    # In the text itself: informative text would be taken for HTML where it looks like it.
    box.setText(
        "The model wrote this address; it may be made up. Open it in the browser?\n\n"
        f"{url.toDisplayString()}"
    )
    box.setStandardButtons(QMessageBox.StandardButton.Open | QMessageBox.StandardButton.Cancel)
    box.setDefaultButton(QMessageBox.StandardButton.Cancel)
    if box.exec() == QMessageBox.StandardButton.Open:
        QDesktopServices.openUrl(url)
    box.deleteLater()
    return None
