"""Pixels that changed, kept small enough for a step over thousands of planes."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from napari_sa2va.annotation.packed import PackedMask
from napari_sa2va.annotation.painting import shifted, union

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_sa2va.annotation.painting import Box
    from napari_sa2va.frames import PlaneIndex

Values: TypeAlias = int | bytes
"""Labels of some pixels: one for all, or one each (int64, compressed)."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """Pixels of one plane that changed.

    Attributes
    ----------
    pixels : PackedMask
        Which, in the plane.
    before, after : Values
        Their labels.
    """

    pixels: PackedMask
    before: Values
    after: Values

    @classmethod
    def of(
        cls,
        where: NDArray[np.bool_],
        box: Box,
        shape: tuple[int, int],
        values: NDArray[Any],
        after: int,
    ) -> Stamp:
        """Note that some pixels become a label.

        Parameters
        ----------
        where : (rows, columns) bool array
            Which pixels of `box`; at least one.
        box : tuple of slice
            In the plane.
        shape : tuple of int
            Of the plane.
        values : (rows, columns) integer array
            What is in the box now.
        after : int
            The label.
        """
        inside = PackedMask.pack(where)
        rows, columns = inside.box
        moved = (
            slice(rows.start + box[0].start, rows.stop + box[0].start),
            slice(columns.start + box[1].start, columns.stop + box[1].start),
        )
        pixels = PackedMask(shape, moved, inside.bits, inside.area)
        return cls(pixels, pack_values(values[where]), after)

    def apply(
        self, region: NDArray[Any], origin: tuple[int, int], undoing: bool, gained: dict[int, int]
    ) -> Stamp:
        """Change those pixels that are still as the change left them: others belong to the user.

        Parameters
        ----------
        region : (rows, columns) integer array
            Part of the plane, written to.
        origin : tuple of int
            Row and column of its first pixel.
        undoing : bool
            Whether to go from after to before.
        gained : dict
            Written to: by label, how many pixels more it has.

        Returns
        -------
        Stamp
            Of just the pixels that changed.
        """
        there, wanted = (self.after, self.before) if undoing else (self.before, self.after)
        under = region[shifted(self.pixels.box, origin)]
        where = self.pixels.inside
        now = under[where]
        hit = now == unpack_values(there)
        new = np.broadcast_to(np.asarray(unpack_values(wanted)), now.shape)[hit]
        for label, count in _counts(there, now[hit]):
            gained[label] = gained.get(label, 0) - count
        for label, count in _counts(wanted, new):
            gained[label] = gained.get(label, 0) + count
        now[hit] = new
        under[where] = now
        return self if hit.all() else self._only(where, hit)

    def _only(self, where: NDArray[np.bool_], kept: NDArray[np.bool_]) -> Stamp:
        """Leave out pixels; `kept` tells of those `where` it is true."""
        inside = where.copy()
        inside[where] = kept
        bits = np.packbits(inside).tobytes()
        pixels = replace(self.pixels, bits=bits, area=int(np.count_nonzero(kept)))
        before, after = (
            values if isinstance(values, int) else pack_values(unpack_values(values)[kept])
            for values in (self.before, self.after)
        )
        return Stamp(pixels, before, after)


@dataclass(slots=True, eq=False)
class PlaneChange:
    """What one step changed in one plane.

    Attributes
    ----------
    plane : PlaneIndex
        Which.
    stamps : list of Stamp
        In the order in which they were made.
    applied : bool
        Whether the layer's data has it; not so while it is undone.
    """

    plane: PlaneIndex
    stamps: list[Stamp]
    applied: bool = True

    @property
    def box(self) -> Box:
        """Rows and columns of the plane round all that changed."""
        box = self.stamps[0].pixels.box
        for stamp in self.stamps[1:]:
            box = union(box, stamp.pixels.box)
        return box

    @property
    def labels(self) -> set[int]:
        """The labels that were painted or painted over."""
        found: set[int] = set()
        for stamp in self.stamps:
            for values in (stamp.before, stamp.after):
                found.update(np.unique(unpack_values(values)).tolist())
        return found

    def take_back(self, region: NDArray[Any]) -> None:
        """Take the change back in a copy of what is in `box` now."""
        self._replayed(region, True)

    def undone(self, region: NDArray[Any]) -> dict[int, int]:
        """Take the change back, and forget pixels that are not as it left them.

        They belong to the user: a redo must not touch them, even if they look as they did before.
        """
        gained, stamps = self._replayed(region, True)
        if self.applied:
            self.stamps, self.applied = stamps, False
        return gained

    def redone(self, region: NDArray[Any]) -> dict[int, int]:
        """Make the change again."""
        self.applied = True
        return self._replayed(region, False)[0]

    def _replayed(self, region: NDArray[Any], undoing: bool) -> tuple[dict[int, int], list[Stamp]]:
        box, gained = self.box, dict[int, int]()
        step = -1 if undoing else 1
        origin = box[0].start, box[1].start
        stamps = [stamp.apply(region, origin, undoing, gained) for stamp in self.stamps[::step]]
        return gained, stamps[::step]


def gained(stamps: Sequence[Stamp]) -> dict[int, int]:
    """Return how many pixels more each label has by stamps that were just made."""
    more: dict[int, int] = {}
    for stamp in stamps:
        for values, sign in ((stamp.before, -1), (stamp.after, 1)):
            pixels = np.broadcast_to(np.asarray(unpack_values(values)), stamp.pixels.area)
            for label, count in _counts(values, pixels):
                more[label] = more.get(label, 0) + sign * count
    return more


def pack_values(values: NDArray[np.integer[Any]]) -> Values:
    """Keep the labels of some pixels in little memory."""
    if not values.size or (values == values[0]).all():
        return int(values[0]) if values.size else 0
    return zlib.compress(values.astype(np.int64).tobytes(), 1)


def unpack_values(values: Values) -> Any:
    """Return what `pack_values` kept: a number, or an array with one for each pixel."""
    if isinstance(values, int):
        return values
    return np.frombuffer(zlib.decompress(values), dtype=np.int64)


def _counts(values: Values, pixels: NDArray[Any]) -> list[tuple[int, int]]:
    if isinstance(values, int):
        return [(values, len(pixels))]
    labels, counts = np.unique(pixels, return_counts=True)
    return list(zip(labels.tolist(), counts.tolist(), strict=True))
