"""How an expression is followed through the planes of a stack."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_sa2va.widgets import stack_texts
from napari_sa2va.widgets.asked import TrackOptions
from napari_sa2va.widgets.stack_fields import StackFields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sa2va.viewer.stack import StackAxis


class StackPanel(StackFields):
    """Through which axis, which planes, from where, in which direction.

    Hidden where the image has one plane.
    """

    changed = Signal()
    resume_clicked = Signal()
    get_clicked = Signal()
    """SAM 2.0's file is wanted."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._axes: tuple[StackAxis, ...] = ()
        self._remembered = ""
        self._lacks = False
        self.sam2_file = ""
        self._fetched = ""
        self._connect()
        self.set_axes(())
        self.offer_resume("")

    def _connect(self) -> None:
        self.through.activated.connect(self._on_through)
        for combo in (self.keys, self.direction, self.method, self.disagreement, self.others):
            combo.activated.connect(self._on_changed)
        for box in (self.first, self.last, self.check):
            box.valueChanged.connect(self._on_changed)
        self.key_list.textChanged.connect(self._on_changed)
        self.get_file.clicked.connect(self.get_clicked)
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
    def turns(self) -> int:
        """How many stacks are followed through, one after the other."""
        wanted = self.options
        if wanted is None or not wanted.each:
            return 1
        return next(axis.length for axis in self._axes if axis.axis != wanted.axis)

    @property
    def _file(self) -> str:
        """The SAM 2.0 file: the one chosen, if it is still there, else the one that was fetched."""
        return self._chosen or self._fetched

    @property
    def _chosen(self) -> str:
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

    def show_decoder(self, lacks: bool, fetched: str) -> None:
        """Say where a model that is not loaded yet has SAM2's original decoder from.

        Parameters
        ----------
        lacks : bool
            Whether it has none of its own.
        fetched : str
            SAM 2.0's file, where it is needed and on this machine; else empty.
        """
        self._lacks, self._fetched = lacks, fetched
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
        method = self.method.currentData()
        wanted = {
            self.others: len(self._axes) > 1,
            self.lacking: self._lacks and method != "official",
            self.files: self._lacks and method != "official",
        }
        name, fetched = Path(self._chosen).name, bool(self._fetched)
        self.lacking.setText(stack_texts.decoder_text(method, name, fetched=fetched))
        self.show_rows(follows, wanted)
        self.get_file.setVisible(not self._file)
