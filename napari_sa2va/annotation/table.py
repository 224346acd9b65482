"""Records by label, and the data frame that napari shows of them.

pandas is imported when it is needed: the dock opens sooner without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from napari_sa2va.annotation.records import ObjectRecord

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
_NUMBERS: Final = frozenset({"score", "area", "iou"})


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
        own = pd.DataFrame(columns)
        if foreign is None:
            return own
        return pd.concat([own, foreign.reindex(labels).reset_index(drop=True)], axis=1)


def records_in(features: pd.DataFrame) -> list[ObjectRecord]:
    """Read the records back that `ObjectTable.features` wrote.

    Rows without a phrase, and tables of others, give none.
    """
    import pandas as pd

    if not set(COLUMNS) <= set(features.columns):
        return []
    records = []
    for row in features.loc[features["phrase"].notna(), list(COLUMNS)].to_dict("records"):
        label = int(row.pop("index"))
        values: dict[str, Any] = {
            str(name): float(value) if name in _NUMBERS else "" if pd.isna(value) else str(value)
            for name, value in row.items()
        }
        records.append(ObjectRecord(label=label, **values))
    return records


def _foreign_columns(features: pd.DataFrame) -> pd.DataFrame | None:
    """Return the columns that are not of this table, by label; None if there are none."""
    names = [name for name in features.columns if name not in COLUMNS]
    if not names:
        return None
    if "index" in features.columns:
        features = features[~features["index"].duplicated()].set_index("index")
    # Rows of labels without any measurement would only make the table longer.
    return features[names].dropna(how="all")
