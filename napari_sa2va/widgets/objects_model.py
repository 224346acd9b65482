"""Rows of objects, for Qt's table."""

from __future__ import annotations

import html
import itertools
import math
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt, Signal
from qtpy.QtGui import QColor, QFont, QPixmap
from qtpy.QtWidgets import QApplication

from napari_sa2va.annotation.records import frames_text
from napari_sa2va.viewer.highlighting import own_colour
from napari_sa2va.widgets.status_icons import status_icon

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_sa2va.annotation import ObjectRecord
    from napari_sa2va.viewer.objects import LabelObjects


class Column(IntEnum):
    """From left to right."""

    LABEL = 0
    PHRASE = 1
    SCORE = 2
    AREA = 3
    PLANES = 4
    STATUS = 5
    NOTE = 6


EDITABLE: Final = {Column.PHRASE: "phrase", Column.NOTE: "note"}
"""Columns that are edited in place, and the fields they show."""

_RIGHT: Final = (Column.SCORE, Column.AREA, Column.PLANES)
# napari's themes are style sheets: the application's palette does not know them.
_DIMMED: Final = QColor(128, 128, 128)
_BY_URGENCY: Final = ("flagged", "proposed", "accepted", "rejected")


class ObjectsModel(QAbstractTableModel):
    """What is known of the objects, a row each, in the order that the user chose.

    It sorts by itself: Qt's proxy would ask Python for every two rows that it compares. News
    change as little as can be, so that a selection, a scroll position and an edit under way stay.
    """

    edited = Signal(int, str, str)
    """The user wrote something: label, field, text. The row changes when the record does."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[ObjectRecord] = []
        self._places: dict[int, int] = {}
        self._objects: LabelObjects | None = None
        self._unit = "pixel"
        self._sorted_by = (Column.LABEL, False)

    def set_objects(self, objects: LabelObjects | None) -> None:
        """Take the rows over."""
        new = {row.label: row for row in ([] if objects is None else objects.rows())}
        self._objects = objects
        unit = next(iter(new.values())).area_unit if new else "pixel"
        if unit != self._unit:
            self._unit = unit
            self.headerDataChanged.emit(Qt.Orientation.Horizontal, Column.AREA, Column.AREA)
        self._remove([place for place, row in enumerate(self._rows) if row.label not in new])
        for place, row in enumerate(self._rows):
            if new[row.label] is not row and new[row.label] != row:
                self._rows[place] = new[row.label]
                self.dataChanged.emit(self.index(place, 0), self.index(place, len(Column) - 1))
        self._append([row for label, row in new.items() if label not in self._places])
        self._sort()

    def repaint(self) -> None:
        """Show the colours anew."""
        if self._rows:
            last = self.index(len(self._rows) - 1, Column.LABEL)
            role = [Qt.ItemDataRole.DecorationRole]
            self.dataChanged.emit(self.index(0, Column.LABEL), last, role)

    @property
    def in_stacks(self) -> bool:
        """Whether any object was followed through planes."""
        return any(row.frames > 1 or row.flagged for row in self._rows)

    @property
    def has_notes(self) -> bool:
        """Whether any object has a note."""
        return any(row.note for row in self._rows)

    def label_at(self, row: int) -> int:
        """Return the label of a row."""
        return self._rows[row].label

    def row_of(self, label: int) -> int | None:
        """Return the row of a label, if it has one."""
        return self._places.get(label)

    # --- rows that come, go and move ---

    def _remove(self, places: list[int]) -> None:
        for first, last in reversed(list(_runs(places))):
            self.beginRemoveRows(QModelIndex(), first, last)
            del self._rows[first : last + 1]
            self._index()
            self.endRemoveRows()

    def _append(self, rows: list[ObjectRecord]) -> None:
        if rows:
            start = len(self._rows)
            self.beginInsertRows(QModelIndex(), start, start + len(rows) - 1)
            self._rows += rows
            self._index()
            self.endInsertRows()

    def _sort(self) -> None:
        column, descending = self._sorted_by
        wanted = sorted(self._rows, key=lambda row: row.label)
        wanted.sort(key=lambda row: _sorted_by(row, column), reverse=descending)
        if all(one is other for one, other in zip(wanted, self._rows, strict=True)):
            return
        self.layoutAboutToBeChanged.emit()
        kept = self.persistentIndexList()
        labels = [self._rows[index.row()].label for index in kept]
        self._rows = wanted
        self._index()
        moved = [
            self.index(self._places[label], index.column())
            for index, label in zip(kept, labels, strict=True)
        ]
        self.changePersistentIndexList(kept, moved)
        self.layoutChanged.emit()

    def _index(self) -> None:
        self._places = {row.label: place for place, row in enumerate(self._rows)}

    # --- Qt's names from here on ---

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: D102
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:  # noqa: D102
        return 0 if parent is not None and parent.isValid() else len(Column)

    def sort(  # noqa: D102
        self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder
    ) -> None:
        self._sorted_by = (Column(column), order == Qt.SortOrder.DescendingOrder)
        self._sort()

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:  # noqa: D102
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsEditable if index.column() in EDITABLE else flags

    def setData(self, index: QModelIndex, value: Any, role: int = 0) -> bool:  # noqa: D102
        if role != Qt.ItemDataRole.EditRole or index.column() not in EDITABLE:
            return False
        field = EDITABLE[Column(index.column())]
        record, text = self._rows[index.row()], " ".join(str(value).split())
        if text != getattr(record, field):
            self.edited.emit(record.label, field, text)
        return True

    def headerData(  # noqa: D102
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation != Qt.Orientation.Horizontal or role != Qt.ItemDataRole.DisplayRole:
            return None
        unit = "px" if self._unit == "pixel" else self._unit
        return ("", "Phrase", "Score", f"Area {unit}", "Planes", "", "Note")[section]

    def data(self, index: QModelIndex, role: int = 0) -> Any:  # noqa: D102
        record, column = self._rows[index.row()], Column(index.column())
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return _shown(record, column)
            case Qt.ItemDataRole.EditRole:
                return getattr(record, EDITABLE[column]) if column in EDITABLE else None
            case Qt.ItemDataRole.DecorationRole if column is Column.LABEL:
                return self._swatch(record.label)
            case Qt.ItemDataRole.DecorationRole if column is Column.STATUS:
                return status_icon(record.shown_status, record.locked)
            case Qt.ItemDataRole.TextAlignmentRole if column in _RIGHT:
                return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            case Qt.ItemDataRole.ForegroundRole if record.status == "rejected":
                return _DIMMED
            case Qt.ItemDataRole.FontRole if record.status == "rejected":
                return _struck_out()
            case Qt.ItemDataRole.ToolTipRole:
                return _tip(record)
            case Qt.ItemDataRole.AccessibleTextRole if column is Column.STATUS:
                return f"{record.shown_status}{', locked' * record.locked}"
        return None

    def _swatch(self, label: int) -> QPixmap:
        # Asked for the rows in view only: napari takes a while for thousands of labels.
        swatch = QPixmap(10, 10)
        if self._objects is None:
            swatch.fill(QColor(0, 0, 0, 0))
        else:
            swatch.fill(QColor.fromRgbF(*own_colour(self._objects.labels, label)))
        return swatch


def _runs(places: list[int]) -> Iterator[tuple[int, int]]:
    """Go through the first and the last of neighbouring places."""
    for _, run in itertools.groupby(enumerate(places), key=lambda pair: pair[1] - pair[0]):
        there = [place for _, place in run]
        yield there[0], there[-1]


def _shown(record: ObjectRecord, column: Column) -> str:
    match column:
        case Column.LABEL:
            return str(record.label)
        case Column.PHRASE:
            return record.phrase
        case Column.SCORE:
            return "" if math.isnan(record.score) else f"{record.score:.2f}"
        case Column.AREA:
            return f"{record.area:.0f}" if record.area >= 100 else f"{record.area:.3g}"
        case Column.PLANES:
            return "" if record.first_frame is None else _planes(record)
        case Column.STATUS:
            return ""
        case Column.NOTE:
            return record.note


def _planes(record: ObjectRecord) -> str:
    """Write where an object is: from and to, how many planes if there are gaps, the flagged."""
    assert record.first_frame is not None and record.last_frame is not None
    text = f"{record.first_frame}-{record.last_frame}"
    if record.frames <= record.last_frame - record.first_frame:
        text += f" ({record.frames})"
    return f"{text} ⚠{len(record.flagged)}" if record.flagged else text


def _sorted_by(record: ObjectRecord, column: Column) -> Any:
    match column:
        case Column.LABEL:
            return record.label
        case Column.PHRASE:
            return record.phrase.casefold()
        case Column.SCORE:
            return -1.0 if math.isnan(record.score) else record.score
        case Column.AREA:
            return record.area
        case Column.PLANES:  # what needs a look first
            return (-len(record.flagged), -1 if record.first_frame is None else record.first_frame)
        case Column.STATUS:  # here, too
            return _BY_URGENCY.index(record.shown_status)
        case Column.NOTE:  # those with a note first
            return (not record.note, record.note.casefold())


def _tip(record: ObjectRecord) -> str:
    lines = [f"{record.label}: {record.phrase}"]
    if not math.isnan(record.score):
        lines.append(
            f"score {record.score:.3f} (mean probability inside the mask), SAM2's own estimate of "
            f"its overlap {record.iou:.3f}"
        )
    if record.first_frame is not None:
        lines.append(f"in {record.frames} planes, {record.first_frame} to {record.last_frame}")
    if record.flagged:
        lines.append(f"to be looked at: {frames_text(record.flagged)} (click on Planes)")
    lines.append(f"{record.area:g} {record.area_unit}")
    lines.append(f"{record.shown_status}{', locked' * record.locked}")
    lines.append(", ".join(filter(None, (record.model or record.author, record.created))))
    for title, text in (("Note", record.note), ("Description", record.description)):
        if text:
            lines.append(f"{title}: {text}")
    if record.looked:
        lines.append(f"Looked at: {record.looked}")
    return plain_tip("\n".join(lines))


def plain_tip(text: str) -> str:
    """Return a tooltip that shows a text as it is: Qt takes one with tags for HTML, and loads it.

    Examples
    --------
    >>> plain_tip("a <b>")
    '<p style="white-space: pre-wrap">a &lt;b&gt;</p>'
    """
    return f'<p style="white-space: pre-wrap">{html.escape(text)}</p>'


def _struck_out() -> QFont:
    font = QFont(QApplication.font())
    font.setStrikeOut(True)
    return font
