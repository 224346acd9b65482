"""What is known about a label, and in which planes its pixels are."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sa2va.annotation.masks import middle_point
from napari_sa2va.annotation.painting import shifted, union
from napari_sa2va.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from napari_sa2va.annotation import ObjectRecord
    from napari_sa2va.annotation.painting import Box
    from napari_sa2va.frames import PlaneIndex


@dataclass(slots=True)
class Spot:
    """An object in one plane.

    Attributes
    ----------
    box : tuple of slice
        Rows and columns of the plane that hold all its pixels, and perhaps more.
    pixels : int
        How many it has; 0 if it is not there, or not there any more.
    point : tuple of float
        Row and column of a pixel of it, for the caption.
    score, iou, presence : float
        What the model said of it in this plane; nan if nothing.
    flags : tuple of str
        Why somebody should look at it here.
    withdrawn : bool
        The run that said so was undone.
    """

    box: Box
    pixels: int = 0
    point: tuple[float, float] = (0.0, 0.0)
    score: float = math.nan
    iou: float = math.nan
    presence: float = math.nan
    flags: tuple[str, ...] = ()
    withdrawn: bool = False


@dataclass(slots=True)
class Entry:
    """A record and where its pixels are.

    Attributes
    ----------
    record : ObjectRecord
        As measured last.
    spots : dict
        By plane: a position on every axis of the layer, None on the two of the plane.
    axis : int or None
        Along which the object was followed; None if it was found in one plane.
    present : bool
        Whether any pixel has the label.
    lost : bool
        It had pixels, and has none any more.
    undone : bool
        It vanished by an undo: a redo can bring it back, until the next edit.
    """

    record: ObjectRecord
    spots: dict[PlaneIndex, Spot]
    axis: int | None = None
    present: bool = True
    lost: bool = False
    undone: bool = False

    @property
    def axes(self) -> tuple[int, int]:
        """The two axes of its planes."""
        return axes_of(next(iter(self.spots)))

    @property
    def planes(self) -> list[PlaneIndex]:
        """The planes where it has pixels, in order."""
        return sorted((plane for plane, spot in self.spots.items() if spot.pixels), key=_order)

    @property
    def plane(self) -> PlaneIndex:
        """The first plane where it has pixels."""
        return min(
            (plane for plane, spot in self.spots.items() if spot.pixels),
            key=_order,
            default=next(iter(self.spots)),
        )

    @property
    def point(self) -> tuple[float, ...]:
        """A pixel of it in its first plane, in data coordinates."""
        return self.point_in(self.plane)

    def point_in(self, plane: PlaneIndex) -> tuple[float, ...]:
        """Return a pixel of it in one plane, in data coordinates."""
        inside = iter(self.spots[plane].point)
        return tuple(next(inside) if at is None else float(at) for at in plane)

    def check_axes(self, plane: PlaneIndex) -> None:
        """Raise InvalidInput unless it was found in planes along the same axes as this one."""
        if self.axes != axes_of(plane):
            raise InvalidInput(
                f"Object {self.record.label} was found in planes along other axes than those "
                "shown. Show those axes again to change it, or make a new object here."
            )

    def is_in(self, plane: PlaneIndex) -> bool:
        """Whether it has pixels in a plane, or, with further axes left open, in any of those."""
        spot = self.spots.get(plane)
        if spot is not None:
            return spot.pixels > 0
        return any(
            spot.pixels and all(at is None or at == own for at, own in zip(plane, at_, strict=True))
            for at_, spot in self.spots.items()
        )

    def grow(self, plane: PlaneIndex, box: Box) -> Spot:
        """Enlarge the rectangle of a plane."""
        spot = self.spots.get(plane)
        if spot is None:
            spot = self.spots[plane] = Spot(box)
        else:
            spot.box = joined(spot.box, box)
        return spot

    def found(self, plane: PlaneIndex, box: Box, inside: NDArray[np.bool_]) -> None:
        """Note where it is in a plane: `inside` tells which pixels of `box`, perhaps none."""
        if inside.any():
            row, column = middle_point(inside)
            self.grow(plane, box).point = row + box[0].start, column + box[1].start

    @property
    def stack_axis(self) -> int | None:
        """The axis that frames are counted along; None if there is none, or which is not known."""
        if self.axis is not None or not self.spots:
            return self.axis
        first = next(iter(self.spots))
        outer = [axis for axis, at in enumerate(first) if at is not None]
        if len(outer) > 1:
            outer = [axis for axis in outer if len({plane[axis] for plane in self.spots}) > 1]
        return outer[0] if outer else None

    def measured(self, pixel_area: float) -> ObjectRecord:
        """Return the record as its pixels are now; unchanged if it has none.

        Parameters
        ----------
        pixel_area : float
            Of one pixel of its planes.
        """
        shown = {plane: spot for plane, spot in self.spots.items() if spot.pixels}
        if not shown:
            return self.record
        axis = self.stack_axis
        frames: list[Any] = [] if axis is None else [plane[axis] for plane in shown]
        flagged: set[Any] = set()
        if axis is not None:
            flagged = {
                plane[axis]
                for plane, spot in self.spots.items()
                if spot.flags and not spot.withdrawn
            }
        total = sum(spot.pixels for spot in shown.values())
        return replace(
            self.record,
            area=total / len(shown) * pixel_area,
            score=_mean((spot.score for spot in shown.values()), self.record.score),
            iou=_mean((spot.iou for spot in shown.values()), self.record.iou),
            frames=len(shown),
            first_frame=min(frames, default=None),
            last_frame=max(frames, default=None),
            flagged=tuple(sorted(flagged)),
        )


@functools.lru_cache(maxsize=4096)
def axes_of(plane: PlaneIndex) -> tuple[int, int]:
    """Return the two axes of a plane."""
    rows, columns = (axis for axis, at in enumerate(plane) if at is None)
    return rows, columns


NOWHERE: Final = slice(0, 0), slice(0, 0)
"""The box of nothing."""


def joined(box: Box, other: Box) -> Box:
    """Return the smallest box around two; one that holds nothing does not count."""
    if is_empty(box):
        return other
    return box if is_empty(other) else union(box, other)


def is_empty(box: Box) -> bool:
    """Whether a box holds no pixel."""
    return any(side.stop <= side.start for side in box)


def indexed(plane: PlaneIndex, box: Box) -> tuple[int | slice, ...]:
    """Return the index of a rectangle of a plane in the layer's data."""
    sides = iter(box)
    return tuple(next(sides) if at is None else at for at in plane)


