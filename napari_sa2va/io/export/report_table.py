"""The table of a report: short cells, as text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from napari_sa2va.io.export.annotations import colour_of, unknown
from napari_sa2va.io.export.tables import measure

if TYPE_CHECKING:
    from napari_sa2va.io.export.annotations import Annotations

HEADINGS: Final = (
    "Label", "Phrase", "Status", "Score", "Pixels", "Area", "Brightness", "Planes", "Description",
    "Note", "Model",
)  # fmt: skip


def rows_of(annotations: Annotations) -> tuple[list[list[str]], list[str]]:
    """Return the cells of each object, and its colour as ``#rrggbb``."""
    records = annotations.by_label()
    (columns, objects), _ = measure(annotations)
    channels = [name.removeprefix("mean_") for name in columns if f"max_{name[5:]}" in columns]
    rows, colours = [], []
    for row in objects:
        record = records.get(row["label"]) or unknown(row["label"])
        rows.append(
            [
                str(row["label"]),
                record.phrase,
                row["status"],
                _number(record.score, 2),
                str(row["pixels"]),
                _area(row),
                "; ".join(_brightness(row, name) for name in channels),
                str(row["planes"]),
                record.description,
                record.note,
                record.model,
            ]
        )
        colours.append("#" + bytes(colour_of(record)).hex())
    return rows, colours


def _area(row: dict[str, Any]) -> str:
    if not math.isnan(row["volume_um3"]):
        return f"{row['volume_um3']:.4g} µm³"
    return "" if math.isnan(row["area_um2"]) else f"{row['area_um2']:.4g} µm²"


def _brightness(row: dict[str, Any], channel: str) -> str:
    """Write mean, lowest and highest of a channel."""
    mean = row.get(f"mean_{channel}", math.nan)
    if math.isnan(mean):
        return ""
    return f"{channel} {mean:.4g} ({row[f'min_{channel}']:.4g} to {row[f'max_{channel}']:.4g})"


def _number(value: float, digits: int) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}f}"
