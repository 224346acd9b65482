"""The table of all models in the model manager."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from napari_sa2va.zoo.fit import gib
from napari_sa2va.zoo.sam2 import SAM2_NAME

if TYPE_CHECKING:
    from napari_sa2va.zoo.shelf import Model

_HEAD: Final = ("Model", "Here", "Size", "Memory", "Fits", "Licence of the weights")
_ROW_PIXELS: Final = 24
# Of models that cannot be run here; readable in napari's dark and light themes.
_DIM: Final = QColor("#8a8f98")


class ModelTable(QTableWidget):
    """A row for each model, the recommended one first."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(_HEAD), parent)
        self.models: tuple[Model, ...] = ()
        self.setHorizontalHeaderLabels(_HEAD)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW_PIXELS)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setAccessibleName("Models")
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(True)

    @property
    def current(self) -> Model | None:
        """The model of the selected row."""
        row = self.currentRow()
        return self.models[row] if 0 <= row < len(self.models) else None

    def show_models(self, models: tuple[Model, ...]) -> None:
        """Fill the table; the same model stays selected."""
        name = self.current.name if self.current is not None else models[0].name
        self.models = models
        self.setRowCount(len(models))
        for row, model in enumerate(models):
            for column, text in enumerate(cells(model)):
                item = QTableWidgetItem(text)
                item.setToolTip(tip(model))
                if model.problem is not None or model.fits is False:
                    item.setForeground(_DIM)
                self.setItem(row, column, item)
        self.select(name)

    def select(self, name: str) -> None:
        """Select a model by its name; an unknown one selects the first row."""
        names = [model.name for model in self.models]
        self.setCurrentCell(names.index(name) if name in names else 0, 0)


def cells(model: Model) -> tuple[str, ...]:
    """Return what the columns say of a model."""
    here = "yes" if model.here else "no"
    if not model.here and model.on_disk > 0:
        here = f"{gib(model.on_disk)} of it"
    size = model.on_disk if model.here else model.download
    about = "" if model.here else "about "
    return (
        f"{model.name}{_remark(model)}",
        here,
        f"{about}{gib(size)}" if size else "",
        gib(model.need.total) if model.need is not None else "",
        fits(model),
        model.license,
    )


def _remark(model: Model) -> str:
    if model.name == SAM2_NAME:
        return "  for consistent tracking"
    return "  ★ recommended" if model.recommended else ""


def fits(model: Model) -> str:
    """Say whether a model fits into the memory of the device."""
    if model.problem is not None:
        return "cannot be run"
    if model.fits_now:
        return "yes"
    if model.fits:
        return "not now"
    return "" if model.fits is None else "no"


def tip(model: Model) -> str:
    """Return what a row's tooltip says."""
    lines = [details(model), f"In {model.folder}" if model.folder else ""]
    return "\n".join(line for line in lines if line)


def details(model: Model) -> str:
    """Say what a model is for, and what is wrong with it; a line for each."""
    lines = [
        model.hub_id or "",
        f"For: {', '.join(model.can)}" if model.can else "",
    ]
    if model.revision:
        lines.append(f"Version {model.revision[:12]}")
    if model.problem:
        lines.append(model.problem)
    if model.fits and not model.fits_now:
        lines.append("It fits with other programs closed.")
    return "\n".join(line for line in lines if line)
