"""Records in a layer's features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from napari_sa2va.annotation import ObjectTable
from napari_sa2va.annotation.table import update_features

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari.layers import Labels

    from napari_sa2va.annotation import ObjectRecord

# Writing single cells is slow in pandas: for more rows than this a new table is quicker.
_FEW: Final = 40


class WrittenRows:
    """What was written into the features of a layer, so that only news are written again.

    Parameters
    ----------
    labels : Labels
        The layer.
    """

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._written: dict[int, ObjectRecord] = {}

    def write(self, records: Iterable[ObjectRecord]) -> None:
        """Bring the features in line with the records of all objects."""
        written, self._written = self._written, {record.label: record for record in records}
        # Most are the very same: comparing their fields would take longer than all the rest.
        news = [
            row
            for label, row in self._written.items()
            if row is not (old := written.get(label)) and row != old
        ]
        same_labels = written.keys() == self._written.keys()
        few = len(news) <= _FEW
        if same_labels and few and update_features(self._labels.features, news):
            if news:
                self._labels.events.features()
        else:
            rows = ObjectTable(self._written.values())
            self._labels.features = rows.features(self._labels.features)
