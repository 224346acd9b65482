"""Which pixels of one plane a run takes: the rules, on plain arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.annotation.painting import shifted
from napari_sa2va.viewer.stamps import Stamp

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from napari_sa2va.annotation.painting import Box, Shape
    from napari_sa2va.viewer.stamps import PlaneChange


@dataclass(frozen=True, slots=True)
class Repainting:
    """How the masks of a run are painted in one plane.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns of the plane.
    earlier : sequence of PlaneChange
        What the run did there before: taken back first.
    own : sequence of int
        Labels of the run: among them the first has a pixel.
    replace : bool
        Whether other labels lose theirs.
    users : sequence of (box, bool array)
        What the user painted since the run began: never taken.
    anew : sequence of int
        Labels whose other pixels in the plane go: the masks of the run take their place.
    locked : collection of int
        Labels whose pixels are never taken.
    """

    shape: tuple[int, int]
    earlier: Sequence[PlaneChange]
    own: Sequence[int]
    replace: bool
    users: Sequence[tuple[Box, NDArray[np.bool_]]]
    anew: Sequence[int] = ()
    locked: Collection[int] = ()

    def paint(self, region: NDArray[Any], box: Box, shapes: Sequence[Shape]) -> list[Stamp]:
        """Paint shapes into a part of the plane, in place; return what that changed.

        Parameters
        ----------
        region : (rows, columns) integer array
            What is there. In an array in memory no more than the shapes' boxes is touched.
        box : tuple of slice
            Where: it holds the shapes and what the run did earlier.
        shapes : sequence of Shape
            Each of one part.
        """
        origin = box[0].start, box[1].start
        stamps = self._taken_back(region, box) if self.earlier else []
        for label in set(self.anew) - set(self.locked):
            gone = (region == label) & ~self._painted(box)
            if gone.any():
                stamps.append(Stamp.of(gone, box, self.shape, region, 0))
                region[gone] = 0
        kept = [*self.own, *self.locked]
        for shape in shapes:
            if shape.labels[0] in self.locked:  # since the run began
                continue
            under = region[shifted(shape.box, origin)]
            free = ~np.isin(under, kept) if self.replace else under == 0
            where = (shape.parts > 0) & free & ~self._painted(shape.box)
            if where.any():
                stamps.append(Stamp.of(where, shape.box, self.shape, under, shape.labels[0]))
                under[where] = shape.labels[0]
        return stamps

    def _taken_back(self, region: NDArray[Any], box: Box) -> list[Stamp]:
        before, origin = region.copy(), (box[0].start, box[1].start)
        for change in reversed(self.earlier):
            change.take_back(region[shifted(change.box, origin)])
        if self.locked:
            kept = np.isin(before, list(self.locked))
            region[kept] = before[kept]
        changed = region != before
        return [
            Stamp.of(changed & (region == label), box, self.shape, before, int(label))
            for label in np.unique(region[changed])
        ]

    def _painted(self, box: Box) -> NDArray[np.bool_]:
        """Return which pixels of a box the user painted."""
        painted = np.zeros([side.stop - side.start for side in box], dtype=bool)
        for at, inside in self.users:
            top, left = (max(own.start, other.start) for own, other in zip(box, at, strict=True))
            bottom, right = (min(own.stop, other.stop) for own, other in zip(box, at, strict=True))
            if bottom > top and right > left:
                common = slice(top, bottom), slice(left, right)
                here = shifted(common, (box[0].start, box[1].start))
                painted[here] |= inside[shifted(common, (at[0].start, at[1].start))]
        return painted
