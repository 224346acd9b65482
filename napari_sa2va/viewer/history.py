"""napari's undo history: one step over thousands of planes, and which steps were taken back.

napari has no public way to either (0.9: `Labels.data_setitem` holds 24 bytes and more a pixel, and
an undo tells nobody what it changed), so this module, and no other, uses private names of
`napari.layers.labels.labels`: ``Labels._undo_history``, ``_redo_history``,
``_append_to_undo_history`` and ``_MaskedPaintAtom``. A step is a list of such atoms; an undo does
``data[atom.slice_key] = atom.old_values``, a redo the same with ``atom.new_value``. (Tuples of
index, before, after are replayed, too, but zarr asks for their values where it cannot read.)
"""

from __future__ import annotations

import functools
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.annotation.painting import shifted
from napari_sa2va.errors import Sa2VAError
from napari_sa2va.viewer.entries import indexed
from napari_sa2va.viewer.store import whole_chunks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari.layers import Labels
    from numpy.typing import NDArray

    from napari_sa2va.viewer.stamps import PlaneChange

    Told = Callable[[PlaneChange, dict[int, int], bool], None]


class NoUndo(Sa2VAError):
    """napari is of a version whose undo history we cannot write."""


@functools.cache
def _atom_class() -> Any:
    from napari.layers.labels.labels import _MaskedPaintAtom

    class RunAtom(_MaskedPaintAtom):  # type: ignore[misc, unused-ignore]
        """A change of one plane whose values are made when napari asks for them.

        Pixels that are not part of the change stay as they are in the data.
        """

        change: PlaneChange
        told: Told
        layer: weakref.ref[Labels]

        @property
        def old_values(self) -> NDArray[Any]:
            return self._replayed(undoing=True)

        @property
        def new_value(self) -> NDArray[Any]:
            return self._replayed(undoing=False)

        def _replayed(self, *, undoing: bool) -> NDArray[Any]:
            labels = self.layer()
            assert labels is not None  # it asks, so it is there
            region = np.array(labels.data[self.slice_key])
            # All axes but those of the plane have length 1.
            rows, columns = (
                side
                for at, side in zip(self.change.plane, self.slice_key, strict=True)
                if at is None
            )
            plane = region.reshape(rows.stop - rows.start, columns.stop - columns.start)
            inside = plane[shifted(self.change.box, (rows.start, columns.start))]
            replay = self.change.undone if undoing else self.change.redone
            self.told(self.change, replay(inside), undoing)
            return region

    return RunAtom


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
        Called when the step is undone or redone, for each of its planes, perhaps more than once:
        the change, the pixels that labels gain, and whether it is undone.

    Raises
    ------
    NoUndo
        This version of napari has another undo history. The labels are as they were painted.
    """
    try:
        atoms = [_atom(labels, change, told) for change in changes]
        redo, append = labels._redo_history, labels._append_to_undo_history
    except (AttributeError, ImportError, TypeError) as error:
        raise NoUndo(
            "The labels are there, but this version of napari takes no undo step of many planes. "
            "To take the run back, delete its labels; and please report this with napari's version."
        ) from error
    # Not `block_history`, which would close the stroke that the user may be at.
    redo.clear()
    append(atoms)


def change_of(atom: Any) -> PlaneChange | None:
    """Return the change that one of our atoms stands for; None for an atom of napari's."""
    return getattr(atom, "change", None)


def _atom(labels: Labels, change: PlaneChange, told: Told) -> Any:
    index = indexed(change.plane, whole_chunks(labels.data, change.plane, change.box))
    where = tuple(at if isinstance(at, slice) else slice(at, at + 1) for at in index)
    atom = _atom_class()(slice_key=where, mask=None, old_values=None, new_value=None)
    atom.change, atom.told, atom.layer = change, told, weakref.ref(labels)
    return atom


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
