"""The table of all models in the model manager."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from napari_sa2va.widgets.model_texts import cells, tip
from napari_sa2va.widgets.objects_model import plain_tip

if TYPE_CHECKING:
    from napari_sa2va.zoo.shelf import Model

_HEAD: Final = ("Model", "Here", "Size", "Memory", "Fits", "Licence of the weights")
# Numbers stand below each other.
_RIGHT: Final = ("Size", "Memory")
_LEFT_ALIGNED: Final = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT_ALIGNED: Final = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_ROW_PIXELS: Final = 24
# napari's themes leave no room between columns.
_STYLE: Final = "QTableView::item { padding: 0 8px; } QHeaderView::section { padding: 3px 8px; }"
# Of models that cannot be run here; readable in napari's dark and light themes.
_DIM: Final = QColor("#8a8f98")


class ModelTable(QTableWidget):
    """A row for each model, the recommended one first."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(_HEAD), parent)
        self.models: tuple[Model, ...] = ()
        self.setStyleSheet(_STYLE)
        for column, title in enumerate(_HEAD):
            heading = QTableWidgetItem(title)
            heading.setTextAlignment(_alignment(title))
            self.setHorizontalHeaderItem(column, heading)
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
                item.setToolTip(plain_tip(tip(model)))
                item.setTextAlignment(_alignment(_HEAD[column]))
                if model.problem is not None or model.fits is False:
                    item.setForeground(_DIM)
                self.setItem(row, column, item)
        self.select(name)

    def select(self, name: str) -> None:
        """Select a model by its name; an unknown one selects the first row."""
        names = [model.name for model in self.models]
        self.setCurrentCell(names.index(name) if name in names else 0, 0)


def _alignment(title: str) -> Qt.AlignmentFlag:
    return _RIGHT_ALIGNED if title in _RIGHT else _LEFT_ALIGNED
