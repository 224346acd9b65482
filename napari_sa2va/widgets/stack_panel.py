"""How an expression is followed through the planes of a stack, and what that will cost."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QWidget,
)

from napari_sa2va.engine.planes import planes_visited
from napari_sa2va.widgets.asked import TrackOptions
from napari_sa2va.widgets.track_writer import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sa2va.viewer.stack import StackAxis

_LABEL_BYTES: Final = 4
_KEYS: Final = (
    ("the plane shown", "current", "Sa2VA looks at the plane that the slider is at"),
    ("five, spread evenly", "spread", "For objects that are not in every plane"),
    ("the first five", "first", "As in the official inference"),
    ("these planes:", "list", "Write them like this: 0, 5-9, 20"),
)
_DIRECTIONS: Final = (
    ("both ways", "both", "From the planes looked at to both ends of the range"),
    ("forward", "forward", "To higher planes, or later in time"),
    ("backward", "backward", "To lower planes, or earlier in time"),
)
_METHODS: Final = (
    (
        "automatic",
        None,
        "Consistent where the checkpoint allows it, else official",
    ),
    (
        "consistent",
        "consistent",
        "Sa2VA finds the objects, SAM2's original decoder follows them (Sa2VA-i): the better way "
        "in published figures. Needs that decoder in the checkpoint, or in a SAM 2 file.",
    ),
    (
        "official",
        "official",
        "The decoder that was trained to find objects follows them too, as in Sa2VA's own code.",
    ),
)
_LACKING: Final = (
    "This checkpoint lacks SAM2's original decoder, so official tracking is used. A SAM 2.0 file "
    "has that decoder."
)
_FROM_FILE: Final = "This checkpoint lacks SAM2's original decoder; it is read from {}."
_DISAGREEMENTS: Final = (
    ("flag", False, "Where the new answer differs, the plane is flagged"),
    ("go on from it", True, "Where the new answer differs, the tracking goes on from it"),
)


class StackPanel(QWidget):
    """Through which axis, which planes, from where, in which direction.

    Hidden where the image has one plane.
    """

    changed = Signal()
    resume_clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._axes: tuple[StackAxis, ...] = ()
        self._remembered = ""
        self._lacks = False
        self.through = _combo("Follow through")
        self.first, self.last = _plane_box("First plane"), _plane_box("Last plane")
        self.keys = _combo("Sa2VA looks at", _KEYS)
        self.key_list = QLineEdit()
        self.key_list.setPlaceholderText("0, 5-9, 20")
        self.key_list.setAccessibleName("Planes that Sa2VA looks at")
        self.direction = _combo("Direction", _DIRECTIONS)
        self.method = _combo("Way of tracking", _METHODS)
        self.check = _plane_box("Ask again every so many planes")
        self.check.setRange(0, 100_000)
        self.check.setSpecialValueText("never")
        self.check.setToolTip("Ask the expression again now and then, and compare: tells drift")
        self.disagreement = _combo("What a disagreement does", _DISAGREEMENTS)
        self.others = _combo("The other axes")
        self.sam2_file = ""
        self.lacking = QLabel(_LACKING)
        self.lacking.setWordWrap(True)
        self.choose_file = QPushButton("SAM 2 file…")
        self.choose_file.setToolTip("Choose sam2_hiera_large.pt, from which the decoder is read")
        self.cost = QLabel()
        self.cost.setWordWrap(True)
        self.cost.setAccessibleName("What it will cost")
        self.resume = QPushButton("Resume")
        self.resume.setAccessibleName("Resume or extend the last run")
        self._rows: list[tuple[QLabel, QWidget]] = []
        self._lay_out()
        self._connect()
        self.set_axes(())
        self.offer_resume("")

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(8, 0, 0, 0)
        grid.setVerticalSpacing(4)
        grid.addWidget(QLabel("Follow"), 0, 0)
        grid.addWidget(self.through, 0, 1)
        rows = (
            ("Planes", _beside(self.first, QLabel("to"), self.last)),
            ("Looks at", _beside(self.keys, self.key_list)),
            ("Direction", self.direction),
            ("Way", self.method),
            ("", self.lacking),
            ("", self.choose_file),
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

    def _connect(self) -> None:
        self.through.activated.connect(self._on_through)
        for combo in (self.keys, self.direction, self.method, self.disagreement, self.others):
            combo.activated.connect(self._on_changed)
        for box in (self.first, self.last, self.check):
            box.valueChanged.connect(self._on_changed)
        self.key_list.textChanged.connect(self._on_changed)
        self.choose_file.clicked.connect(self._choose_file)
        self.resume.clicked.connect(self.resume_clicked)

    # --- what is chosen ---

    @property
    def axis(self) -> StackAxis | None:
        """The axis to follow objects through; None for the plane shown only."""
        row = self.through.currentIndex() - 1
        return self._axes[row] if 0 <= row < len(self._axes) else None

    @property
    def options(self) -> TrackOptions | None:
        """What is chosen; None for the plane shown only."""
        if self.axis is None:
            return None
        keys = self.keys.currentData()
        return TrackOptions(
            axis=self.axis.axis,
            keys=self.key_list.text() if keys == "list" else keys,
            direction=self.direction.currentData(),
            method=self.method.currentData(),
            within=(self.first.value(), self.last.value() + 1),
            check_every=self.check.value(),
            reseed=bool(self.disagreement.currentData()),
            sam2_file=self._file,
            each=len(self._axes) > 1 and bool(self.others.currentData()),
        )

    @property
    def _file(self) -> str:
        """The SAM 2 file, if it is still there."""
        return self.sam2_file if Path(self.sam2_file).is_file() else ""

    @property
    def summary(self) -> str:
        """Say in a few words what is chosen."""
        if self.axis is None:
            return "the plane shown only"
        planes = f"{self.first.value()} to {self.last.value()}"
        return f"{self.axis.name} {planes}, {self.direction.currentText()}"

    @property
    def remembered(self) -> str:
        """The axis' name, for the next start; empty for the plane shown only."""
        return self._remembered

    @property
    def offers(self) -> bool:
        """Whether there are planes to follow objects through."""
        return bool(self._axes)

    # --- what there is ---

    def remember(self, axis: str) -> None:
        """Follow through the axis of this name wherever an image has it."""
        self._remembered = axis

    def set_axes(self, axes: Sequence[StackAxis]) -> None:
        """Offer axes; the choice stays where an axis of that name is there."""
        lengths = [(axis.axis, axis.name, axis.length) for axis in axes]
        same = lengths == [(axis.axis, axis.name, axis.length) for axis in self._axes]
        self._axes = tuple(axes)
        if not same:
            self.through.clear()
            self.through.addItem("the plane shown only")
            for axis in axes:
                self.through.addItem(f"through {axis.name} ({axis.length} planes)")
            names = [axis.name for axis in axes]
            if self._remembered in names:
                self.through.setCurrentIndex(names.index(self._remembered) + 1)
            self._offer_range()
        self._offer_others()
        self._show_rows()

    def show_consistent(self, possible: bool) -> None:
        """Say whether the loaded model can track in the consistent way."""
        self._lacks = not possible
        self._show_rows()

    def show_cost(self, text: str) -> None:
        """Say what a run would take."""
        self.cost.setText(text)

    def offer_resume(self, text: str) -> None:
        """Offer to go on with the last run; not when `text` is empty."""
        self.resume.setText(text)
        self.resume.setVisible(bool(text))

    # --- inside ---

    def _on_through(self) -> None:
        self._remembered = "" if self.axis is None else self.axis.name
        self._offer_range()
        self._offer_others()
        self._on_changed()

    def _on_changed(self) -> None:
        if self.first.value() > self.last.value():
            later = self.sender() is self.first
            (self.last if later else self.first).setValue(
                (self.first if later else self.last).value()
            )
        self._show_rows()
        self.changed.emit()

    def _choose_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "SAM 2.0 hiera-large", self.sam2_file, "SAM 2 (*.pt *.safetensors)"
        )
        if path:
            self.sam2_file = path
            self._on_changed()

    def _offer_range(self) -> None:
        last = 0 if self.axis is None else self.axis.length - 1
        for box, value in ((self.first, 0), (self.last, last)):
            box.blockSignals(True)
            box.setRange(0, last)
            box.setValue(value)
            box.blockSignals(False)

    def _offer_others(self) -> None:
        others = [axis for axis in self._axes if axis is not self.axis]
        chosen = self.others.currentIndex()
        shown = ", ".join(f"{axis.name} {axis.current}" for axis in others)
        self.others.clear()
        self.others.addItem(f"at {shown}", False)
        if len(others) == 1:
            self.others.addItem(f"each {others[0].name} in turn", True)
        self.others.setCurrentIndex(min(max(chosen, 0), self.others.count() - 1))

    def _show_rows(self) -> None:
        follows = self.axis is not None
        official = self.method.currentData() == "official"
        wanted = {
            self.others: len(self._axes) > 1,
            self.lacking: self._lacks and not official,
            self.choose_file: self._lacks and not official,
        }
        name = Path(self._file).name
        self.lacking.setText(_FROM_FILE.format(name) if name else _LACKING)
        for label, widget in self._rows:
            shown = follows and wanted.get(widget, True)
            label.setVisible(shown)
            widget.setVisible(shown)
        self.key_list.setVisible(self.keys.currentData() == "list")
        self.disagreement.setVisible(self.check.value() > 0)
        self.cost.setVisible(follows)


def cost(place: Any, wanted: TrackOptions, seconds: float | None, *, there: bool) -> str:
    """Say what following objects would take.

    Parameters
    ----------
    place : StackSnapshot
    wanted : TrackOptions
    seconds : float or None
        For a plane, as the last run went; None before a first one.
    there : bool
        Whether the Labels layer is there already.
    """
    planes = planes_visited(
        wanted.planes_looked_at(place.axis.current), wanted.within, wanted.direction
    )
    parts = [f"{planes} planes" if planes > 1 else "1 plane"]
    if seconds is None:
        parts.append("how long will be known after a first run")
    else:
        parts.append(f"about {duration(planes * seconds)}")
    if not there:
        size = math.prod(place.first.labels_shape) * _LABEL_BYTES
        parts.append(f"{size / 1e6:.0f} MB of labels" if size >= 1e6 else "little memory")
    return " · ".join(parts)


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
