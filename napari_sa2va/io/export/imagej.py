"""Labels as a hyperstack that Fiji opens with its axes, spacing, unit and colours."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import tifffile

from napari_sa2va.annotation.session.log import json_text, record_detail
from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.atomic import replacing
from napari_sa2va.io.colours import imagej_colours
from napari_sa2va.io.export.annotations import colour_of, largest_label, unknown
from napari_sa2va.io.export.space import PIXEL, TIME, letters
from napari_sa2va.io.labels_tiff import LARGEST_WITH_PAGES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sa2va.io.export.annotations import Annotations

_ORDER: Final = "tzc"  # ImageJ's order of pages
_LARGEST_SHORT: Final = 65_535
_LARGEST_FLOAT: Final = 2**24  # whole numbers up to here are exact in 32-bit floats
_COLOURS: Final = 255


def write_imagej(annotations: Annotations, path: Path) -> list[str]:
    """Write an ImageJ hyperstack, plane by plane; return what it cannot hold.

    16-bit, and 32-bit floats from label 65,536 on. The rows are JSON under Image > Show Info.

    Raises
    ------
    InvalidInput
        If it has more axes than ImageJ, labels beyond 16,777,216, or cannot be written.
    """
    space = annotations.space
    named = letters(space.axes)
    if named is None or not set(named[:-2]) <= set(_ORDER):
        raise InvalidInput(
            f"ImageJ knows time, depth and channels; these labels have the axes "
            f"{', '.join(space.axes)}. Choose COCO or a table."
        )
    largest = largest_label(annotations)
    if largest > _LARGEST_FLOAT:
        raise InvalidInput(
            f"ImageJ holds labels up to {_LARGEST_FLOAT:,} exactly, and there is {largest:,}. "
            "Choose OME-TIFF or OME-Zarr."
        )
    dtype = np.dtype(np.uint16 if largest <= _LARGEST_SHORT else np.float32)
    leading = sorted(named[:-2], key=_ORDER.index)
    lengths = dict(zip(named, annotations.shape, strict=True))
    shape = (*(lengths[axis] for axis in leading), *annotations.shape[-2:])
    metadata = _metadata(annotations, named, largest)
    metadata["axes"] = "".join((*leading, "y", "x")).upper()
    height, width = (space.scale[axis] for axis in (-2, -1))
    with replacing(path) as temporary:
        tifffile.imwrite(
            temporary,
            _pages(annotations, named, leading, dtype),
            shape=shape,
            dtype=dtype,
            imagej=True,
            truncate=math.prod(shape) * dtype.itemsize > LARGEST_WITH_PAGES,
            resolution=(1 / width, 1 / height),
            metadata=metadata,
        )
    return _notes(annotations, named, largest)


def _pages(
    annotations: Annotations, named: tuple[str, ...], leading: list[str], dtype: np.dtype[Any]
) -> Iterator[NDArray[Any]]:
    """Yield the planes in ImageJ's order, whatever the array's is."""
    order = [named.index(axis) for axis in leading]
    lengths = [annotations.shape[place] for place in order]
    for position in np.ndindex(*lengths):
        place = [0] * len(order)
        for axis, at in zip(order, position, strict=True):
            place[axis] = at
        yield annotations.plane(tuple(place)).astype(dtype)


def _metadata(annotations: Annotations, named: tuple[str, ...], largest: int) -> dict[str, Any]:
    space = annotations.space
    scale = dict(zip(named, space.scale, strict=True))
    units = dict(zip(named, space.units, strict=True))
    rows = {str(record.label): _row(record) for record in annotations.records}
    metadata: dict[str, Any] = {
        "unit": "pixel" if units["x"] == PIXEL else "micron",
        "min": 0.0,
        "max": float(max(largest, 1)),
        # Escaped: the tag is ASCII in older readers.
        "Info": json.dumps(rows),
        "LUTs": [_colour_table(annotations, largest)],
    }
    if "z" in scale:
        metadata["spacing"] = scale["z"]
    if units.get("t") == TIME:
        metadata |= {"finterval": scale["t"], "tunit": "sec"}
    return metadata


def _row(record: Any) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(json_text(record_detail(record)))
    del row["label"]
    return row


def _colour_table(annotations: Annotations, largest: int) -> NDArray[np.uint8]:
    records = annotations.by_label()
    return imagej_colours(largest, lambda label: colour_of(records.get(label) or unknown(label)))


def _notes(annotations: Annotations, named: tuple[str, ...], largest: int) -> list[str]:
    space, notes = annotations.space, []
    for axis, letter in zip(space.axes, named, strict=True):
        if axis != letter:
            notes.append(f"The axis {axis!r} has no name that ImageJ knows: it is called {letter}.")
    if list(named[:-2]) != sorted(named[:-2], key=_ORDER.index):
        notes.append("The planes are in ImageJ's order: time, then depth.")
    if not space.is_upright:
        notes.append("ImageJ has no rotation, mirroring or shear: only the spacing is kept.")
    elif any(space.origin):
        notes.append("The position of the layer is not kept: ImageJ's images begin at 0.")
    if units_differ(space.units[-2:]):
        notes.append("Height and width have different units: ImageJ has that of the width only.")
    if "z" in named and space.units[named.index("z")] != space.units[-1]:
        notes.append("ImageJ reads the distance of planes in the unit of the width.")
    if largest > _LARGEST_SHORT:
        notes.append("With so many labels the numbers are kept as 32-bit floats.")
    if largest > _COLOURS:
        notes.append("ImageJ has 256 colours: neighbouring labels share one.")
    if annotations.turns:
        notes.append("The conversation is not in the file.")
    return notes


def units_differ(units: tuple[str, ...]) -> bool:
    """Whether there is more than one."""
    return len(set(units)) > 1
