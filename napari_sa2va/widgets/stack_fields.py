"""The fields of the stack panel, and where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QWidget,
)

from napari_sa2va.widgets import stack_texts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class StackFields(QWidget):
    """Through which axis, which planes, from where, in which direction; a row for each."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.through = _combo("Follow through")
        self.first, self.last = _plane_box("First plane"), _plane_box("Last plane")
        self.keys = _combo("Sa2VA looks at", stack_texts.KEYS)
        self.key_list = QLineEdit()
        self.key_list.setPlaceholderText("0, 5-9, 20")
        self.key_list.setAccessibleName("Planes that Sa2VA looks at")
        self.direction = _combo("Direction", stack_texts.DIRECTIONS)
        self.method = _combo("Way of tracking", stack_texts.METHODS)
        self.check = _plane_box("Ask again every so many planes")
        self.check.setRange(0, 100_000)
        self.check.setSpecialValueText("never")
        self.check.setToolTip("Ask the expression again now and then, and compare: tells drift")
        self.disagreement = _combo("What a disagreement does", stack_texts.DISAGREEMENTS)
        self.others = _combo("The other axes")
        self.lacking = QLabel()
        self.lacking.setWordWrap(True)
        self.get_file = QPushButton("Get it…")
        self.get_file.setAccessibleName("Get SAM 2.0's file")
        self.get_file.setToolTip("Download sam2_hiera_large.pt, 856 MiB, in the window of models")
        self.choose_file = QPushButton("Choose file…")
        self.choose_file.setAccessibleName("Choose a SAM 2.0 file")
        self.choose_file.setToolTip("Choose sam2_hiera_large.pt, from which the decoder is read")
        self.cost = QLabel()
        self.cost.setWordWrap(True)
        self.cost.setAccessibleName("What it will cost")
        self.resume = QPushButton("Resume")
        self.resume.setAccessibleName("Resume or extend the last run")
        self._rows: list[tuple[QLabel, QWidget]] = []
        self._lay_out()

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(8, 0, 0, 0)
        grid.setVerticalSpacing(4)
        self.files = _beside(self.get_file, self.choose_file)
        grid.addWidget(QLabel("Follow"), 0, 0)
        grid.addWidget(self.through, 0, 1)
        rows = (
            ("Planes", _beside(self.first, QLabel("to"), self.last)),
            ("Looks at", _beside(self.keys, self.key_list)),
            ("Direction", self.direction),
            ("Way", self.method),
            ("", self.lacking),
            ("", self.files),
            ("Re-ask every", _beside(self.check, self.disagreement)),
            ("Other axes", self.others),
        )
        for number, (text, widget) in enumerate(rows, start=1):
            label = QLabel(text)
            grid.addWidget(label, number, 0)
            grid.addWidget(widget, number, 1)
            self._rows.append((label, widget))
        grid.addWidget(self.cost, len(rows) + 1, 0, 1, 2)
        grid.addWidget(self.resume, len(rows) + 2, 0, 1, 2)
        grid.setColumnStretch(1, 1)

    def show_rows(self, follows: bool, wanted: Mapping[QWidget, bool]) -> None:
        """Show the rows that say something.

        Parameters
        ----------
        follows : bool
            Whether an axis is chosen; without one there is nothing more to choose.
        wanted : mapping of QWidget to bool
            Of the rows' widgets; those that are not in it are shown.
        """
        for label, widget in self._rows:
            shown = follows and wanted.get(widget, True)
            label.setVisible(shown)
            widget.setVisible(shown)
        self.key_list.setVisible(self.keys.currentData() == "list")
        self.disagreement.setVisible(self.check.value() > 0)
        self.cost.setVisible(follows)


def _combo(name: str, items: Sequence[tuple[str, object, str]] = ()) -> QComboBox:
    combo = QComboBox()
    combo.setAccessibleName(name)
    combo.setToolTip(name)
    combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    for text, data, tip in items:
        combo.addItem(text, data)
        combo.setItemData(combo.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
    return combo


def _plane_box(name: str) -> QSpinBox:
    box = QSpinBox()
    box.setAccessibleName(name)
    box.setKeyboardTracking(False)
    # napari's style makes it wider than half of a side panel.
    box.setStyleSheet("QSpinBox { min-width: 0px; }")
    box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return box


def _beside(*widgets: QWidget) -> QWidget:
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget, stretch=0 if isinstance(widget, QLabel) else 1)
    return row
