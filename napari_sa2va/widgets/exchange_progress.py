"""How far an export or import is."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QSizePolicy, QWidget

from napari_sa2va.widgets.objects_model import plain_tip


class Progress(QWidget):
    """What is being written or read, how far it is, and Cancel."""

    def __init__(self) -> None:
        super().__init__()
        self._what = ""
        self.label = QLabel()
        self.label.setTextFormat(Qt.TextFormat.PlainText)  # files and layers have any name
        self.label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setMaximumHeight(8)
        self.cancel = QPushButton("Cancel")
        self.cancel.setAccessibleName("Cancel the export or import")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.label, stretch=2)
        layout.addWidget(self.bar, stretch=1)
        layout.addWidget(self.cancel)
        self.setVisible(False)

    def begin(self, what: str) -> None:
        """Show what is begun; how long it takes is not known yet."""
        self._what = what
        self.label.setText(what)
        self.label.setToolTip(plain_tip(what))
        self.bar.setRange(0, 0)

    def show_planes(self, done: int, total: int) -> None:
        """Show how many planes are done."""
        if total > 1:
            self.label.setText(f"{self._what}: plane {done} of {total}")
            self.bar.setRange(0, total)
            self.bar.setValue(done)