def span(plane: PlaneIndex, box: Box) -> tuple[slice, ...]:
    """Return a rectangle of a plane as a box of the layer's data: a slice on every axis."""
    index = indexed(plane, box)
    return tuple(at if isinstance(at, slice) else slice(at, at + 1) for at in index)


def recount(data: Any, plane: PlaneIndex, entries: Iterable[Entry]) -> set[int]:
    """Count the pixels of objects in one plane; return the labels that have another number.

    Parameters
    ----------
    data : array-like
        Of the Labels layer; one rectangle of it is read.
    plane : PlaneIndex
        Which plane.
    entries : iterable of Entry
        With a spot there.
    """
    found = [(entry.record.label, entry.spots[plane]) for entry in entries]
    box = NOWHERE
    for _, spot in found:
        box = joined(box, spot.box)
    if is_empty(box):
        return set()
    region = np.asarray(data[indexed(plane, box)])
    origin = box[0].start, box[1].start
    changed = set()
    for label, spot in found:
        if is_empty(spot.box):
            continue
        inside = region[shifted(spot.box, origin)] == label
        pixels = int(np.count_nonzero(inside))
        if pixels != spot.pixels:
            changed.add(label)
        spot.pixels = pixels
        if pixels and not _is_inside(inside, spot):
            row, column = middle_point(inside)
            spot.point = row + spot.box[0].start, column + spot.box[1].start
    return changed


def _is_inside(inside: Any, spot: Spot) -> bool:
    row = round(spot.point[0]) - spot.box[0].start
    column = round(spot.point[1]) - spot.box[1].start
    return bool(
        0 <= row < inside.shape[0] and 0 <= column < inside.shape[1] and inside[row, column]
    )


def _order(plane: PlaneIndex) -> tuple[int, ...]:
    return tuple(-1 if at is None else at for at in plane)


def _mean(values: Iterable[float], unknown: float) -> float:
    known = [value for value in values if not math.isnan(value)]
    return math.fsum(known) / len(known) if known else unknown
