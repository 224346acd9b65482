"""What a question is about: which layer's regions, all of them or the selected one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from napari.layers import Shapes
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from napari_sa2va.viewer.regions import RegionChoice
from napari_sa2va.widgets.objects_model import plain_tip
from napari_sa2va.widgets.shortcuts import shown, with_key

if TYPE_CHECKING:
    from collections.abc import Sequence

_NONE: Final = "none yet"
_MOST_LETTERS: Final = 16


class RegionsPanel(QWidget):
    """Chooses regions, makes a layer to paint them in, and has one followed."""

    new_clicked = Signal()
    follow_clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layers: list[Any] = []
        self.layer = _combo("Layer with the regions")
        self.which = _combo("Which of its regions")
        self.which.addItem("all", False)
        self.which.addItem("selected", True)
        self.new = QPushButton(_titled("New regions", "new_regions"))
        self.new.setAccessibleName("New regions")
        self.new.setToolTip(
            with_key("Add a Labels layer over the image and paint regions in it", "new_regions")
        )
        self.name = QLineEdit()
        self.name.setPlaceholderText("name (optional)")
        self.name.setAccessibleName("Name of what is followed")
        self.follow = QPushButton(_titled("Follow", "follow_region"))
        self.follow.setAccessibleName("Follow region")
        self.follow.setToolTip(
            with_key("Follow the regions through the stack, without any words", "follow_region")
        )
        self._lay_out()
        self.layer.currentIndexChanged.connect(self._on_layer)
        self.new.clicked.connect(self.new_clicked)
        self.follow.clicked.connect(self.follow_clicked)
        self.set_layers(())
        self.offer_follow(False)

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(4)
        grid.addWidget(QLabel("Regions"), 0, 0)
        grid.addWidget(self.layer, 0, 1)
        grid.addWidget(self.which, 0, 2)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.new)
        row.addWidget(self.name, stretch=1)
        row.addWidget(self.follow)
        grid.addLayout(row, 1, 0, 1, 3)
        grid.setColumnStretch(1, 3)
        grid.setColumnStretch(2, 2)

    @property
    def choice(self) -> RegionChoice | None:
        """What is chosen; None where there is no layer."""
        row = self.layer.currentIndex()
        if not 0 <= row < len(self._layers):
            return None
        layer = self._layers[row]
        if not self.which.currentData():
            return RegionChoice(layer)
        if isinstance(layer, Shapes):
            return RegionChoice(layer, tuple(sorted(int(n) + 1 for n in layer.selected_data)))
        return RegionChoice(layer, (int(layer.selected_label),))

    def set_layers(self, layers: Sequence[Any], preferred: Any = None) -> None:
        """Offer layers; the choice stays while its layer is there.

        Parameters
        ----------
        layers : sequence of Labels or Shapes
        preferred : Labels or Shapes, optional
            Chosen where the former choice has gone; the first if left out.
        """
        row = self.layer.currentIndex()
        former = self._layers[row] if 0 <= row < len(self._layers) else None
        wanted = former if former in layers else preferred if preferred in layers else None
        self._layers = list(layers)
        self.layer.blockSignals(True)
        self.layer.clear()
        for layer in self._layers:
            self.layer.addItem(_end_of(layer.name))
        if not self._layers:
            self.layer.addItem(_NONE)
        self.layer.setCurrentIndex(self._layers.index(wanted) if wanted is not None else 0)
        self.layer.blockSignals(False)
        self._on_layer()

    def choose(self, layer: Any) -> None:
        """Choose a layer that is offered."""
        self.layer.setCurrentIndex(self._layers.index(layer))

    def offer_follow(self, possible: bool) -> None:
        """Show what belongs to following, where there is something to follow through."""
        self.name.setVisible(possible)
        self.follow.setVisible(possible)

    def _on_layer(self) -> None:
        row = self.layer.currentIndex()
        there = 0 <= row < len(self._layers)
        kind = "shape" if there and isinstance(self._layers[row], Shapes) else "label"
        self.which.setItemText(0, f"all {kind}s")
        self.which.setItemText(1, f"selected {kind}")
        for widget in (self.layer, self.which, self.follow):
            widget.setEnabled(there)
        self.layer.setToolTip(plain_tip(self._layers[row].name) if there else _NONE)


def _end_of(name: str) -> str:
    """Shorten the name of a layer from its beginning, where all are called like the image."""
    return name if len(name) <= _MOST_LETTERS else f"…{name[-_MOST_LETTERS + 1 :].lstrip(' ·')}"


def _titled(title: str, name: str) -> str:
    key = shown(name)
    return f"{title}  {key}" if key else title


def _combo(name: str) -> QComboBox:
    combo = QComboBox()
    combo.setAccessibleName(name)
    combo.setToolTip(name)
    combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return combo
