"""What all formats are written from: labels, their records, and where both come from."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.annotation.records import ObjectRecord
from napari_sa2va.io.atomic import cut
from napari_sa2va.io.colours import label_colour
from napari_sa2va.io.export.provenance import Provenance

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sa2va.annotation.conversation import Turn
    from napari_sa2va.frames.source import ArrayLike
    from napari_sa2va.io.export.pictures import Pictures
    from napari_sa2va.io.export.space import Space

Place = tuple[int, ...]
"""Position of a plane on the axes before rows and columns."""


@dataclass(frozen=True, slots=True, eq=False)
class Annotations:
    """Objects of one image.

    Attributes
    ----------
    name : str
        Of the image: files are named after it.
    labels : array-like of integers
        0 is background; the last two axes are rows and columns. Read a plane at a time.
    space : Space
        Axes, units and where the pixels are.
    records : tuple of ObjectRecord
        Of those labels of which something is known.
    turns : tuple of Turn
        The conversation.
    provenance : Provenance
    pictures : Pictures or None
        The image's own planes, where it could be found.
    notes : tuple of str
        What was lost on the way here.
    image_files : tuple of Path
        Where the image lies, as far as it is known, used or not: nothing is to be written there.
    """

    name: str
    labels: ArrayLike
    space: Space
    records: tuple[ObjectRecord, ...] = ()
    turns: tuple[Turn, ...] = ()
    provenance: Provenance = field(default_factory=Provenance)
    pictures: Pictures | None = None
    notes: tuple[str, ...] = ()
    image_files: tuple[Path, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the label array."""
        return tuple(int(n) for n in self.labels.shape)

    @property
    def places(self) -> list[Place]:
        """All planes, in the array's order; a single plane has one, which is empty."""
        return list(itertools.product(*map(range, self.shape[:-2])))

    def plane(self, place: Place) -> NDArray[np.integer[Any]]:
        """Read a plane, (rows, columns)."""
        return np.asarray(self.labels[place] if place else self.labels[...])

    def planes(self) -> Iterator[tuple[Place, NDArray[np.integer[Any]]]]:
        """Read all planes, one at a time."""
        for place in self.places:
            yield place, self.plane(place)

    def whole(self) -> NDArray[np.integer[Any]]:
        """Read all labels into memory."""
        array = np.empty(self.shape, self.labels.dtype)
        for place, plane in self.planes():
            array[place] = plane
        return array

    def title(self, place: Place) -> str:
        """Name a plane, such as ``t 3, z 0``; a single one has no name."""
        return ", ".join(f"{axis} {at}" for axis, at in zip(self.space.axes, place, strict=False))

    def stem(self, place: Place) -> str:
        """Return the beginning of the name of a plane's file."""
        return "_".join([self.file_name, *(f"{at:05d}" for at in place)])

    @property
    def file_name(self) -> str:
        """The name, as every system takes it in a path."""
        plain = "".join(c if c.isalnum() or c in "-_. " else "_" for c in self.name)
        # Letters of some scripts have four bytes each, and a name may have 255 in all.
        return cut("_".join(plain.split()).strip("._")[:80]) or "image"

    def by_label(self) -> dict[int, ObjectRecord]:
        """Return the records by label."""
        return {record.label: record for record in self.records}


def unknown(label: int) -> ObjectRecord:
    """Return a record that says nothing but the label."""
    return ObjectRecord(label, "", "", math.nan, math.nan, math.nan, "pixel", "", "", author="user")


def colour_of(record: ObjectRecord) -> tuple[int, int, int]:
    """Return red, green and blue: the user's choice, else that of the label in all our files."""
    text = record.color.removeprefix("#")
    if len(text) == 6:
        try:
            red, green, blue = bytes.fromhex(text)
        except ValueError:
            return label_colour(record.label)
        return red, green, blue
    return label_colour(record.label)


def smallest_type(largest: int) -> np.dtype[Any]:
    """Return the smallest unsigned type that holds a label."""
    kinds = (np.uint8, np.uint16, np.uint32)
    return np.dtype(next((kind for kind in kinds if largest <= np.iinfo(kind).max), np.uint64))


def largest_label(annotations: Annotations) -> int:
    """Return the largest label; reads all planes, unless the type holds small ones only."""
    return max((int(plane.max(initial=0)) for _, plane in annotations.planes()), default=0)


def without_rejected(annotations: Annotations) -> Annotations:
    """Leave out objects that the user rejected, and say so."""
    rejected = [one.label for one in annotations.records if one.status == "rejected"]
    if not rejected:
        return annotations
    count = f"{len(rejected)} rejected objects are" if len(rejected) > 1 else "1 rejected object is"
    return replace(
        annotations,
        labels=_Without(annotations.labels, rejected),
        records=tuple(one for one in annotations.records if one.label not in set(rejected)),
        notes=(*annotations.notes, f"{count} left out."),
    )


class WithoutNegative:
    """A label array in which negative numbers, which are no labels, read as background.

    `found` says whether there were any so far.
    """

    def __init__(self, labels: ArrayLike) -> None:
        self._labels = labels
        self.found = False
        self.shape = labels.shape
        self.dtype = labels.dtype
        self.ndim = labels.ndim
        self.size = labels.size

    def __getitem__(self, index: Any, /) -> NDArray[np.integer[Any]]:
        part = np.asarray(self._labels[index])
        if part.min(initial=0) >= 0:
            return part
        self.found = True
        return part.clip(0)


class _Without:
    """A label array in which some labels read as background."""

    def __init__(self, labels: ArrayLike, left_out: Collection[int]) -> None:
        self._labels = labels
        # Of the labels' own type: large numbers of two types meet as inexact ones.
        kind = np.dtype(labels.dtype)
        most = 1 if kind.kind == "b" else np.iinfo(kind).max
        self._left_out = np.array([one for one in sorted(left_out) if one <= most], kind)
        self.shape = labels.shape
        self.dtype = labels.dtype
        self.ndim = labels.ndim
        self.size = labels.size

    def __getitem__(self, index: Any, /) -> NDArray[np.integer[Any]]:
        part = np.asarray(self._labels[index])
        return np.where(np.isin(part, self._left_out), 0, part).astype(part.dtype)
