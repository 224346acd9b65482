"""The table of objects: widths that fit a narrow dock, and editing in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QItemSelectionModel, QModelIndex, QSize, Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QStyledItemDelegate, QTableView, QWidget

from napari_sa2va.widgets.objects_model import Column, ObjectsModel
from napari_sa2va.widgets.status_icons import ICON_SIZE

if TYPE_CHECKING:
    from qtpy.QtGui import QResizeEvent
    from qtpy.QtWidgets import QStyleOptionViewItem

# Narrower than this, the table has no room for areas beside notes.
_WIDE: Final = 420


class _Editor(QStyledItemDelegate):
    """Edits a cell without being disturbed: the rows may be read anew meanwhile."""

    is_open = False

    def createEditor(
        self, parent: QWidget | None, option: QStyleOptionViewItem, index: QModelIndex
    ) -> QWidget | None:
        editor = super().createEditor(parent, option, index)
        if editor is not None:
            editor.setAccessibleName("Phrase" if index.column() == Column.PHRASE else "Note")
            self.is_open = True
        return editor

    def setEditorData(self, editor: QWidget | None, index: QModelIndex) -> None:
        if editor is not None and not editor.property("filled"):
            super().setEditorData(editor, index)
            editor.setProperty("filled", True)

    def destroyEditor(self, editor: QWidget | None, index: QModelIndex) -> None:
        self.is_open = False
        super().destroyEditor(editor, index)


class ObjectsTable(QTableView):
    """A table that is content with five rows, and grows with the dock."""

    def __init__(self, model: ObjectsModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._objects = model
        self.setModel(model)
        self._editor = _Editor(self)
        self.setItemDelegate(self._editor)
        self.setAccessibleName("Objects")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.DoubleClicked)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setIconSize(ICON_SIZE)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setMinimumHeight(84)
        self.setSortingEnabled(True)
        self.sortByColumn(Column.LABEL, Qt.SortOrder.AscendingOrder)
        self.verticalHeader().setVisible(False)
        # One height for all: Qt would ask each of a thousand rows.
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 6)
        self._size_columns()

    def _size_columns(self) -> None:
        """Leave the phrase what the numbers do not need; Qt's own sizing gives them too much."""
        header = self.horizontalHeader()
        header.setMinimumSectionSize(28)
        header.setHighlightSections(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setSectionResizeMode(Column.PHRASE, QHeaderView.ResizeMode.Stretch)
        texts = {
            Column.LABEL: "■ 999",
            Column.SCORE: "Score 0",
            Column.PLANES: "0-999 ⚠99",
            Column.NOTE: "short note",
        }
        for column, text in texts.items():
            self.setColumnWidth(column, self.fontMetrics().horizontalAdvance(text) + 8)
        self.setColumnWidth(Column.STATUS, 34)

    def show_columns(self) -> None:
        """Show what there is something in, and room for; the phrase keeps most of it."""
        title = self._objects.headerData(Column.AREA, Qt.Orientation.Horizontal)
        self.setColumnWidth(Column.AREA, self.fontMetrics().horizontalAdvance(title) + 14)
        notes, stacks = self._objects.has_notes, self._objects.in_stacks
        narrow = self.viewport().width() < _WIDE
        self.setColumnHidden(Column.PLANES, not stacks)
        self.setColumnHidden(Column.AREA, stacks or (narrow and notes))
        self.setColumnHidden(Column.NOTE, not notes and narrow)

    # --- selecting and editing ---

    @property
    def editing(self) -> bool:
        """Whether the user is writing in a cell."""
        # Qt's own state is back at none once rows have moved, though the field is there.
        return self._editor.is_open

    @property
    def current_label(self) -> int | None:
        """The label of the row with the focus, if it is selected; None for none."""
        index = self.selectionModel().currentIndex()
        if index.isValid() and self.selectionModel().isRowSelected(index.row(), QModelIndex()):
            return self._objects.label_at(index.row())
        return None

    @property
    def chosen(self) -> list[int]:
        """The labels of the selected rows: first that of the row with the focus, then by label."""
        rows = self.selectionModel().selectedRows()
        labels = sorted(self._objects.label_at(index.row()) for index in rows)
        first = self.current_label
        return labels if first is None else [first, *(n for n in labels if n != first)]

    def choose(self, label: int | None) -> None:
        """Select the row of a label alone; none for None, or if it has none."""
        row = None if label is None else self._objects.row_of(label)
        if row is None:
            self.selectionModel().clear()
            return
        flags = QItemSelectionModel.SelectionFlag
        index = self._objects.index(row, Column.PHRASE)
        self.selectionModel().setCurrentIndex(index, flags.ClearAndSelect | flags.Rows)
        self.scrollTo(index)

    def write(self, label: int, column: Column) -> None:
        """Let the user write in a cell of a label's row."""
        row = self._objects.row_of(label)
        if row is not None and not self.editing:
            self.setColumnHidden(column, False)
            self.setFocus()
            index = self._objects.index(row, column)
            self.scrollTo(index)
            self.edit(index)

    # --- Qt's names from here on ---

    def sizeHint(self) -> QSize:
        """Return a small wish."""
        return QSize(super().sizeHint().width(), 6 * self.verticalHeader().defaultSectionSize())

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Show what there is room for now."""
        super().resizeEvent(event)
        self.show_columns()
