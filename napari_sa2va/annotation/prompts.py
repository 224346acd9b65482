"""What a user says about one object with the mouse, and what a model is told of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_sa2va.annotation.packed import PackedMask

Point: TypeAlias = tuple[float, float]
"""Row and column of a frame; the centre of its first pixel is (0, 0)."""

Result = TypeVar("Result")

MOST_OF_A_STROKE: Final = 6
"""Points that a scribble is told as: SAM2 was trained with a few clicks, not with dozens."""
# One point for each such part of the frame's longer side.
_STROKE_STEP: Final = 1 / 32


@dataclass(frozen=True, slots=True)
class Click:
    """A point that is in the object, or not in it."""

    at: Point
    positive: bool


@dataclass(frozen=True, slots=True)
class Scribble:
    """A stroke in the object, or over what is not the object."""

    path: tuple[Point, ...]
    positive: bool


@dataclass(frozen=True, slots=True)
class Box:
    """The object is in here: top, left, bottom, right. It begins the object anew."""

    sides: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Paint:
    """The object as somebody painted it. It begins the object anew."""

    mask: PackedMask


Mark: TypeAlias = Click | Scribble | Box | Paint


@dataclass(frozen=True, slots=True)
class Said(Generic[Result]):
    """What a model is told: see `napari_sa2va.model.refine.CorrectingModel.refine`.

    Attributes
    ----------
    points : tuple of Point
        All of them, whatever `earlier` knows already.
    labels : tuple of int
        For each point 1, in the object, or 0, not in it.
    box : tuple of float or None
    mask : PackedMask or None
        Of the object as it was; with `earlier` it is not needed.
    earlier : Result or None
        What was found for the marks before, and is corrected now.
    """

    points: tuple[Point, ...]
    labels: tuple[int, ...]
    box: tuple[float, float, float, float] | None
    mask: PackedMask | None
    earlier: Result | None


@dataclass(slots=True)
class Marks(Generic[Result]):
    """The marks on one object in one frame, newest last, and what was found for them.

    Attributes
    ----------
    shape : tuple of int
        Height and width of the frame.
    base : PackedMask or None
        The object as it was before any mark; None for a new one.
    given : list of Mark
    found : dict
        By the number of marks that it answers.
    """

    shape: tuple[int, int]
    base: PackedMask | None = None
    given: list[Mark] = field(default_factory=list)
    found: dict[int, Result] = field(default_factory=dict)

    @property
    def state(self) -> tuple[Mark, ...]:
        """The marks as they are now; `note` takes it back."""
        return tuple(self.given)

    @property
    def answer(self) -> Result | None:
        """What was found for all marks; None before it is known."""
        return self.found.get(len(self.given))

    @property
    def latest(self) -> Result | None:
        """The answer to the most marks that is known."""
        return self.found[max(self.found)] if self.found else None

    def add(self, mark: Mark) -> None:
        """Take a mark."""
        self.given.append(mark)

    def undo(self) -> Mark | None:
        """Take the newest mark back, and what was found for it; None if there is none."""
        if not self.given:
            return None
        self.found.pop(len(self.given), None)
        return self.given.pop()

    def note(self, state: Sequence[Mark], result: Result) -> bool:
        """Take what was found for marks as they were; False if one of them was taken back."""
        count = len(state)
        if list(state) != self.given[:count]:
            return False
        self.found[count] = result
        return True

    def said(self) -> Said[Result]:
        """Return what a model is told of all marks.

        A box or paint begins anew: no earlier result counts, nor does the object as it was.
        """
        points, labels = self._points()
        boxes = [mark.sides for mark in self.given if isinstance(mark, Box)]
        begun = max(
            (n for n, mark in enumerate(self.given, 1) if isinstance(mark, Box | Paint)), default=0
        )
        known = [n for n in self.found if begun <= n < len(self.given)]
        mask, earlier = self.base, None
        if begun:
            start = self.given[begun - 1]
            mask = start.mask if isinstance(start, Paint) else None
        if known:
            mask, earlier = None, self.found[max(known)]
        elif mask is not None and not boxes and labels and 1 not in labels:
            points, labels = [*points, anchor(mask, points)], [*labels, 1]
        return Said(tuple(points), tuple(labels), boxes[-1] if boxes else None, mask, earlier)

    def _points(self) -> tuple[list[Point], list[int]]:
        points: list[Point] = []
        labels: list[int] = []
        for mark in self.given:
            if isinstance(mark, Click):
                points.append(mark.at)
                labels.append(int(mark.positive))
            elif isinstance(mark, Scribble):
                stroke = along(mark.path, max(self.shape) * _STROKE_STEP)
                points += stroke
                labels += [int(mark.positive)] * len(stroke)
        return points, labels


def along(path: Sequence[Point], step: float) -> list[Point]:
    """Return points at equal distances along a stroke, at most `MOST_OF_A_STROKE`.

    Parameters
    ----------
    path : sequence of Point
        Not empty.
    step : float
        The distance that is wished for.

    Examples
    --------
    >>> along([(0, 0), (0, 30)], 10)
    [(0.0, 5.0), (0.0, 15.0), (0.0, 25.0)]
    """
    lengths = np.cumsum([0.0, *(math.dist(one, other) for one, other in pairwise(path))])
    count = int(np.clip(round(lengths[-1] / step), 1, MOST_OF_A_STROKE))
    wanted = (np.arange(count) + 0.5) * lengths[-1] / count
    rows, columns = (np.interp(wanted, lengths, side) for side in zip(*path, strict=True))
    return [(float(row), float(column)) for row, column in zip(rows, columns, strict=True)]


def anchor(mask: PackedMask, away: Sequence[Point]) -> Point:
    """Return a point deep in a mask and far from points that are not in the object.

    To say only what does not belong to an object leaves open what does. The deepest point of two
    cells that were taken for one may lie in the wrong one.

    Parameters
    ----------
    mask : PackedMask
        Not empty.
    away : sequence of Point
        At least one.
    """
    from scipy import ndimage  # type: ignore[import-untyped]

    inside: NDArray[Any] = mask.inside
    top, left = mask.box[0].start, mask.box[1].start
    step = max(1, math.ceil(max(inside.shape) / 256))
    coarse = inside[::step, ::step]
    if not coarse.any():  # thinner than a step
        step, coarse = 1, inside
    depth = ndimage.distance_transform_edt(np.pad(coarse, 1))[1:-1, 1:-1] * step
    rows, columns = np.indices(coarse.shape) * step
    distances = [np.hypot(rows + top - row, columns + left - column) for row, column in away]
    nearest = np.min(distances, axis=0)
    # Among equals the farthest.
    worth = np.where(coarse, np.minimum(depth, nearest / 2) + nearest / 1000, -1)
    at = np.unravel_index(int(np.argmax(worth)), worth.shape)
    return float(rows[at] + top), float(columns[at] + left)


def is_in(point: Point, shape: tuple[int, int]) -> bool:
    """Whether a point lies on a frame of a height and width."""
    return all(-0.5 <= at <= side - 0.5 for at, side in zip(point, shape, strict=True))


def box_around(one: Point, other: Point, shape: tuple[int, int]) -> Box | None:
    """Return the box between two corners, cut off at the frame; None if nothing is left."""
    top, bottom = sorted((one[0], other[0]))
    left, right = sorted((one[1], other[1]))
    top, left = max(top, -0.5), max(left, -0.5)
    bottom, right = min(bottom, shape[0] - 0.5), min(right, shape[1] - 0.5)
    if bottom <= top or right <= left:
        return None
    return Box((top, left, bottom, right))


def border(mask: NDArray[np.bool_], thickness: int) -> NDArray[np.bool_]:
    """Return the outermost pixels of a mask; what touches the array's edge is border, too.

    Parameters
    ----------
    mask : (rows, columns) bool array
    thickness : int
        In pixels, at least 1.
    """
    from scipy import ndimage

    inner = mask.view(np.uint8)
    for axis in (0, 1):  # whatever the thickness, two passes
        inner = ndimage.minimum_filter1d(inner, 2 * thickness + 1, axis, mode="constant", cval=0)
    return np.asarray(mask & (inner == 0))
