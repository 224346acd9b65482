"""What the last step of a time-line did to one object, so that this alone can be taken back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.annotation.painting import shifted
from napari_sa2va.viewer.history import action_of, change_of, is_of_rows
from napari_sa2va.viewer.locks import atom_pixels
from napari_sa2va.viewer.stamps import unpack_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_sa2va.annotation.painting import Box
    from napari_sa2va.frames import PlaneIndex

    # Plane, box, which pixels of it, what they were, and what they became.
    Painted = tuple[PlaneIndex, Box, NDArray[np.bool_], NDArray[Any], NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Effect:
    """What one step did to one object.

    Attributes
    ----------
    label : int
    step : list
        Atoms of the step.
    text : str
        What the step was.
    """

    label: int
    step: list[Any]
    text: str

    @property
    def mark(self) -> object:
        """For the action that takes this one back: `last_effect` passes both over then."""
        return self.step[0]

    @property
    def fields(self) -> dict[str, Any]:
        """Fields of the object's record as they were."""
        for atom in self.step:
            if is_of_rows(atom) and self.label in getattr(atom, "fields", {}):
                before: Mapping[str, Any] = atom.fields[self.label][0]
                return dict(before)
        return {}

    def pixels(self, axes: tuple[int, int]) -> Iterator[Painted]:
        """Go backwards through the pixels that the object got or lost, plane by plane."""
        for atom in reversed(self.step):
            if is_of_rows(atom):
                continue
            change = change_of(atom)
            found = _of_napari(atom, axes) if change is None else _of_change(change)
            for plane, box, where, before, after in found:
                concerned = where & ((before == self.label) | (after == self.label))
                if concerned.any():
                    yield plane, box, concerned, before, after


def last_effect(steps: Sequence[list[Any]], label: int) -> Effect | None:
    """Return what the last step did to an object that was not taken back by itself already."""
    taken_back: list[object] = []
    for step in reversed(steps):
        action = action_of(step)
        if action is not None and action.kind == "undo_object":
            if label in action.labels:
                taken_back.append(action.takes_back)
            continue
        if not step or any(step[0] is known for known in taken_back):
            continue
        if any(_concerns(atom, label) for atom in step):
            return Effect(label, step, "Paint" if action is None else action.text)
    return None


def _concerns(atom: Any, label: int) -> bool:
    if is_of_rows(atom):
        return label in getattr(atom, "fields", {})
    change = change_of(atom)
    if change is not None:
        return label in change.labels
    _, old, new = atom_pixels(atom)
    return bool((old == label).any() or (new == label).any())


def _of_change(change: Any) -> Iterator[Painted]:
    box = change.box
    for stamp in reversed(change.stamps):
        where = np.zeros([side.stop - side.start for side in box], dtype=bool)
        before = np.zeros(where.shape, dtype=np.int64)
        after = np.zeros(where.shape, dtype=np.int64)
        inside = shifted(stamp.pixels.box, (box[0].start, box[1].start))
        where[inside] = stamp.pixels.inside
        before[where] = unpack_values(stamp.before)
        after[where] = unpack_values(stamp.after)
        yield change.plane, box, where, before, after


def _of_napari(atom: Any, axes: tuple[int, int]) -> Iterator[Painted]:
    index, old, new = atom_pixels(atom)
    outer = [axis for axis in range(len(index)) if axis not in axes]
    positions = np.stack([index[axis] for axis in outer], axis=1) if outer else None
    planes = [()] if positions is None else np.unique(positions, axis=0).tolist()
    for at in planes:
        here = np.ones(len(old), dtype=bool)
        if positions is not None:
            here = (positions == at).all(axis=1)
        rows, columns = index[axes[0]][here], index[axes[1]][here]
        box = (
            slice(int(rows.min()), int(rows.max()) + 1),
            slice(int(columns.min()), int(columns.max()) + 1),
        )
        where = np.zeros([side.stop - side.start for side in box], dtype=bool)
        before, after = (np.zeros(where.shape, dtype=np.int64) for _ in range(2))
        inside = rows - box[0].start, columns - box[1].start
        where[inside], before[inside], after[inside] = True, old[here], new[here]
        rest = iter(at)
        plane = tuple(None if axis in axes else int(next(rest)) for axis in range(len(index)))
        yield plane, box, where, before, after
