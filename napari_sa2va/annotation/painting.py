"""Which pixels become which label: the rules, on plain arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from numpy.typing import NDArray

    Box = tuple[slice, slice]


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What one mask paints: its parts, and a label for each.

    Attributes
    ----------
    box : tuple of slice
        Rows and columns of the plane that `parts` covers.
    parts : (rows, columns) integer array
        Numbers 1 to n, 0 outside the mask; n is 1 unless the mask was split.
    labels : tuple of int
        Of parts 1 to n.
    """

    box: Box
    parts: NDArray[Any]
    labels: tuple[int, ...]


def paint(
    plane: NDArray[Any],
    shapes: Iterable[Shape],
    *,
    replace: bool,
    origin: tuple[int, int] = (0, 0),
    locked: Collection[int] = (),
) -> NDArray[Any]:
    """Return a copy of (a part of) a plane of labels with shapes painted on it, one by one.

    Parameters
    ----------
    plane : (rows, columns) integer array
        Labels that are there already, 0 for none.
    shapes : iterable of Shape
        Inside what `plane` covers.
    replace : bool
        Whether a shape takes the pixels of other labels; if not, only background is painted.
    origin : tuple of int
        Row and column, in the shapes' coordinates, of the first pixel of `plane`.
    locked : collection of int
        Labels whose pixels no shape takes.
    """
    painted = plane.copy()
    for shape in shapes:
        under = painted[shifted(shape.box, origin)]
        where = shape.parts > 0 if replace else (shape.parts > 0) & (under == 0)
        if replace and locked:
            where &= ~np.isin(under, list(locked))
        labels = np.array((0, *shape.labels), dtype=plane.dtype)
        under[where] = labels[shape.parts[where]]
    return painted


def shifted(box: Box, origin: tuple[int, int]) -> Box:
    """Return a box in the coordinates of an array whose first pixel is at `origin`."""
    rows, columns = box
    return (
        slice(rows.start - origin[0], rows.stop - origin[0]),
        slice(columns.start - origin[1], columns.stop - origin[1]),
    )


def union(one: Box, other: Box) -> Box:
    """Return the smallest box around two."""
    return (
        slice(min(one[0].start, other[0].start), max(one[0].stop, other[0].stop)),
        slice(min(one[1].start, other[1].start), max(one[1].stop, other[1].stop)),
    )


def match_parts(parts: NDArray[np.integer[Any]], count: int, before: Shape) -> list[int | None]:
    """Give the parts of a mask whose border moved the labels they had before.

    Parameters
    ----------
    parts : (rows, columns) integer array
        The parts now, numbered 1 to `count`.
    count : int
        How many.
    before : Shape
        The parts before, in the same box.

    Returns
    -------
    list of int or None
        For each part the label of the earlier part that it shares most pixels with; each label is
        given once, larger overlaps first. None for a part that needs a new label.
    """
    inside = (parts > 0) & (before.parts > 0)
    width = len(before.labels)
    # One number for each pair of a part now and a part before; how often it comes is the overlap.
    codes = (parts[inside].astype(np.int64) - 1) * width + (before.parts[inside] - 1)
    overlaps = np.bincount(codes)
    pairs = np.flatnonzero(overlaps)
    found: list[int | None] = [None] * count
    given: set[int] = set()
    for pair in pairs[np.argsort(-overlaps[pairs], kind="stable")]:
        part, earlier = divmod(int(pair), width)
        if found[part] is None and earlier not in given:
            found[part] = before.labels[earlier]
            given.add(earlier)
    return found


def check_room(label: int, dtype: np.dtype[Any]) -> None:
    """Raise InvalidInput if a labels layer of `dtype` cannot hold a label."""
    largest = np.iinfo(dtype).max
    if label > largest:
        raise InvalidInput(
            f"The labels layer can hold labels up to {largest} only ({dtype}). "
            "Convert it to a larger integer type, or let the result go into a layer of its own."
        )
