"""napari's undo history is the time-line of a layer: our steps stand in it beside its own strokes.

napari has no public way to either (0.9: `Labels.data_setitem` holds 24 bytes and more a pixel, and
an undo tells nobody what it changed), so this module, and no other, uses private names of
`napari.layers.labels.labels`: ``Labels._undo_history``, ``_redo_history``,
``_append_to_undo_history`` and ``_MaskedPaintAtom``. A step is a list of such atoms; an undo does
``data[atom.slice_key] = atom.old_values``, a redo the same with ``atom.new_value``. (Tuples of
index, before, after are replayed, too, but zarr asks for their values where it cannot read.)
A step over thousands of planes is a list of atoms that unpack their values when they are replayed;
a change of rows alone is an atom that writes one pixel as it is.
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
    from collections.abc import Callable, Mapping, Sequence

    from napari.layers import Labels
    from numpy.typing import NDArray

    from napari_sa2va.annotation.actions import Action
    from napari_sa2va.viewer.stamps import PlaneChange

    Told = Callable[[PlaneChange, dict[int, int], bool], None]
    Heard = Callable[[bool], None]
    # By label: fields of the record before and after.
    Fields = Mapping[int, tuple[Mapping[str, Any], Mapping[str, Any]]]


class NoUndo(Sa2VAError):
    """napari is of a version whose undo history we cannot write."""


@functools.cache
def _atom_classes() -> tuple[Any, Any]:
    """Return the classes for a change of a plane, and for one of rows."""
    from napari.layers.labels.labels import _MaskedPaintAtom

    class ReplayedAtom(_MaskedPaintAtom):  # type: ignore[misc, unused-ignore]
        """A part of a step whose values are made when napari asks for them."""

        layer: weakref.ref[Labels]
        action: Action | None

        @property
        def old_values(self) -> NDArray[Any]:
            return self._values(undoing=True)

        @property
        def new_value(self) -> NDArray[Any]:
            return self._values(undoing=False)

        def _values(self, *, undoing: bool) -> NDArray[Any]:
            labels = self.layer()
            assert labels is not None  # it asks, so it is there
            region = np.array(labels.data[self.slice_key])
            self.replay(region, undoing)
            return region

        def replay(self, region: NDArray[Any], undoing: bool) -> None:
            """Write what the atom changes into the pixels as they are."""
            raise NotImplementedError

    class RunAtom(ReplayedAtom):
        """A change of one plane; other pixels of the plane stay as they are."""

        change: PlaneChange
        told: Told

        def replay(self, region: NDArray[Any], undoing: bool) -> None:
            # All axes but those of the plane have length 1.
            rows, columns = (
                side
                for at, side in zip(self.change.plane, self.slice_key, strict=True)
                if at is None
            )
            plane = region.reshape(rows.stop - rows.start, columns.stop - columns.start)
            inside = plane[shifted(self.change.box, (rows.start, columns.start))]
            replayed = self.change.undone if undoing else self.change.redone
            self.told(self.change, replayed(inside), undoing)

    class RowsAtom(ReplayedAtom):
        """A change of what is known about objects; its one pixel stays as it is."""

        heard: Heard
        fields: Fields

        def replay(self, region: NDArray[Any], undoing: bool) -> None:
            self.heard(undoing)

    return RunAtom, RowsAtom


def add_step(
    labels: Labels,
    changes: Sequence[PlaneChange],
    told: Told,
    heard: Heard | None = None,
    action: Action | None = None,
    fields: Fields | None = None,
) -> None:
    """Make changes that are in the layer's data already one step of its undo history.

    No pixels but one are read or written, whatever the number of planes.

    Parameters
    ----------
    labels : Labels
        The layer.
    changes : sequence of PlaneChange
        At most one a plane.
    told : callable
        Called when the step is undone or redone, for each of its planes, perhaps more than once:
        the change, the pixels that labels gain, and whether it is undone.
    heard : callable, optional
        Called once when the step is undone (True) or redone (False): its rows change too.
    action : Action, optional
        What the step is; `action_of` finds it again.
    fields : mapping, optional
        What becomes of rows, for those who want to know: `heard` does it.

    Raises
    ------
    NoUndo
        This version of napari has another undo history. The labels are as they were painted.
    """
    try:
        atoms = [_atom(labels, change, told, action) for change in changes]
        if heard is not None:
            atoms.append(_rows_atom(labels, heard, action, fields or {}))
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


def is_of_rows(atom: Any) -> bool:
    """Whether an atom stands for no pixels but for what is known about objects."""
    return hasattr(atom, "heard")


def action_of(step: Sequence[Any]) -> Action | None:
    """Return what a step of the history is; None for one of napari's own."""
    return next((a for atom in step if (a := getattr(atom, "action", None)) is not None), None)


