"""Labels as OME-TIFF: sizes and units in the XML, and a structured annotation per object."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import tifffile

from napari_sa2va.annotation.session.log import json_text, record_detail
from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.atomic import replacing
from napari_sa2va.io.export.annotations import largest_label, smallest_type
from napari_sa2va.io.export.space import LENGTH, TIME, letters

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sa2va.annotation.records import ObjectRecord
    from napari_sa2va.io.export.annotations import Annotations

NAMESPACE: Final = "napari-sa2va/object"
_ABOUT: Final = "napari-sa2va/provenance"
_TURN: Final = "napari-sa2va/conversation"
_MOST_BYTES: Final = 4  # of OME's largest type of whole numbers
# What XML 1.0 has no way to write.
_FORBIDDEN: Final = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 65534, 65535), " ")


def write_ome_tiff(annotations: Annotations, path: Path) -> list[str]:
    """Write an OME-TIFF, plane by plane; return what it cannot hold.

    Raises
    ------
    InvalidInput
        If it has other axes than time, depth and channel, or cannot be written.
    """
    named = letters(annotations.space.axes)
    if named is None:
        raise InvalidInput(
            "OME-TIFF knows time, depth and channels; these labels have the axes "
            f"{', '.join(annotations.space.axes)}. Choose COCO or a table."
        )
    largest = largest_label(annotations)
    dtype = smallest_type(largest)
    if dtype.itemsize > _MOST_BYTES:
        raise InvalidInput(
            f"OME-TIFF's labels end at 4,294,967,295, and there is {largest:,}. Choose OME-Zarr."
        )
    metadata = _sizes(annotations, named) | {
        "axes": "".join(named).upper(),
        "Name": _plain(annotations.name),
        "MapAnnotation": [
            *(_object(record) for record in annotations.records),
            _provenance(annotations),
        ],
        "CommentAnnotation": [
            {
                "Namespace": _TURN,
                "Description": _plain(turn.speaker),
                "Value": _plain(turn.text),
            }
            for turn in annotations.turns
        ],
    }
    with replacing(path) as temporary:
        tifffile.imwrite(
            temporary,
            (plane.astype(dtype) for _, plane in annotations.planes()),
            shape=annotations.shape,
            dtype=dtype,
            ome=True,
            photometric="minisblack",
            compression="zlib",
            bigtiff=int(np.prod(annotations.shape, dtype=np.int64)) * dtype.itemsize > 2**31,
            metadata=metadata,
        )
    return _notes(annotations, named)


def _sizes(annotations: Annotations, named: tuple[str, ...]) -> dict[str, Any]:
    space = annotations.space
    sizes: dict[str, Any] = {}
    for axis, unit, step in zip(named, space.units, space.scale, strict=True):
        if axis in "xyz":
            # Always said: readers take a missing size for unknown, and pixels for 1.
            name = f"PhysicalSize{axis.upper()}"
            sizes |= {name: step, f"{name}Unit": "µm" if unit == LENGTH else "pixel"}
        elif axis == "t" and unit == TIME:
            sizes |= {"TimeIncrement": step, "TimeIncrementUnit": "s"}
    return sizes


def _object(record: ObjectRecord) -> dict[str, Any]:
    said = json_text(record_detail(record))
    shown = {
        name: str(value)
        for name, value in json.loads(said).items()
        if name in ("label", "phrase", "score", "status", "model") and value not in (None, "")
    }
    return {
        "Namespace": NAMESPACE,
        "Description": _plain(f"{record.label} {record.phrase}".strip()),
        "Value": {name: _plain(text) for name, text in shown.items()} | {"record": _plain(said)},
    }


def _provenance(annotations: Annotations) -> dict[str, Any]:
    said = {
        name: value if isinstance(value, str) else json_text(value)
        for name, value in annotations.provenance.detail().items()
    }
    return {
        "Namespace": _ABOUT,
        "Value": {name: _plain(value) for name, value in said.items()},
    }


def _plain(text: str) -> str:
    """Return a text without the control characters that XML cannot hold."""
    return text.translate(_FORBIDDEN).encode("utf-8", "replace").decode("utf-8")


def _notes(annotations: Annotations, named: tuple[str, ...]) -> list[str]:
    space, notes = annotations.space, []
    for axis, letter in zip(space.axes, named, strict=True):
        if axis != letter:
            notes.append(f"The axis {axis!r} has no name that OME knows: it is called {letter}.")
    if not space.is_upright:
        notes.append("OME-TIFF has no rotation, mirroring or shear: only the sizes are kept.")
    elif any(space.origin):
        notes.append("The position of the layer is not kept.")
    if any(record.color for record in annotations.records):
        notes.append("Chosen colours are in the annotations, but no program draws them from there.")
    return notes
