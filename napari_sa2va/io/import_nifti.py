"""NIfTI labels and images as napari shows them: depth, rows, columns."""

from __future__ import annotations

import json
import re
import zlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sa2va.annotation.conversation import Turn
from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.export.annotations import Annotations
from napari_sa2va.io.export.needed import needed
from napari_sa2va.io.export.nifti import UNNAMED
from napari_sa2va.io.export.space import LENGTH, PIXEL, TIME, Space, letters
from napari_sa2va.io.import_tiff import record_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from napari_sa2va.annotation.records import ObjectRecord

_MICROMETRES: Final = {"mm": 1000.0, "micron": 1.0, "meter": 1e6}
_SECONDS: Final = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}
_BROKEN: Final = (OSError, ValueError, EOFError, zlib.error)
_LABEL_NAMES: Final = re.compile(r"label|seg|mask|annot", re.IGNORECASE)


def is_nifti(path: Path) -> bool:
    """Whether a file is named like one."""
    return path.name.lower().endswith((".nii", ".nii.gz"))


def read_nifti(path: Path) -> Annotations:
    """Read a NIfTI file, and the JSON beside it; the labels are whatever numbers it holds.

    Axes of length 1 go. The affine is kept, turned round with the axes.

    Raises
    ------
    InvalidInput
        If it cannot be read.
    """
    image = _opened(path)
    try:
        array = np.asanyarray(image.dataobj)
    except _BROKEN as error:
        raise InvalidInput(f"{path} cannot be read as NIfTI ({error}).") from error
    if array.dtype.names:  # colours, as a record of R, G and B
        array = np.stack([array[name] for name in array.dtype.names], axis=-1)
        array = np.moveaxis(array, -1, 0).T
        rgb = True
    else:
        array, rgb = array.T, False
    spatial = array.ndim - rgb
    names = tuple("xyzt"[:spatial]) + tuple(f"axis {n}" for n in range(4, spatial))
    axes = tuple(reversed(["c" if name == "axis 4" else name for name in names]))
    space = _space(image, axes)
    kept = tuple(
        place for place, axis in enumerate(axes) if axis in ("y", "x") or array.shape[place] > 1
    )
    dropped = tuple(place for place in range(len(axes)) if place not in kept)
    array = np.squeeze(array, axis=dropped)
    said = _beside(path)
    labels = tuple(axes[place] for place in kept)
    named = said.get("axes")
    if isinstance(named, list) and letters([str(name) for name in named], UNNAMED) == labels:
        labels = tuple(str(name) for name in named)
    matrix = space.matrix[np.ix_((*kept, -1), (*kept, -1))]
    return Annotations(
        name=str(said.get("name") or path.name.split(".")[0]),
        labels=array,
        space=Space(labels, tuple(space.units[place] for place in kept), matrix),
        records=tuple(_records(said)),
        turns=tuple(
            Turn(str(turn["speaker"]), str(turn["text"]), tuple(turn.get("labels", ())))
            for turn in said.get("conversation", ())
        ),
    )


def holds_labels(path: Path) -> bool:
    """Whether a file says that it holds labels, or is named so and holds whole numbers.

    Raises
    ------
    InvalidInput
        If it cannot be read.
    """
    image = _opened(path)
    if image.header.get_intent()[0] == "label":
        return True
    # Scaled whole numbers are fractions: probabilities, under the name of a mask.
    stored = image.dataobj
    whole = stored.dtype.kind in "iu" and (stored.slope, stored.inter) == (1, 0)
    return whole and bool(_LABEL_NAMES.search(path.name))


def _opened(path: Path) -> Any:
    nibabel = needed("nibabel", "nibabel", "NIfTI files")
    unreadable = (
        nibabel.filebasedimages.ImageFileError,
        nibabel.spatialimages.HeaderDataError,
        nibabel.spatialimages.HeaderTypeError,
    )
    try:
        return nibabel.load(path)
    except (*_BROKEN, *unreadable) as error:
        raise InvalidInput(f"{path} cannot be read as NIfTI ({error}).") from error


def _space(image: Any, axes: tuple[str, ...]) -> Space:
    length, time = image.header.get_xyzt_units()
    zooms = dict(zip("xyzt", map(float, image.header.get_zooms()), strict=False))
    matrix = np.eye(len(axes) + 1)
    affine = np.asarray(image.affine, float)
    factor = _MICROMETRES.get(length, 1.0)
    for i, to in enumerate("xyz"):
        if to not in axes:
            continue
        matrix[axes.index(to), -1] = affine[i, 3] * factor
        for j, of in enumerate("xyz"):
            if of in axes:
                matrix[axes.index(to), axes.index(of)] = affine[i, j] * factor
    units = []
    for place, axis in enumerate(axes):
        if axis in "xyz":
            units.append(LENGTH if length in _MICROMETRES else PIXEL)
        elif axis == "t":
            matrix[place, place] = (zooms.get("t") or 1.0) * _SECONDS.get(time, 1.0)
            units.append(TIME if time in _SECONDS else PIXEL)
        else:
            units.append(PIXEL)
    return Space(axes, tuple(units), matrix)


def _beside(path: Path) -> Mapping[str, Any]:
    """Return what our JSON beside the file says; nothing where there is none."""
    stem = path.name[: path.name.lower().rindex(".nii")]
    try:
        said = json.loads(path.with_name(f"{stem}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    # Programs for brain scans write a JSON of another kind there.
    return said if isinstance(said, dict) and isinstance(said.get("objects"), list) else {}


def _records(said: Mapping[str, Any]) -> Iterator[ObjectRecord]:
    for row in said.get("objects", ()):
        try:
            yield record_of(row)
        except (ValueError, KeyError, TypeError):
            continue  # changed by hand
