"""Two tables: a row per object, and a row per object and plane; as CSV or as Parquet."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sa2va.annotation.records import ObjectRecord, frames_text
from napari_sa2va.io.atomic import replacing
from napari_sa2va.io.export.annotations import unknown
from napari_sa2va.io.export.needed import needed
from napari_sa2va.io.export.shapes import shapes_in
from napari_sa2va.io.export.space import LENGTH

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_sa2va.io.export.annotations import Annotations, Place
    from napari_sa2va.io.export.shapes import Shape
    from napari_sa2va.io.export.space import Space

    Row = dict[str, Any]

_MEASURED: Final = (
    "label", "phrase", "status", "planes", "pixels", "area_um2", "volume_um3", "mean_plane",
    "mean_row", "mean_column", "first_plane", "last_plane",
)  # fmt: skip
_OF_RECORD: Final = tuple(
    field.name for field in fields(ObjectRecord) if field.name not in ("label", "phrase", "status")
)


@dataclass(slots=True)
class _Sum:
    """What the planes of an object add up to."""

    pixels: int = 0
    planes: int = 0
    weighted: tuple[float, float, float] = (0.0, 0.0, 0.0)
    first: str = ""
    last: str = ""

    def add(self, number: int, title: str, shape: Shape) -> None:
        """Take in one plane."""
        area = shape.area
        row, column = shape.centre
        more = (number * area, row * area, column * area)
        self.weighted = tuple(a + b for a, b in zip(self.weighted, more, strict=True))  # type: ignore[assignment]
        self.pixels += area
        self.planes += 1
        self.first = self.first or title
        self.last = title


def write_csv(annotations: Annotations, path: Path) -> list[str]:
    """Write the objects to `path`, and objects by plane to ``…_by_plane.csv`` beside it."""
    objects, planes = measure(annotations)
    _csv(path, objects)
    if len(annotations.places) > 1:
        _csv(by_plane(path), planes)
    return _notes(annotations, by_plane(path))


def write_parquet(annotations: Annotations, path: Path) -> list[str]:
    """Write the same two tables as Parquet."""
    arrow = needed("pyarrow", "pyarrow", "Parquet tables")
    parquet = needed("pyarrow.parquet", "pyarrow", "Parquet tables")
    objects, planes = measure(annotations)
    tables = [(path, objects)]
    if len(annotations.places) > 1:
        tables.append((by_plane(path), planes))
    for target, (names, rows) in tables:
        columns = {name: [_unless_nan(row.get(name)) for row in rows] for name in names}
        with replacing(target) as temporary:
            parquet.write_table(arrow.table(columns), temporary)
    return _notes(annotations, by_plane(path))


def by_plane(path: Path) -> Path:
    """Return where the table of objects and planes goes."""
    return path.with_name(f"{path.stem}_by_plane{path.suffix}")


def measure(
    annotations: Annotations,
) -> tuple[tuple[Sequence[str], list[Row]], tuple[Sequence[str], list[Row]]]:
    """Measure all objects, a plane at a time.

    Returns
    -------
    two pairs of column names and rows
        Of the objects, and of objects by plane. Areas are in µm² and volumes in µm³, where all
        sizes are known; positions in pixels, from the centre of the first one.
    """
    space, records = annotations.space, annotations.by_label()
    pixel = _pixel(space, "yx")
    sums: dict[int, _Sum] = {}
    planes: list[Row] = []
    for number, (place, plane) in enumerate(annotations.planes()):
        for shape in shapes_in(plane):
            sums.setdefault(shape.label, _Sum()).add(number, annotations.title(place), shape)
            record = records.get(shape.label) or unknown(shape.label)
            planes.append(_plane_row(annotations, place, shape, record, pixel))
    voxel = _pixel(space, "zyx")
    objects = [
        _object_row(records.get(label) or unknown(label), sums.get(label), pixel, voxel)
        for label in sorted({*sums, *records})
    ]
    leading = tuple(annotations.space.axes[:-2])
    names = ("label", "phrase", *leading, "pixels", "area_um2", "row", "column", "top", "left",
             "height", "width", "flagged")  # fmt: skip
    return ((*_MEASURED, *_OF_RECORD), objects), (names, planes)


def _object_row(record: ObjectRecord, found: _Sum | None, pixel: float, voxel: float) -> Row:
    row: Row = {name: getattr(record, name) for name in _OF_RECORD}
    row["flagged"] = frames_text(record.flagged)
    found = found or _Sum()
    means = [total / found.pixels if found.pixels else math.nan for total in found.weighted]
    return row | {
        "label": record.label,
        "phrase": record.phrase,
        "status": record.shown_status,
        "planes": found.planes,
        "pixels": found.pixels,
        # Of an object in several planes the mean, as in the rows of the dock.
        "area_um2": found.pixels * pixel / found.planes if found.planes else math.nan,
        "volume_um3": found.pixels * voxel,
        "mean_plane": means[0],
        "mean_row": means[1],
        "mean_column": means[2],
        "first_plane": found.first,
        "last_plane": found.last,
    }


def _plane_row(
    annotations: Annotations, place: Place, shape: Shape, record: ObjectRecord, pixel: float
) -> Row:
    left, top, width, height = shape.corner_and_size
    row, column = shape.centre
    return {
        "label": shape.label,
        "phrase": record.phrase,
        **dict(zip(annotations.space.axes, place, strict=False)),
        "pixels": shape.area,
        "area_um2": shape.area * pixel,
        "row": row,
        "column": column,
        "top": top,
        "left": left,
        "height": height,
        "width": width,
        # Frame numbers of a record count along the only axis there is.
        "flagged": len(place) == 1 and place[0] in record.flagged,
    }


def _pixel(space: Space, axes: str) -> float:
    """Return the size of a pixel or voxel in µm² or µm³; nan where it is not known."""
    if any(axis not in space.axes for axis in axes):
        return math.nan
    places = [space.axes.index(axis) for axis in axes]
    if any(space.units[place] != LENGTH for place in places):
        return math.nan
    # The determinant, not the product: sheared pixels are smaller than their sides say.
    return float(abs(np.linalg.det(space.matrix[np.ix_(places, places)])))


def _csv(path: Path, table: tuple[Sequence[str], list[Row]]) -> None:
    names, rows = table
    # Spreadsheets take a CSV for UTF-8 only if it begins with this mark.
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8-sig", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows([_cell(row.get(name)) for name in names] for row in rows)


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.9g}"
    if isinstance(value, str) and value[:1] in "=+-@\t\r" and value:
        return f"'{value}"  # a spreadsheet would take it for a formula
    return "" if value is None else value


def _unless_nan(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def _notes(annotations: Annotations, second: Path) -> list[str]:
    notes = ["A table has no outlines: the labels themselves are not in it."]
    if len(annotations.places) > 1:
        notes.append(f"Objects plane by plane are in {second.name}.")
    if annotations.space.pixel_size is None:
        notes.append("The size of a pixel is not known: areas are in pixels only.")
    if annotations.turns:
        notes.append("The conversation is not in the tables.")
    return notes
