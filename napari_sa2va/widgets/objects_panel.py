"""The objects of the labels layer in a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QItemSelectionModel, QSize, QSortFilterProxyModel, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from napari_sa2va.viewer.navigation import next_flagged, show_object
from napari_sa2va.widgets.objects_model import SORT_ROLE, Column, ObjectsModel

if TYPE_CHECKING:
    from napari_sa2va.viewer.objects import LabelObjects


class ObjectsTable(QTableView):
    """A table that is content with five rows, and grows with the dock."""

    def sizeHint(self) -> QSize:
        """Return a small wish."""
        return QSize(super().sizeHint().width(), 6 * self.verticalHeader().defaultSectionSize())


class ObjectsPanel(QWidget):
    """One row an object: a click selects its label and goes there.

    A click on its planes goes to the next one that is flagged.

    Parameters
    ----------
    viewer : napari.Viewer
        Moved to the object that is clicked.
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._objects: LabelObjects | None = None
        self._following = False
        self.model = ObjectsModel(self)
        self._sorted = QSortFilterProxyModel(self)
        self._sorted.setSourceModel(self.model)
        self._sorted.setSortRole(SORT_ROLE)
        self.table = ObjectsTable()
        self.table.setModel(self._sorted)
        self.table.setAccessibleName("Objects")
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setTabKeyNavigation(False)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.setMinimumHeight(84)
        self.table.setSortingEnabled(True)
        self.table.sortByColumn(Column.LABEL, Qt.SortOrder.AscendingOrder)
        self.table.verticalHeader().setVisible(False)
        self.table.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 6)
        self._size_columns()
        self.undo = QPushButton("Undo")
        self.undo.setToolTip("Undo the last change of the labels (Ctrl+Z in the canvas)")
        self.redo = QPushButton("Redo")
        self.redo.setToolTip("Redo it (Ctrl+Shift+Z in the canvas)")
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.undo)
        buttons.addWidget(self.redo)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.table, stretch=1)
        layout.addLayout(buttons)
        self.undo.clicked.connect(self._undo)
        self.redo.clicked.connect(self._redo)
        self.table.selectionModel().currentRowChanged.connect(self._go_to)
        self.table.clicked.connect(self._on_click)
        self.show_objects(None)

    def _size_columns(self) -> None:
        """Leave the phrase what the numbers do not need; Qt's own sizing gives them too much."""
        header = self.table.horizontalHeader()
        header.setMinimumSectionSize(28)
        header.setHighlightSections(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setSectionResizeMode(Column.PHRASE, QHeaderView.ResizeMode.Stretch)
        texts = {
            Column.LABEL: "■ 9999",
            Column.SCORE: "Score 0",
            Column.AREA: "Area µm² 0",
            Column.PLANES: "0-999 ⚠99",
        }
        for column, text in texts.items():
            self.table.setColumnWidth(column, self.fontMetrics().horizontalAdvance(text) + 8)

    @property
    def objects(self) -> LabelObjects | None:
        """Whose rows are shown."""
        return self._objects

    def show_objects(self, objects: LabelObjects | None) -> None:
        """Show the rows of a layer, and follow them."""
        if self._objects is not None and self._objects is not objects:
            self._objects.changed.disconnect(self.refresh)
            self._objects.labels.events.selected_label.disconnect(self._on_label)
            self._objects.labels.events.colormap.disconnect(self.refresh)
        if objects is not None and self._objects is not objects:
            objects.changed.connect(self.refresh)
            objects.labels.events.selected_label.connect(self._on_label)
            objects.labels.events.colormap.connect(self.refresh)
        self._objects = objects
        self.undo.setEnabled(objects is not None)
        self.redo.setEnabled(objects is not None)
        self.refresh()

    def refresh(self) -> None:
        """Read the rows anew."""
        self._following = True
        self.model.set_objects(self._objects)
        self.table.setColumnHidden(Column.PLANES, not self.model.in_stacks)
        self.table.setColumnHidden(Column.AREA, self.model.in_stacks)
        self._following = False
        self._on_label()

    def _undo(self) -> None:
        if self._objects is not None:
            self._objects.labels.undo()

    def _redo(self) -> None:
        if self._objects is not None:
            self._objects.labels.redo()

    def _on_click(self, index: Any) -> None:
        """Go to the object, or from a click on its planes to the next flagged one."""
        self._go_to(index, flagged=index.column() == Column.PLANES)

    def _go_to(self, index: Any, *_: Any, flagged: bool = False) -> None:
        """Go to the object of a row that the user chose."""
        if self._following or self._objects is None or not index.isValid():
            return
        label = self.model.label_at(self._sorted.mapToSource(index).row())
        entry, point = self._objects.entry(label), None
        if entry is not None and flagged:
            point = next_flagged(self._viewer, self._objects.labels, entry)
        point = point or self._objects.point(label)
        if point is not None:
            self._following = True
            show_object(self._viewer, self._objects.labels, label, point)
            self._following = False

    def _on_label(self) -> None:
        """Mark the row of the layer's selected label."""
        if self._following or self._objects is None:
            return
        row = self.model.row_of(int(self._objects.labels.selected_label))
        self._following = True
        if row is None:
            self.table.clearSelection()
        else:
            index = self._sorted.mapFromSource(self.model.index(row, 0))
            flags = QItemSelectionModel.SelectionFlag
            self.table.selectionModel().setCurrentIndex(index, flags.ClearAndSelect | flags.Rows)
            self.table.scrollTo(index)
        self._following = False
