"""Label TIFFs with what they say of their objects: ours, and those of others without it."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
import tifffile

from napari_sa2va.annotation.session.log import record_from
from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames.steps import tiff_steps
from napari_sa2va.frames.tiff import open_tiff
from napari_sa2va.io.export.annotations import Annotations, unknown
from napari_sa2va.io.export.ome_tiff import NAMESPACE
from napari_sa2va.io.export.space import LENGTH, PIXEL, TIME, Space

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sa2va.annotation.records import ObjectRecord
    from napari_sa2va.frames.source import ArrayLike


def read_label_tiff(path: Path) -> Annotations:
    """Open a TIFF of labels; its planes are read when they are asked for.

    Raises
    ------
    InvalidInput
        If it cannot be read, or holds no labels.
    """
    try:
        image = open_tiff(path)
    except InvalidInput:
        raise
    except Exception as error:  # every decoder has errors of its own
        raise InvalidInput(f"{path} cannot be read as a TIFF ({error}).") from error
    axes = tuple(image.axes.lower())
    if axes[-2:] != ("y", "x"):
        raise InvalidInput(
            f"{path.name} has the axes {image.axes}: a label image has rows and columns last, and "
            "no colours."
        )
    names = tuple(
        name if name in "tzc" else f"axis {place}" for place, name in enumerate(axes[:-2])
    )
    return Annotations(
        name=path.name.split(".")[0].removesuffix("_labels"),
        labels=whole_numbers(image.array, path),
        space=_space((*names, "y", "x"), tiff_steps(path)),
        records=tuple(_records(path)),
    )


def whole_numbers(array: ArrayLike, path: Path) -> ArrayLike:
    """Return an array whose planes are integers: ImageJ keeps large labels as floats.

    Raises
    ------
    InvalidInput
        If it is of another type.
    """
    kind = np.dtype(array.dtype).kind
    if kind in "iub":
        return array
    if kind == "f":
        return _Rounded(array, path)
    raise InvalidInput(f"{path.name} holds {array.dtype}: labels are whole numbers.")


class _Rounded:
    """An array of floats read as integers."""

    dtype = np.dtype(np.uint32)

    def __init__(self, array: ArrayLike, path: Path) -> None:
        self._array, self._path = array, path
        self.shape = array.shape
        self.ndim = array.ndim
        self.size = array.size

    def __getitem__(self, index: Any, /) -> NDArray[np.uint32]:
        part = np.asarray(self._array[index])
        with np.errstate(invalid="ignore"):  # what is no such number is told below
            whole = part.astype(self.dtype)
        if not np.array_equal(whole, part):
            raise InvalidInput(
                f"{self._path.name} holds fractions or negative numbers: give a label image, in "
                "which every pixel has the number of its object."
            )
        return whole


def _space(axes: tuple[str, ...], steps: Mapping[str, float]) -> Space:
    units = tuple(PIXEL if axis not in steps else TIME if axis == "t" else LENGTH for axis in axes)
    return Space(axes, units, np.diag([*(steps.get(axis, 1.0) for axis in axes), 1.0]))


def _records(path: Path) -> Iterator[ObjectRecord]:
    with tifffile.TiffFile(path) as tif:
        if tif.is_ome and tif.ome_metadata:
            yield from _of_ome(tif.ome_metadata)
        elif tif.is_imagej and tif.imagej_metadata:
            yield from _of_imagej(str(tif.imagej_metadata.get("Info", "")))


def _of_imagej(info: str) -> Iterator[ObjectRecord]:
    """Read the rows under Info; `labels_tiff` has phrases alone there."""
    try:
        rows = json.loads(info)
        items = [(int(label), said) for label, said in rows.items()]
    except (ValueError, AttributeError):
        return  # somebody else's
    for label, said in items:
        if isinstance(said, str):
            yield record_of({"label": label, "phrase": said})
        elif isinstance(said, dict):
            try:
                yield record_of({"label": label, **said})
            except (ValueError, KeyError, TypeError):
                continue  # changed by hand


def _of_ome(xml: str) -> Iterator[ObjectRecord]:
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return  # cut off, or changed by hand: the pixels can be read all the same
    for annotation in root.iterfind(".//{*}MapAnnotation"):
        if annotation.get("Namespace") != NAMESPACE:
            continue
        said = {part.get("K", ""): part.text or "" for part in annotation.iterfind(".//{*}M")}
        try:
            row = json.loads(said["record"])
            yield record_of(row)
        except (ValueError, KeyError, TypeError):
            continue  # changed by hand


def record_of(said: Mapping[str, Any]) -> ObjectRecord:
    """Return a record of what a file says; what it does not is not known."""
    blank = unknown(int(said["label"]))
    known = {
        "phrase": blank.phrase,
        "answer": "",
        "score": math.nan,
        "iou": math.nan,
        "area": math.nan,
        "area_unit": "pixel",
        "model": "",
        "created": "",
    }
    return record_from(known | dict(said))
