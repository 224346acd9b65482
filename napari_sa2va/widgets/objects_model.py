"""Rows of objects, for Qt's table."""

from __future__ import annotations

import math
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt
from qtpy.QtGui import QColor, QPixmap

from napari_sa2va.engine.planes import format_planes

if TYPE_CHECKING:
    from napari_sa2va.annotation import ObjectRecord
    from napari_sa2va.viewer.objects import LabelObjects

SORT_ROLE: Final = int(Qt.ItemDataRole.UserRole) + 1


class Column(IntEnum):
    """From left to right."""

    LABEL = 0
    PHRASE = 1
    SCORE = 2
    AREA = 3
    PLANES = 4


class ObjectsModel(QAbstractTableModel):
    """Colour and id, phrase, score, area, and in stacks the planes it is in."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[ObjectRecord] = []
        self._objects: LabelObjects | None = None
        self._unit = "pixel"

    def set_objects(self, objects: LabelObjects | None) -> None:
        """Take the rows over."""
        rows = [] if objects is None else objects.rows()
        same = [row.label for row in rows] == [row.label for row in self._rows]
        if not same:
            self.beginResetModel()
        self._rows, self._objects = rows, objects
        self._unit = rows[0].area_unit if rows else "pixel"
        if not same:
            self.endResetModel()
        elif rows:
            # Keep the selection and the scroll position while numbers change.
            self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(Column) - 1))

    @property
    def in_stacks(self) -> bool:
        """Whether any object was followed through planes."""
        return any(row.frames > 1 or row.flagged for row in self._rows)

    def label_at(self, row: int) -> int:
        """Return the label of a row."""
        return self._rows[row].label

    def row_of(self, label: int) -> int | None:
        """Return the row of a label, if it has one."""
        return next((i for i, row in enumerate(self._rows) if row.label == label), None)

    # --- Qt's names from here on ---

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: D102
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:  # noqa: D102
        return 0 if parent is not None and parent.isValid() else len(Column)

    def headerData(  # noqa: D102
        self, section: int, orientation: Qt.Orientation, role: int = 0
    ) -> Any:
        if orientation != Qt.Orientation.Horizontal or role != Qt.ItemDataRole.DisplayRole:
            return None
        unit = "px" if self._unit == "pixel" else self._unit
        return ("", "Phrase", "Score", f"Area {unit}", "Planes")[section]

    def data(self, index: QModelIndex, role: int = 0) -> Any:  # noqa: D102
        record, column = self._rows[index.row()], Column(index.column())
        if role == Qt.ItemDataRole.DisplayRole:
            return _shown(record, column)
        if role == SORT_ROLE:
            return _sorted_by(record, column)
        if role == Qt.ItemDataRole.DecorationRole and column is Column.LABEL:
            swatch = QPixmap(10, 10)
            swatch.fill(self._colour(record.label))
            return swatch
        if role == Qt.ItemDataRole.TextAlignmentRole and column >= Column.SCORE:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.ToolTipRole:
            return _tip(record)
        return None

    def _colour(self, label: int) -> QColor:
        # Asked for the rows in view only: napari takes a while for thousands of labels.
        colour = None if self._objects is None else self._objects.labels.get_color(label)
        return QColor(0, 0, 0, 0) if colour is None else QColor.fromRgbF(*map(float, colour))


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
            if record.first_frame is None:
                return ""
            return _planes(record)


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


def _tip(record: ObjectRecord) -> str:
    lines = [
        f"{record.label}: {record.phrase}",
        f"mean probability {record.score:.3f}, predicted IoU {record.iou:.3f}",
        f"{record.area:g} {record.area_unit}",
        f"{record.model}, {record.created}",
    ]
    if record.first_frame is not None:
        planes = f"in {record.frames} planes, {record.first_frame} to {record.last_frame}"
        lines.insert(2, planes)
    if record.flagged:
        lines.insert(3, f"to be looked at: {format_planes(record.flagged)} (click on Planes)")
    return "\n".join(lines)
