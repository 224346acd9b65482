"""A part of the dock that can be folded away."""

from __future__ import annotations

from typing import Final

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QFont, QFontMetrics, QResizeEvent
from qtpy.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from napari_sa2va.widgets.objects_model import plain_tip

_ARROW_WIDTH: Final = 24


class Section(QWidget):
    """A title that folds what is below it.

    Not superqt's QCollapsible: that one freezes the height of its content, and the conversation
    and the table are to grow with the dock.

    Parameters
    ----------
    title : str
        Shown beside the arrow.
    content : QWidget
        What is folded away.
    """

    toggled = Signal(bool)
    """Unfolded (True) or folded (False)."""

    def __init__(self, title: str, content: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = title
        self._summary = ""
        self._content = content
        self.header = QToolButton()
        self.header.setObjectName("sa2va_section")
        self.header.setCheckable(True)
        self.header.setChecked(True)
        self.header.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.header.setIconSize(QSize(9, 9))
        self.header.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.header.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.header.setAccessibleName(title)
        # napari colours checked buttons: an unfolded title is not a pressed one.
        self.header.setStyleSheet(
            "QToolButton { background: transparent; border: none; text-align: left;"
            " font-weight: bold; padding: 2px; }"
            "QToolButton:focus { text-decoration: underline; }"
        )
        self.header.toggled.connect(self._on_toggled)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        self._top = QHBoxLayout()
        self._top.setSpacing(2)
        self._top.addWidget(self.header, stretch=1)
        layout.addLayout(self._top)
        layout.addWidget(content, stretch=1)
        self._on_toggled(True)

    @property
    def unfolded(self) -> bool:
        """Whether the content shows."""
        return self.header.isChecked()

    def unfold(self, unfolded: bool) -> None:
        """Show or hide the content."""
        self.header.setChecked(unfolded)

    def add_corner(self, widget: QWidget) -> None:
        """Put a widget beside the title, where it shows also while the content is folded."""
        self._top.addWidget(widget)

    def summarize(self, summary: str) -> None:
        """Say in a few words what is inside; shown while folded."""
        self._summary = summary
        self._write_title()

    def _on_toggled(self, unfolded: bool) -> None:
        self._content.setVisible(unfolded)
        self.header.setArrowType(Qt.ArrowType.DownArrow if unfolded else Qt.ArrowType.RightArrow)
        vertical = QSizePolicy.Policy.Preferred if unfolded else QSizePolicy.Policy.Fixed
        self.setSizePolicy(QSizePolicy.Policy.Preferred, vertical)
        self._write_title()
        self.toggled.emit(unfolded)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Shorten the summary to the new width."""
        super().resizeEvent(event)
        self._write_title()

    def _write_title(self) -> None:
        folded = not self.unfolded and self._summary
        text = f"{self.title} · {self._summary}" if folded else self.title
        font = QFont(self.header.font())
        font.setBold(True)
        room = self.header.width() - _ARROW_WIDTH
        elided = QFontMetrics(font).elidedText(text, Qt.TextElideMode.ElideRight, room)
        self.header.setText(elided if room > _ARROW_WIDTH else text)
        self.header.setToolTip(plain_tip(text) if elided != text else "")
