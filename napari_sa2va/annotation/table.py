"""Records by label, and the data frame that napari shows of them.

pandas is imported when it is needed: the dock opens sooner without.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from napari_sa2va.annotation.records import ObjectRecord, frames_in, frames_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd

MAX_ROWS: Final = 10_000
"""Up to this label, row i of the data frame describes label i."""

# The phrase first: the status bar shows the columns in this order, and is short.
COLUMNS: Final = (
    "index",
    "phrase",
    "score",
    "area",
    "area_unit",
    "iou",
    "answer",
    "model",
    "created",
    "author",
)
STACK_COLUMNS: Final = ("frames", "first_frame", "last_frame", "flagged")
"""There where any object lies in a stack; ``flagged`` is text, such as ``"3-5, 9"``."""
USER_COLUMNS: Final = ("status", "note", "locked", "description", "looked", "color")
"""Each there where any object has something to say in it: the status bar shows them all."""
_FURTHER: Final = (*STACK_COLUMNS, *USER_COLUMNS)
_NUMBERS: Final = frozenset({"score", "area", "iou"})
_DEFAULTS: Final = {field.name: field.default for field in fields(ObjectRecord)}


class ObjectTable:
    """Records by label."""

    def __init__(self, records: Iterable[ObjectRecord] = ()) -> None:
        self._records = {record.label: record for record in records}

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, label: object) -> bool:
        return label in self._records

    def __getitem__(self, label: int) -> ObjectRecord:
        return self._records[label]

    def __iter__(self) -> Iterator[ObjectRecord]:
        """Go through the records in the order of their labels."""
        return iter([self._records[label] for label in sorted(self._records)])

    def put(self, record: ObjectRecord) -> None:
        """Add a record, or replace the one with its label."""
        self._records[record.label] = record

    def remove(self, label: int) -> ObjectRecord:
        """Take the record of a label out and return it."""
        return self._records.pop(label)

    def features(self, others: pd.DataFrame | None = None) -> pd.DataFrame:
        """Return the records as ``Labels.features``.

        Parameters
        ----------
        others : DataFrame, optional
            The layer's present features. Columns that are not of this table (measurements of
            other plugins) are taken over, label by label.

        Returns
        -------
        DataFrame
            Up to label `MAX_ROWS`, row i describes label i and row 0 the background: napari's own
            features table takes the selected label for a row number. Labels without a record have
            empty rows. Beyond that, one row per record; the column ``index`` tells the label.
        """
        import pandas as pd

        foreign = None if others is None else _foreign_columns(others)
        known = set(self._records)
        top = max(known if foreign is None else known | set(foreign.index), default=0)
        labels = list(range(top + 1)) if top <= MAX_ROWS else sorted(known)
        records = [self._records.get(label) for label in labels]
        columns: dict[str, Any] = {"index": pd.Series(labels, dtype="int64")}
        for name in COLUMNS[1:]:
            values = [None if record is None else getattr(record, name) for record in records]
            # Text as objects: pandas' own strings would turn None into nan.
            columns[name] = pd.Series(values, dtype="float64" if name in _NUMBERS else "object")
        for name in _further_columns(self._records.values()):
            values = [None if record is None else _further(record, name) for record in records]
            # Whole numbers as objects, too: with gaps pandas would make them 3.0.
            columns[name] = pd.Series(values, dtype="object")
        own = pd.DataFrame(columns)
        if foreign is None:
            return own
        return pd.concat([own, foreign.reindex(labels).reset_index(drop=True)], axis=1)


def update_features(features: pd.DataFrame, records: Iterable[ObjectRecord]) -> bool:
    """Bring rows of what `ObjectTable.features` made in line with their records, in place.

    Much quicker than making the table anew. Returns False, and changes nothing, where a row or a
    column is missing.
    """
    records = list(records)
    if not {*COLUMNS, *_further_columns(records)} <= set(features.columns):
        return False
    names = [*COLUMNS[1:], *(name for name in _FURTHER if name in features.columns)]
    labels = features["index"].to_numpy()
    if any(r.label >= len(labels) or labels[r.label] != r.label for r in records):
        return False
    for record in records:
        for name in names:
            value = _further(record, name) if name in _FURTHER else getattr(record, name)
            features.at[record.label, name] = value
    return True


def records_in(features: pd.DataFrame) -> list[ObjectRecord]:
    """Read the records back that `ObjectTable.features` wrote.

    Rows without a phrase, and tables of others, give none. Tables without the columns of stacks
    or of the user can be read, too.
    """
    import pandas as pd

    if not set(COLUMNS) <= set(features.columns):
        return []
    records = []
    known = [name for name in (*COLUMNS, *_FURTHER) if name in features.columns]
    for row in features.loc[features["phrase"].notna(), known].to_dict("records"):
        label = int(row.pop("index"))
        further = {name: row.pop(name) for name in _FURTHER if name in row}
        values: dict[str, Any] = {
            str(name): float(value) if name in _NUMBERS else "" if pd.isna(value) else str(value)
            for name, value in row.items()
        }
        for name, value in further.items():
            if not pd.isna(value):
                values[name] = _read(name, value)
        records.append(ObjectRecord(label=label, **values))
    return records


def _further_columns(records: Iterable[ObjectRecord]) -> list[str]:
    """Return which columns, beside `COLUMNS`, these records need."""
    records = list(records)
    stacked = any(record.first_frame is not None for record in records)
    names = list(STACK_COLUMNS) if stacked else []
    for name in USER_COLUMNS:
        default = _DEFAULTS[name]
        if any(getattr(record, name) != default for record in records):
            names.append(name)
    return names


def _further(record: ObjectRecord, name: str) -> int | str | bool | None:
    """Return what a record has in one of the columns beside `COLUMNS`."""
    if name in STACK_COLUMNS and record.first_frame is None:
        return None
    if name == "flagged":
        return frames_text(record.flagged)
    value: int | str | bool | None = getattr(record, name)
    return value if name in STACK_COLUMNS or value != _DEFAULTS[name] else None


def _read(name: str, value: Any) -> Any:
    """Read a cell that `_further` wrote."""
    if name == "flagged":
        return frames_in(str(value))
    if name == "locked":  # a CSV gives text
        return str(value) == "True"
    return int(value) if name in STACK_COLUMNS else str(value)


def _foreign_columns(features: pd.DataFrame) -> pd.DataFrame | None:
    """Return the columns that are not of this table, by label; None if there are none."""
    names = [name for name in features.columns if name not in (*COLUMNS, *_FURTHER)]
    if not names:
        return None
    if "index" in features.columns:
        features = features[~features["index"].duplicated()].set_index("index")
    # Rows of labels without any measurement would only make the table longer.
    return features[names].dropna(how="all")
