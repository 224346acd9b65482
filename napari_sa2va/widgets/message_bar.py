"""A line or two in the dock instead of a dialog in the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

if TYPE_CHECKING:
    from napari_sa2va.widgets.messages import Message

# A stripe of full colour and a tint: the text keeps the theme's colour and its contrast.
_COLOURS: Final = {"info": "70, 130, 220", "warning": "224, 160, 30", "error": "220, 70, 70"}
_NAMES: Final = {"info": "Note", "warning": "Attention", "error": "Error"}


class MessageBar(QFrame):
    """Shows the newest message until it is closed or another comes."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sa2va_message")
        self._message: Message | None = None
        self.label = QLabel()
        self.label.setWordWrap(True)
        self.label.setTextFormat(Qt.TextFormat.PlainText)
        # Selectable, so that an error can be copied.
        self.label.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.button = QPushButton()
        self.button.clicked.connect(self._act)
        self.close_button = QToolButton()
        self.close_button.setText("×")  # noqa: RUF001 - the sign on close buttons
        self.close_button.setToolTip("Close this message")
        self.close_button.setAccessibleName("Close this message")
        self.close_button.setStyleSheet("QToolButton { background: transparent; border: none; }")
        self.close_button.clicked.connect(lambda: self.show_message(None))
        texts = QVBoxLayout()
        texts.addWidget(self.label)
        texts.addWidget(self.button, alignment=Qt.AlignmentFlag.AlignLeft)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 4, 2, 4)
        layout.addLayout(texts, stretch=1)
        layout.addWidget(self.close_button, alignment=Qt.AlignmentFlag.AlignTop)
        self.setVisible(False)

    @property
    def text(self) -> str:
        """What it says now, ``""`` when it is hidden."""
        return "" if self._message is None else self._message.text

    @property
    def level(self) -> str:
        """How grave that is, ``""`` when it is hidden."""
        return "" if self._message is None else self._message.level

    def show_message(self, message: Message | None) -> None:
        """Show a message, or hide the bar."""
        self._message = message
        self.setVisible(message is not None)
        if message is None:
            return
        self.label.setText(message.text)
        self.setAccessibleName(f"{_NAMES[message.level]}: {message.text}")
        self.button.setText(message.button)
        self.button.setVisible(bool(message.button))
        colour = _COLOURS[message.level]
        self.setStyleSheet(
            f"#sa2va_message {{ background: rgba({colour}, 45);"
            f" border-left: 4px solid rgb({colour}); border-radius: 2px; }}"
            "#sa2va_message QLabel { background: transparent; }"
        )

    def _act(self) -> None:
        action = None if self._message is None else self._message.action
        self.show_message(None)
        if action is not None:
            action()
