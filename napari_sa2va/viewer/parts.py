"""The connected parts of an object, through all its planes."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.annotation.painting import shifted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from napari_sa2va.annotation.painting import Box
    from napari_sa2va.frames import PlaneIndex

# Pieces of two planes that do not overlap are the same part if they are so near, in radii.
_REACH = 2.0


@dataclass(slots=True, eq=False)
class Piece:
    """A connected part in one plane.

    Attributes
    ----------
    plane : PlaneIndex
        Which plane.
    box : tuple of slice
        Rows and columns.
    inside : (rows, columns) bool array
        Its pixels.
    """

    plane: PlaneIndex
    box: Box
    inside: NDArray[np.bool_]

    @property
    def area(self) -> int:
        """Number of pixels."""
        return int(np.count_nonzero(self.inside))

    @property
    def centre(self) -> tuple[float, float]:
        """Middle of its pixels, in the plane."""
        rows, columns = np.nonzero(self.inside)
        return float(rows.mean()) + self.box[0].start, float(columns.mean()) + self.box[1].start

    def overlaps(self, other: Piece) -> bool:
        """Whether any pixel is in both, their planes laid over each other."""
        rows, columns = (
            slice(max(a.start, b.start), min(a.stop, b.stop))
            for a, b in zip(self.box, other.box, strict=True)
        )
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return False
        shared = (
            piece.inside[shifted((rows, columns), (piece.box[0].start, piece.box[1].start))]
            for piece in (self, other)
        )
        return bool(np.logical_and(*shared).any())


def connected_parts(
    pixels: Mapping[PlaneIndex, tuple[Box, NDArray[np.bool_]]], axis: int | None
) -> list[list[Piece]]:
    """Find the connected parts of an object.

    Pixels that touch, at corners too, are one piece of their plane. Pieces of neighbouring planes
    are one part if they overlap. Through time things move: pieces that overlap with nothing are
    matched with the nearest such piece of the plane before, and one piece with one piece always.

    Parameters
    ----------
    pixels : mapping
        By plane: a box, and which of its pixels the object has.
    axis : int or None
        Along which it was followed.

    Returns
    -------
    list of list of Piece
        The largest part first.
    """
    pieces = {plane: list(_pieces(plane, *found)) for plane, found in pixels.items()}
    parent = {id(piece): piece for there in pieces.values() for piece in there}

    def root(piece: Piece) -> Piece:
        while parent[id(piece)] is not piece:
            parent[id(piece)] = piece = parent[id(parent[id(piece)])]
        return piece

    for plane, earlier, followed in _neighbours(list(pieces), axis):
        for one, other in _same(pieces[plane], pieces[earlier], followed=followed):
            parent[id(root(one))] = root(other)
    parts: dict[int, list[Piece]] = {}
    for there in pieces.values():
        for piece in there:
            parts.setdefault(id(root(piece)), []).append(piece)
    return sorted(parts.values(), key=lambda part: -sum(piece.area for piece in part))


def _pieces(plane: PlaneIndex, box: Box, inside: NDArray[np.bool_]) -> Iterator[Piece]:
    from scipy import ndimage  # type: ignore[import-untyped]

    numbers, _ = ndimage.label(inside, structure=np.ones((3, 3)))
    for number, found in enumerate(ndimage.find_objects(numbers), start=1):
        placed = tuple(
            slice(at.start + side.start, at.stop + side.start)
            for at, side in zip(found, box, strict=True)
        )
        yield Piece(plane, (placed[0], placed[1]), numbers[found] == number)


def _neighbours(
    planes: list[PlaneIndex], axis: int | None
) -> Iterator[tuple[PlaneIndex, PlaneIndex, bool]]:
    """Go through pairs of a plane and the nearest one before it along each further axis.

    The last item tells whether that is the axis along which the object was followed.
    """
    for outer in (at for at, where in enumerate(planes[0]) if where is not None):
        rows: dict[Any, list[PlaneIndex]] = {}
        for plane in planes:
            rows.setdefault((plane[:outer], plane[outer + 1 :]), []).append(plane)
        for row in rows.values():
            row.sort(key=lambda plane: plane[outer] or 0)
            for earlier, plane in itertools.pairwise(row):
                yield plane, earlier, outer == axis


def _same(
    here: list[Piece], before: list[Piece], *, followed: bool
) -> Iterator[tuple[Piece, Piece]]:
    """Go through pairs of pieces of two planes that belong together."""
    lonely = {id(piece): piece for piece in (*here, *before)}
    for one in here:
        for other in before:
            if one.overlaps(other):
                lonely.pop(id(one), None)
                lonely.pop(id(other), None)
                yield one, other
    if not followed:
        return
    if len(here) == len(before) == 1:
        yield here[0], before[0]
        return
    pairs = sorted(
        (
            (math.dist(one.centre, other.centre), i, j)
            for i, one in enumerate(here)
            for j, other in enumerate(before)
            if id(one) in lonely and id(other) in lonely
        ),
    )
    for distance, i, j in pairs:
        one, other = here[i], before[j]
        near = _REACH * (math.sqrt(one.area / math.pi) + math.sqrt(other.area / math.pi))
        if id(one) in lonely and id(other) in lonely and distance <= near:
            del lonely[id(one)], lonely[id(other)]
            yield one, other
