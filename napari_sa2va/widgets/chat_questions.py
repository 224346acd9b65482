"""A window in which the ready-made questions are changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QLabel,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from napari_sa2va.annotation.ready_questions import (
    FILE,
    STANDARD,
    forget_questions,
    read_questions,
    write_questions,
)

if TYPE_CHECKING:
    from pathlib import Path

_HELP: Final = (
    "A question a line, with a title before it if you like (Title: question). “# Name” begins a "
    "group, and ___ is what you fill in before you ask."
)


class QuestionsDialog(QDialog):
    """The questions as text.

    Parameters
    ----------
    session : Path or None
        The folder of the image's session; questions can be kept there for this image alone.
    """

    def __init__(self, session: Path | None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.setWindowTitle("Ready-made questions")
        self.resize(560, 480)
        told = QLabel(_HELP)
        told.setWordWrap(True)
        self.text = QPlainTextEdit(read_questions(session))
        self.text.setAccessibleName("Questions")
        self.only_here = QCheckBox("For this image only (kept in its session)")
        self.only_here.setEnabled(session is not None)
        self.only_here.setChecked(session is not None and (session / FILE).is_file())
        if session is None:
            self.only_here.setToolTip("There is no session yet: it begins with the first question")
        buttons = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(
            buttons.Save | buttons.Cancel | buttons.RestoreDefaults, parent=self
        )
        layout = QVBoxLayout(self)
        for widget in (told, self.text, self.only_here, self.buttons):
            layout.addWidget(widget)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        standard = self.buttons.button(buttons.RestoreDefaults)
        standard.setText("Standard questions")
        standard.clicked.connect(lambda: self.text.setPlainText(STANDARD))

    def save(self) -> None:
        """Keep what was written.

        Raises
        ------
        InvalidInput
            The disk refuses.
        """
        here = self._session if self.only_here.isChecked() else None
        write_questions(self.text.toPlainText(), here)
        if here is None and self._session is not None:
            forget_questions(self._session)
