"""napari's undo history: one step over thousands of planes, and which steps were taken back.

napari has no public way to either (0.9: `Labels.data_setitem` holds 24 bytes and more a pixel, and
an undo tells nobody what it changed), so this module, and no other, uses private names of
`napari.layers.Labels`: ``_undo_history``, ``_redo_history``, ``_append_to_undo_history``. A step
is a list of ``(index, before, after)``; undo does ``data[index] = before``, redo the same with
``after``.
"""

from __future__ import annotations

import weakref
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from napari_sa2va.annotation.painting import shifted, union
from napari_sa2va.errors import Sa2VAError
from napari_sa2va.viewer.entries import indexed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari.layers import Labels
    from numpy.typing import NDArray

    from napari_sa2va.annotation.packed import PackedMask
    from napari_sa2va.annotation.painting import Box
    from napari_sa2va.frames import PlaneIndex

    Told = Callable[["PlaneChange", dict[int, int], bool], None]

Values: TypeAlias = int | bytes
"""Labels of some pixels: one for all, or one each (int64, compressed)."""


class NoUndo(Sa2VAError):
    """napari is of a version whose undo history we cannot write."""


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

    def apply(
        self, region: NDArray[Any], origin: tuple[int, int], undoing: bool, gained: dict[int, int]
    ) -> None:
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


@dataclass(slots=True, eq=False)
class PlaneChange:
    """What one step changed in one plane.

    Attributes
    ----------
    plane : PlaneIndex
        Which.
    stamps : list of Stamp
        In the order in which they were made.
    """

    plane: PlaneIndex
    stamps: list[Stamp]

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

    def replayed(self, region: NDArray[Any], undoing: bool) -> dict[int, int]:
        """Apply the change to what is in `box` now; return the pixels that labels gained."""
        box, gained = self.box, dict[int, int]()
        for stamp in reversed(self.stamps) if undoing else self.stamps:
            stamp.apply(region, (box[0].start, box[1].start), undoing, gained)
        return gained


class Replay:
    """The values that napari writes when it undoes or redoes a change: made when asked for.

    Parameters
    ----------
    labels : Labels
        Read, for pixels that are not part of the change stay as they are.
    change : PlaneChange
        What is replayed.
    undoing : bool
        Which way.
    told : callable
        Hears of it: the change, the pixels that labels gained, and `undoing`.
    """

    __slots__ = ("_labels", "_told", "_undoing", "change")

    def __init__(self, labels: Labels, change: PlaneChange, undoing: bool, told: Told) -> None:
        self._labels = weakref.ref(labels)
        self.change = change
        self._undoing = undoing
        self._told = told

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        labels = self._labels()
        assert labels is not None  # napari asks, so the layer is there
        region = np.array(labels.data[indexed(self.change.plane, self.change.box)])
        self._told(self.change, self.change.replayed(region, self._undoing), self._undoing)
        return region if dtype is None else region.astype(dtype)


def add_step(labels: Labels, changes: Sequence[PlaneChange], told: Told) -> None:
    """Make changes that are in the layer's data already one step of its undo history.

    Nothing is read or written, whatever the number of planes.

    Parameters
    ----------
    labels : Labels
        The layer.
    changes : sequence of PlaneChange
        At most one a plane.
    told : callable
        Called when the step is undone or redone, for each of its planes, perhaps more than once.

    Raises
    ------
    NoUndo
        This version of napari has another undo history. The labels are as they were painted.
    """
    atoms = [
        (
            indexed(change.plane, change.box),
            Replay(labels, change, True, told),
            Replay(labels, change, False, told),
        )
        for change in changes
    ]
    try:
        redo, append = labels._redo_history, labels._append_to_undo_history
    except AttributeError as error:
        raise NoUndo(
            "The labels are there, but this version of napari takes no undo step of many planes. "
            "To take the run back, delete its labels; and please report this with napari's version."
        ) from error
    # Not `block_history`, which would close the stroke that the user may be at.
    redo.clear()
    append(atoms)


class HistoryWatch:
    """Tells which steps of a layer were undone or redone since last asked."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._redo_top: Any = None
        self._redo_length = 0
        self.look()

    def look(self) -> list[Any] | None:
        """Return the items of the steps that were undone or redone; None if that is not known.

        A step that was taken back and then forgotten for an edit is not told.
        """
        undo = getattr(self._labels, "_undo_history", None)
        redo = getattr(self._labels, "_redo_history", None)
        if undo is None or redo is None:
            return None
        more = len(redo) - self._redo_length
        top = redo[-1] if redo else None
        moved: list[Any] = []
        if more > 0:
            moved = list(redo)[-more:]
        elif more < 0:
            moved = list(undo)[more:]
        elif top is not self._redo_top:  # there and back in one go
            moved = [*redo, *undo]
        self._redo_top, self._redo_length = top, len(redo)
        return [atom for item in moved for atom in item]


def pack_values(values: NDArray[np.integer[Any]]) -> Values:
    """Keep the labels of some pixels in little memory."""
    if values.size and (values == values[0]).all():
        return int(values[0])
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
