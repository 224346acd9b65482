"""What a user changed in a Labels layer, from napari's paint events and its undo history."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.viewer.history import change_of, is_of_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_sa2va.annotation.painting import Box
    from napari_sa2va.frames import PlaneIndex


@dataclass(frozen=True, slots=True)
class Edit:
    """One item of a paint event.

    Attributes
    ----------
    where : tuple of slice
        A box of the layer's data round all pixels that changed.
    labels : tuple of int
        What they became.
    before : tuple of int
        What they were.
    first : tuple of int
        Index of one changed pixel.
    value : int or None
        What that pixel became; None for a run's own change, whose pixels are there already.
    mask : bool array or None
        Which pixels of the box changed; None for all, or if that is not told.
    """

    where: tuple[slice, ...]
    labels: tuple[int, ...]
    before: tuple[int, ...]
    first: tuple[int, ...]
    value: int | None
    mask: NDArray[np.bool_] | None = None

    @classmethod
    def of(cls, atom: Any) -> Edit:
        """Read an item of the event's list.

        Brush, fill and polygon give a named tuple with a bounding box, a mask (None if all of the
        box changed) and a label, a run over many planes the same with a `PlaneChange`;
        ``data_setitem`` gives (indices, old values, new values).
        """
        change = change_of(atom)
        if change is not None or is_of_rows(atom):
            labels = () if change is None else tuple(sorted(change.labels))
            where = tuple(atom.slice_key)
            return cls(where, labels, labels, tuple(at.start for at in where), None)
        if hasattr(atom, "slice_key"):
            where = tuple(atom.slice_key)
            corner = [at.start for at in where]
            inside = [0] * len(where) if atom.mask is None else np.argwhere(atom.mask)[0]
            first = tuple(int(c + i) for c, i in zip(corner, inside, strict=True))
            values = np.atleast_1d(atom.new_value)
            before = _unique(atom.old_values)
            return cls(where, _unique(values), before, first, int(values.flat[0]), atom.mask)
        indices, old, new = atom
        where = tuple(slice(int(np.min(at)), int(np.max(at)) + 1) for at in indices)
        first = tuple(int(np.ravel(at)[0]) for at in indices)
        values = np.atleast_1d(new)
        return cls(where, _unique(values), _unique(old), first, int(values.flat[0]))

    def is_in(self, data: Any) -> bool:
        """Whether the layer's data has the change already."""
        return self.value is None or int(data[self.first]) == self.value

    def planes(self, axes: tuple[int, int]) -> Iterator[PlaneIndex]:
        """Go through the planes along two axes that the box touches."""
        ranges = [
            (None,) if axis in axes else range(at.start, at.stop)
            for axis, at in enumerate(self.where)
        ]
        yield from itertools.product(*ranges)

    def box(self, axes: tuple[int, int]) -> Box:
        """Return the box in planes along two axes."""
        return self.where[axes[0]], self.where[axes[1]]

    def painted_in(self, plane: PlaneIndex) -> tuple[Box, NDArray[np.bool_]] | None:
        """Return which pixels of a plane were painted: a box, and which of it; None for none."""
        for at, side in zip(plane, self.where, strict=True):
            if at is not None and not side.start <= at < side.stop:
                return None
        rows, columns = (side for at, side in zip(plane, self.where, strict=True) if at is None)
        if self.mask is None:
            inside = np.ones((rows.stop - rows.start, columns.stop - columns.start), dtype=bool)
        else:
            inside = self.mask[
                tuple(
                    slice(None) if at is None else at - side.start
                    for at, side in zip(plane, self.where, strict=True)
                )
            ]
        return (rows, columns), inside


def _unique(values: Any) -> tuple[int, ...]:
    return tuple(int(value) for value in np.unique(values))
