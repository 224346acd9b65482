"""Two tables: a row per object, and a row per object and plane; as CSV or as Parquet."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sa2va.annotation.measure import Tally, channel_names, channels_of, regions_in
from napari_sa2va.annotation.records import ObjectRecord, frames_text
from napari_sa2va.io.atomic import replacing_all
from napari_sa2va.io.csv_rows import guarded
from napari_sa2va.io.export.annotations import unknown
from napari_sa2va.io.export.needed import needed
from napari_sa2va.io.export.space import LENGTH

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_sa2va.annotation.measure import Intensity, Measured, Region
    from napari_sa2va.io.export.annotations import Annotations, Place
    from napari_sa2va.io.export.space import Space

    Row = dict[str, Any]
    Table = tuple[Sequence[str], list[Row]]

_MEASURED: Final = (
    "label", "phrase", "status", "planes", "pixels", "area_um2", "volume_um3", "mean_plane",
    "mean_row", "mean_column", "first_plane", "last_plane",
)  # fmt: skip
_OF_RECORD: Final = tuple(
    field.name for field in fields(ObjectRecord) if field.name not in ("label", "phrase", "status")
)

_WHOLE: Final = frozenset(
    ("planes", "pixels", "frames", "first_frame", "last_frame", "top", "left", "height", "width")
)
_TEXTS: Final = frozenset(
    (
        "phrase", "status", "first_plane", "last_plane", "answer", "area_unit", "model", "created",
        "author", "flagged", "note", "description", "looked", "color",
    )
)  # fmt: skip


def write_csv(annotations: Annotations, path: Path) -> list[str]:
    """Write the objects to `path`, and objects by plane to ``…_by_plane.csv`` beside it."""
    tables = _tables(annotations, path)
    with replacing_all(*tables) as temporary:
        for target, (names, rows) in zip(temporary, tables.values(), strict=True):
            # Spreadsheets take a CSV for UTF-8 only if it begins with this mark.
            with target.open("w", encoding="utf-8-sig", errors="replace", newline="") as file:
                writer = csv.writer(file)
                writer.writerow([_cell(name) for name in names])
                writer.writerows([_cell(row.get(name)) for name in names] for row in rows)
    return _notes(annotations, by_plane(path))


def write_parquet(annotations: Annotations, path: Path) -> list[str]:
    """Write the same two tables as Parquet."""
    arrow = needed("pyarrow", "pyarrow", "Parquet tables")
    parquet = needed("pyarrow.parquet", "pyarrow", "Parquet tables")
    tables = _tables(annotations, path)
    with replacing_all(*tables) as temporary:
        for target, (names, rows) in zip(temporary, tables.values(), strict=True):
            columns = {
                name: arrow.array(
                    [_unless_nan(row.get(name)) for row in rows],
                    _type(arrow, name, names, annotations.space.axes),
                )
                for name in names
            }
            parquet.write_table(arrow.table(columns), target)
    return _notes(annotations, by_plane(path))


def _tables(annotations: Annotations, path: Path) -> dict[Path, Table]:
    """Return the tables by their files: of one plane there is only one."""
    objects, planes = measure(annotations)
    stacked = len(annotations.places) > 1
    return {path: objects, by_plane(path): planes} if stacked else {path: objects}


def by_plane(path: Path) -> Path:
    """Return where the table of objects and planes goes."""
    return path.with_name(f"{path.stem}_by_plane{path.suffix}")


def measure(annotations: Annotations) -> tuple[Table, Table]:
    """Measure all objects, a plane at a time.

    Returns
    -------
    two pairs of column names and rows
        Of the objects, and of objects by plane. Areas are in µm² and volumes in µm³, where all
        sizes are known; rows and columns in pixels, from the centre of the first one; centroids in
        the units that their names end in. Brightness is that of the image's own numbers.
    """
    space, records = annotations.space, annotations.by_label()
    found, regions = measured(annotations)
    channels = _channels(annotations)
    objects = [
        _object_row(annotations, records.get(label) or unknown(label), found.get(label))
        for label in sorted({*found, *records})
    ]
    pixel = space.extent((len(space.axes) - 2, len(space.axes) - 1))
    planes = [
        _plane_row(space, pixel, place, region, records.get(region.label) or unknown(region.label))
        for place, region in regions
    ]
    bright = [f"{what}_{name}" for name in channels for what in ("mean", "min", "max")]
    names = ("label", "phrase", *space.axes[:-2], "pixels", "area_um2", "row", "column", "top",
             "left", "height", "width", *bright, "flagged")  # fmt: skip
    return (
        ((*_MEASURED, *_centroids(space), *bright, *_OF_RECORD), objects),
        (names, planes),
    )


def measured(
    annotations: Annotations,
) -> tuple[dict[int, Measured], list[tuple[Place, PlaneRegion]]]:
    """Measure all objects: by label, and plane by plane."""
    channels = _channels(annotations)
    tally = Tally(annotations.space, channels)
    regions: list[tuple[Place, PlaneRegion]] = []
    pictures = annotations.pictures
    for place, plane in annotations.planes():
        images: list[Any] = []
        if pictures is not None and plane.any():  # what shows no object need not be read
            for array, rgb in zip(pictures.arrays, pictures.rgb, strict=True):
                part = np.asarray(array[place] if place else array[...])
                images += channels_of(part, rgb=rgb)
        for region in regions_in(plane, images):
            tally.add((*place, None, None), region)
            regions.append((place, PlaneRegion.of(region, channels)))
    return tally.results(), regions


@dataclass(frozen=True, slots=True)
class PlaneRegion:
    """One label in one plane, without its pixels."""

    label: int
    pixels: int
    row: float
    column: float
    box: tuple[slice, slice]
    intensities: tuple[Intensity, ...]

    @classmethod
    def of(cls, region: Region, channels: Sequence[str]) -> PlaneRegion:
        """Measure a region and let its pixels go."""
        intensities = region.intensities(channels)
        return cls(region.label, region.pixels, region.row, region.column, region.box, intensities)


def _channels(annotations: Annotations) -> tuple[str, ...]:
    pictures = annotations.pictures
    return () if pictures is None else channel_names(pictures.names, pictures.rgb)


def _centroids(space: Space) -> dict[str, int]:
    """Return columns of centroids, where lengths are known, and their axes."""
    return {
        f"centroid_{axis}_um": place
        for place, (axis, unit) in enumerate(zip(space.axes, space.units, strict=True))
        if unit == LENGTH
    }


def _brightness(intensities: Sequence[Intensity]) -> Row:
    row: Row = {}
    for one in intensities:
        row |= {
            f"mean_{one.channel}": one.mean,
            f"min_{one.channel}": one.lowest,
            f"max_{one.channel}": one.highest,
        }
    return row


def _object_row(annotations: Annotations, record: ObjectRecord, found: Measured | None) -> Row:
    row: Row = {name: getattr(record, name) for name in _OF_RECORD}
    row["flagged"] = frames_text(record.flagged)
    row |= {"label": record.label, "phrase": record.phrase, "status": record.shown_status}
    if found is None:
        nothing = dict.fromkeys(("mean_plane", "mean_row", "mean_column"), math.nan)
        sizes = {"planes": 0, "pixels": 0, "area_um2": math.nan, "volume_um3": math.nan}
        return row | nothing | sizes | {"first_plane": "", "last_plane": ""}
    centroids = _centroids(annotations.space)
    lengths = annotations.shape[:-2]
    return (
        row
        | {
            "planes": found.planes,
            "pixels": found.pixels,
            "area_um2": found.area,
            "volume_um3": found.volume,
            # Planes are counted through, as they lie in the array.
            "mean_plane": sum(
                at * math.prod(lengths[axis + 1 :]) for axis, at in enumerate(found.index[:-2])
            ),
            "mean_row": found.index[-2],
            "mean_column": found.index[-1],
            "first_plane": annotations.title(_place(found.first)),
            "last_plane": annotations.title(_place(found.last)),
        }
        | {name: found.centroid[place] for name, place in centroids.items()}
        | _brightness(found.intensities)
    )


def _place(plane: tuple[int | None, ...]) -> Place:
    return tuple(at for at in plane if at is not None)


def _plane_row(
    space: Space, pixel: float, place: Place, region: PlaneRegion, record: ObjectRecord
) -> Row:
    rows, columns = region.box
    return {
        "label": region.label,
        "phrase": record.phrase,
        **dict(zip(space.axes, place, strict=False)),
        "pixels": region.pixels,
        "area_um2": region.pixels * pixel,
        "row": region.row,
        "column": region.column,
        "top": rows.start,
        "left": columns.start,
        "height": rows.stop - rows.start,
        "width": columns.stop - columns.start,
        **_brightness(region.intensities),
        # Frame numbers of a record count along the only axis there is.
        "flagged": len(place) == 1 and place[0] in record.flagged,
    }


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.9g}"
    if isinstance(value, str):
        return guarded(value)
    return "" if value is None else value


def _type(arrow: Any, name: str, names: Sequence[str], axes: Sequence[str]) -> Any:
    """Return the type of a column: the same in all files, whatever values it has or lacks."""
    if name == "label":
        return arrow.uint64()
    if name == "locked" or (name == "flagged" and "planes" not in names):
        return arrow.bool_()  # of an object `flagged` is which planes, of a plane whether
    if name in _TEXTS:
        return arrow.string()
    return arrow.int64() if name in _WHOLE or name in axes[:-2] else arrow.float64()


def _unless_nan(value: Any) -> Any:
    if isinstance(value, str):  # file names may have letters that no encoding knows
        return value.encode("utf-8", "replace").decode("utf-8")
    return None if isinstance(value, float) and math.isnan(value) else value


def _notes(annotations: Annotations, second: Path) -> list[str]:
    notes = ["A table has no outlines: the labels themselves are not in it."]
    if len(annotations.places) > 1:
        notes.append(f"Objects plane by plane are in {second.name}.")
    if annotations.pictures is None:
        notes.append("The image itself is not known here: there are no columns of brightness.")
    if annotations.space.pixel_size is None:
        notes.append("The size of a pixel is not known: areas are in pixels only.")
    if annotations.turns:
        notes.append("The conversation is not in the tables.")
    return notes
