"""How results go into labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QGridLayout, QLabel, QSizePolicy, QWidget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Labels


_OVERLAPS: Final = {
    "keep": "keep their pixels",
    "replace": "are replaced",
    "ask": "ask after the run",
}


class OptionsPanel(QWidget):
    """Options of the next run."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.split = _combo("What gets a label", ("each object", "each connected part"))
        self.split.setToolTip("“All green cells” is one object with many connected parts.")
        self.overlap = _combo("What existing labels do", tuple(_OVERLAPS.values()))
        self.overlap.setToolTip(
            "Where a mask covers an object that is there. Locked objects never change."
        )
        self.target = _combo("Where results go", ())
        self.captions = QCheckBox("Phrases beside objects")
        self.captions.setChecked(True)
        grid = QGridLayout(self)
        grid.setContentsMargins(8, 0, 0, 0)
        grid.setVerticalSpacing(4)
        rows = (
            ("A label for", self.split),
            ("Labels there", self.overlap),
            ("Labels go to", self.target),
        )
        for row, (text, widget) in enumerate(rows):
            grid.addWidget(QLabel(text), row, 0)
            grid.addWidget(widget, row, 1)
        grid.addWidget(self.captions, len(rows), 0, 1, 2)
        grid.setColumnStretch(1, 1)
        self.set_targets(())
        for combo in (self.overlap, self.split):
            combo.currentIndexChanged.connect(self.changed)
        self.target.activated.connect(self.changed)
        self.captions.toggled.connect(self.changed)

    @property
    def rule(self) -> str:
        """What becomes of labels that a mask covers: ``"keep"``, ``"replace"`` or ``"ask"``."""
        return tuple(_OVERLAPS)[self.overlap.currentIndex()]

    @property
    def replaces(self) -> bool:
        """Whether masks take the pixels of labels that were there before."""
        return self.rule == "replace"

    @property
    def splits(self) -> bool:
        """Whether each connected part becomes a label of its own."""
        return self.split.currentIndex() == 1

    @property
    def summary(self) -> str:
        """Say the options in a few words."""
        each = "a label per part" if self.splits else "a label per object"
        others = {"keep": "keep others", "replace": "replace others", "ask": "ask about others"}
        return f"{each}, {others[self.rule]}"

    def choose(self, *, rule: str, split: bool, captions: bool) -> None:
        """Set what is remembered."""
        if rule in _OVERLAPS:
            self.overlap.setCurrentIndex(tuple(_OVERLAPS).index(rule))
        self.split.setCurrentIndex(int(split))
        self.captions.setChecked(captions)

    def set_targets(self, layers: Sequence[Labels]) -> None:
        """Offer layers to write to; the choice stays while its layer is there."""
        offered = [self.target.itemData(row) for row in range(1, self.target.count())]
        if self.target.count() and offered == list(layers):
            return
        chosen = self.target.currentData()
        self.target.clear()
        self.target.addItem("the image's own layer", None)
        for layer in layers:
            self.target.addItem(layer.name, layer)
            if layer is chosen:
                self.target.setCurrentIndex(self.target.count() - 1)


def _combo(name: str, texts: Sequence[str]) -> QComboBox:
    combo = QComboBox()
    combo.addItems(list(texts))
    combo.setAccessibleName(name)
    combo.setToolTip(name)
    combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return combo