def steps_of(labels: Labels, *, undone: bool = False) -> list[list[Any]]:
    """Return the steps that an undo (or a redo) would replay, the next one last.

    Each is a list of atoms; empty where this version of napari keeps them elsewhere.
    """
    return list(getattr(labels, "_redo_history" if undone else "_undo_history", ()))


def is_ours(step: Sequence[Any]) -> bool:
    """Whether `add_step` made all of a step."""
    return all(change_of(atom) is not None or is_of_rows(atom) for atom in step)


def take_keys(labels: Labels, undo: Callable[[], object], redo: Callable[[], object]) -> None:
    """Have napari's keys, and whoever calls the layer's methods, undo and redo by other means."""
    for name, method in (("undo", undo), ("redo", redo)):
        # Found before the method of the class. Not to keep alive whose method it is.
        vars(labels)[name] = functools.partial(_call, weakref.WeakMethod(method))


def _call(method: weakref.WeakMethod[Callable[[], object]]) -> None:
    if (alive := method()) is not None:
        alive()


def give_keys_back(labels: Labels) -> None:
    """Let the layer undo and redo by itself again."""
    for name in ("undo", "redo"):
        vars(labels).pop(name, None)


def replay_at_once(labels: Labels, *, undoing: bool) -> None:
    """Undo or redo the next step as napari does."""
    kind = type(labels)
    (kind.undo if undoing else kind.redo)(labels)


def replay_rows(step: Sequence[Any], *, undoing: bool) -> None:
    """Undo or redo what a step does to rows; its pixels are there already."""
    for atom in step:
        if is_of_rows(atom):
            atom.heard(undoing)


def move_step(labels: Labels, step: list[Any], *, undoing: bool) -> None:
    """Move a step to the other side of the history, as napari does when it has replayed one.

    If an edit came in between, which has emptied the redo side, an undone step is gone for good,
    and a redone one stands below the edit.
    """
    undo, redo = labels._undo_history, labels._redo_history
    side = undo if undoing else redo
    at = next((n for n, known in enumerate(side) if known is step), None)
    if at is not None:
        last = at == len(side) - 1
        del side[at]
        if last:
            (redo if undoing else undo).append(step[::-1])
    elif not undoing and undo:
        edit = undo.pop()
        undo.append(step[::-1])
        undo.append(edit)


def forget_step(labels: Labels, step: Sequence[Any]) -> None:
    """Take the newest step out of the history, if it is this one: nothing came of it."""
    undo = labels._undo_history
    if undo and undo[-1] is step:
        undo.pop()


def forget_all(labels: Labels) -> None:
    """Empty the history: the array was replaced, and its steps would be replayed onto another.

    napari itself keeps them (0.9).
    """
    reset = getattr(labels, "_reset_history", None)
    if reset is not None:
        reset()


def _atom(labels: Labels, change: PlaneChange, told: Told, action: Action | None) -> Any:
    index = indexed(change.plane, whole_chunks(labels.data, change.plane, change.box))
    where = tuple(at if isinstance(at, slice) else slice(at, at + 1) for at in index)
    run, _ = _atom_classes()
    atom = _placed(run, labels, where, action)
    atom.change, atom.told = change, told
    return atom


def _rows_atom(labels: Labels, heard: Heard, action: Action | None, fields: Fields) -> Any:
    where = tuple(slice(0, 1) for _ in labels.data.shape)
    _, rows = _atom_classes()
    atom = _placed(rows, labels, where, action)
    atom.heard, atom.fields = heard, fields
    return atom


def _placed(kind: Any, labels: Labels, where: tuple[slice, ...], action: Action | None) -> Any:
    atom = kind(slice_key=where, mask=None, old_values=None, new_value=None)
    atom.layer, atom.action = weakref.ref(labels), action
    return atom


class HistoryWatch:
    """Tells which steps of a layer were undone or redone since last asked."""

    def __init__(self, labels: Labels) -> None:
        self.undoing = False
        """Whether what `look` returned last was undone, not redone."""
        self.action: Action | None = None
        """What the last step of that is, if it is ours."""
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
        self.undoing = more > 0
        self.action = action_of(moved[-1]) if moved else None
        return [atom for item in moved for atom in item]
