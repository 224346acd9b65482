"""Labels that are shown already but not yet in the undo history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.annotation.painting import paint, shifted, union
from napari_sa2va.viewer.stamps import PlaneChange, Stamp
from napari_sa2va.viewer.store import CannotWrite, cannot_write, place_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from napari.layers import Labels
    from numpy.typing import NDArray

    from napari_sa2va.annotation.painting import Box, Shape


class Draft:
    """A rectangle of one plane of a Labels layer, and what it was before shapes were painted there.

    `show` paints in place: quick, and again and again while masks come in or their border is moved.
    `commit` tells what that has changed since the last commit. What the user paints meanwhile is
    never touched: a pixel that is not as it was left belongs to the user.

    Parameters
    ----------
    labels : Labels
        Written to.
    plane : tuple
        A position on every axis, None on the two of the plane.
    replace : bool
        Whether shapes take the pixels of labels that were there before. May be changed; the next
        `show` follows.
    """

    locked: Collection[int] = ()
    """Labels whose pixels no shape takes."""

    def __init__(self, labels: Labels, plane: tuple[int | None, ...], *, replace: bool) -> None:
        self.replace = replace
        self._labels = labels
        self._plane = plane
        self._box: Box | None = None
        nothing: NDArray[Any] = np.zeros((0, 0), dtype=labels.data.dtype)
        self._before = nothing  # under all shapes
        self._left = nothing  # as painted last
        self._committed = nothing  # as the undo history knows it

    def show(self, shapes: Sequence[Shape]) -> None:
        """Paint shapes on what was there before, without history.

        Raises
        ------
        CannotWrite
            The array could not be written (disk full).
        """
        self._cover(shapes)
        if self._box is None:
            return
        wanted, there = self._painted(shapes, self.replace), self._read()
        shown = np.where(there != self._left, there, wanted)
        try:
            self._write(shown)
        except CannotWrite:  # some of its chunks may have been written
            self._left = np.where(self._read() == shown, wanted, self._left)
            raise
        self._left = wanted
        self._labels.refresh(extent=False, thumbnail=False, highlight=False)

    def commit(self) -> PlaneChange | None:
        """Return what changed since the last commit, for the undo history; None for nothing.

        Raises
        ------
        CannotWrite
            The array could not be read; another call may find it again.
        """
        if self._box is None:
            return None
        shown, committed, self._committed = self._read(), self._committed, self._left
        ours = (self._left != committed) & (shown == self._left)
        shape = tuple(
            n for n, at in zip(self._labels.data.shape, self._plane, strict=True) if at is None
        )
        stamps = [
            Stamp.of(
                ours & (self._left == label), self._box, (shape[0], shape[1]), committed, int(label)
            )
            for label in np.unique(self._left[ours])
        ]
        return PlaneChange(self._plane, stamps) if stamps else None

    def overlapped(self, shapes: Sequence[Shape]) -> set[int]:
        """Return the labels that were there before, and have pixels that shapes would take."""
        found: set[int] = set()
        if self._box is None:
            return found
        for shape in shapes:
            under = self._before[shifted(shape.box, (self._box[0].start, self._box[1].start))]
            found.update(np.unique(under[shape.parts > 0]).tolist())
        return found - {0, *self.locked}

    def differences(self, shapes: Sequence[Shape], replace: bool) -> int:
        """Return how many pixels are not as if just these shapes had been painted."""
        if self._box is None:
            return 0
        return int(np.count_nonzero(self._read() != self._painted(shapes, replace)))

    def rebase(self, shapes: Sequence[Shape]) -> None:
        """Take note that an undo or redo has brought these shapes back."""
        if self._box is not None:
            self._left = self._committed = self._painted(shapes, self.replace)

    def forget(self, gone: Collection[int]) -> None:
        """Take note that an undo took objects away: what they had under the shapes is nobody's."""
        for values in (self._before, self._committed):
            values[np.isin(values, list(gone))] = 0

    @property
    def under(self) -> set[int]:
        """The labels that were there before."""
        return set(np.unique(self._before).tolist()) - {0}

    def _painted(self, shapes: Sequence[Shape], replace: bool) -> NDArray[Any]:
        assert self._box is not None
        origin = self._box[0].start, self._box[1].start
        return paint(self._before, shapes, replace=replace, origin=origin, locked=self.locked)

    def _cover(self, shapes: Sequence[Shape]) -> None:
        """Enlarge the rectangle so that it holds these shapes."""
        old, box = self._box, self._box
        for shape in shapes:
            box = shape.box if box is None else union(box, shape.box)
        if box is None or box == old:
            return
        self._box = box
        before, left, committed = (self._read().copy() for _ in range(3))
        if old is not None:
            inner = shifted(old, (box[0].start, box[1].start))
            before[inner], left[inner] = self._before, self._left
            committed[inner] = self._committed
        self._before, self._left, self._committed = before, left, committed

    def _where(self) -> tuple[int | slice, ...]:
        assert self._box is not None
        sides = iter(self._box)
        return tuple(next(sides) if at is None else at for at in self._plane)

    def _read(self) -> NDArray[Any]:
        try:
            return np.asarray(self._labels.data[self._where()])
        except OSError as error:  # the drive is gone
            raise cannot_write(place_of(self._labels.data), error) from error

    def _write(self, values: NDArray[Any]) -> None:
        try:
            self._labels.data[self._where()] = values
        except OSError as error:
            raise cannot_write(place_of(self._labels.data), error) from error
