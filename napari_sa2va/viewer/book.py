"""The objects of a layer by label, counted plane by plane: only what changed is looked at again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from napari_sa2va.annotation.records import same_phrase
from napari_sa2va.viewer.edits import Edit
from napari_sa2va.viewer.entries import axes_of, joined, recount, span
from napari_sa2va.viewer.freed import given_back
from napari_sa2va.viewer.history import change_of, is_of_rows
from napari_sa2va.viewer.labels import pixel_area

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from napari.layers import Labels

    from napari_sa2va.annotation import ObjectRecord
    from napari_sa2va.annotation.actions import Where
    from napari_sa2va.frames import PlaneIndex
    from napari_sa2va.viewer.entries import Entry
    from napari_sa2va.viewer.stamps import PlaneChange

# Reading one takes a millisecond or so.
_FEW_PLANES: Final = 20


class Book:
    """Entries by label.

    Parameters
    ----------
    labels : Labels
        Read where pixels are counted.
    entries : dict
        What is known already.
    """

    def __init__(self, labels: Labels, entries: dict[int, Entry]) -> None:
        self._labels = labels
        self.entries = entries
        self._stale = set(entries)
        self._areas: dict[tuple[int, int], float] = {}

    def rows(self) -> list[ObjectRecord]:
        """Return the records of the labels that have pixels, by label."""
        return [
            self.entries[label].record
            for label in sorted(self.entries)
            if self.entries[label].present
        ]

    def present(self) -> list[Entry]:
        """Return what has pixels."""
        return [entry for entry in self.entries.values() if entry.present]

    def labelled(self, phrase: str, plane: PlaneIndex) -> list[int]:
        """Return the labels of a plane, or of a stack of planes, that answer to a phrase."""
        return [
            label
            for label, entry in sorted(self.entries.items())
            if entry.present and same_phrase(entry.record.phrase, phrase) and entry.is_in(plane)
        ]

    def planes(self) -> set[PlaneIndex]:
        """Return all planes in which any label has, or had, pixels."""
        return {plane for entry in self.entries.values() for plane in entry.spots}

    # --- changes ---

    def put(self, entries: Iterable[Entry]) -> None:
        """Add objects, or describe those with the same labels anew."""
        for entry in entries:
            known = self.entries.get(entry.record.label)
            if known is not None and known is not entry and _alike(known, entry):
                for plane, spot in known.spots.items():
                    if plane in entry.spots:
                        entry.spots[plane].box = joined(entry.spots[plane].box, spot.box)
                    else:
                        entry.spots[plane] = spot
                entry.axis = known.axis if entry.axis is None else entry.axis
            self.entries[entry.record.label] = entry
            self._stale.add(entry.record.label)

    def drop(self, labels: Iterable[int]) -> None:
        """Forget labels that have no pixels and will not get them back."""
        for label in labels:
            self.entries.pop(label, None)

    def describe(self, labels: Sequence[int], **changes: Any) -> None:
        """Change fields of the records of some labels."""
        for label in labels:
            if label in self.entries:
                entry = self.entries[label]
                entry.record = replace(entry.record, **changes)

    def forget_undone(self, history: Sequence[Sequence[Any]], wanted: Collection[int] = ()) -> None:
        """Forget what an undo or a redo took away: after an edit no redo can bring it back.

        Parameters
        ----------
        history : sequence of sequence
            The atoms of the steps that can still be undone, the next one last: what one of them
            took away stays.
        wanted : collection of int
            Labels that are to stand for something new: of these also forget what vanished in any
            other way.
        """
        gone = {
            label
            for label, entry in self.entries.items()
            if (entry.undone or (entry.lost and label in wanted))
            and not any(spot.pixels for spot in entry.spots.values())
        }
        for step in reversed(history):
            for atom in step:
                if not gone:
                    return
                gone -= given_back(atom)
        self.drop(gone)

    # --- pixels ---

    def count(self, planes: Iterable[PlaneIndex]) -> None:
        """Count the pixels of some planes again."""
        for plane in set(planes):
            inside = [entry for entry in self.entries.values() if plane in entry.spots]
            self._stale |= recount(self._labels.data, plane, inside)

    def count_of(self, plane: PlaneIndex, labels: Iterable[int]) -> None:
        """Count the pixels of some objects in a plane again; those not known there are left out."""
        entries = [self.entries[label] for label in labels if label in self.entries]
        inside = [entry for entry in entries if plane in entry.spots]
        self._stale |= recount(self._labels.data, plane, inside)

    @property
    def locked(self) -> frozenset[int]:
        """The labels whose pixels must not change."""
        return frozenset(
            label for label, e in self.entries.items() if e.record.locked and e.present
        )

    def locked_before(self, covered: Collection[int]) -> frozenset[int]:
        """Return the locked labels, with those locked whose pixels a stroke has just covered."""
        here = (label for label in covered if label in self.entries)
        return self.locked | {label for label in here if self.entries[label].record.locked}

    def spare(self, labels: Iterable[int]) -> None:
        """Take objects for not gone: their pixels come back at once."""
        for label in labels:
            entry = self.entries[label]
            entry.undone = entry.lost = False

    def tally(self, plane: PlaneIndex, gained: dict[int, int]) -> None:
        """Note how many pixels labels gained or lost in a plane, without reading it."""
        for label, count in gained.items():
            entry = self.entries.get(label)
            if entry is not None and plane in entry.spots:
                entry.spots[plane].pixels += count
                self._stale.add(label)

    def touched(self, edits: Sequence[Edit]) -> set[PlaneIndex]:
        """Enlarge the rectangles of labels that edits painted; return the planes they touched."""
        planes: set[PlaneIndex] = set()
        if not edits:
            return planes
        own = {label: entry.axes for label, entry in self.entries.items() if entry.spots}
        for axes in set(own.values()):
            for edit in edits:
                touched = list(edit.planes(axes))
                planes.update(touched)
                for label in {*edit.labels, *edit.before}:
                    if own.get(label) == axes:
                        for plane in touched:
                            self.entries[label].grow(plane, edit.box(axes))
        return planes

    def follow(self, changes: Iterable[PlaneChange]) -> None:
        """Count objects again that were painted, or painted over, in planes along other axes.

        What a change does to objects of its own kind of planes is counted by whoever made it.
        """
        others: dict[tuple[int, int], set[int]] = {}
        boxes: dict[int, Where] = {}
        for change in changes:
            axes = axes_of(change.plane)
            if axes not in others:
                others[axes] = {
                    label
                    for label, entry in self.entries.items()
                    if entry.spots and entry.axes != axes
                }
            for label in others[axes] and others[axes] & change.labels:
                box = span(change.plane, change.box)
                boxes[label] = _around(boxes.get(label, box), box)
        concerned: dict[PlaneIndex, set[int]] = {}
        fresh: list[tuple[Entry, PlaneIndex]] = []
        for label, box in boxes.items():
            entry = self.entries[label]
            painted = Edit(box, (label,), (label,), tuple(at.start for at in box), None)
            for plane in painted.planes(entry.axes):
                fresh += [] if plane in entry.spots else [(entry, plane)]
                entry.grow(plane, painted.box(entry.axes))
                concerned.setdefault(plane, set()).add(label)
        for plane, labels in concerned.items():
            self.count_of(plane, labels)
        for entry, plane in fresh:  # the box may go through planes where it never was
            if not entry.spots[plane].pixels:
                del entry.spots[plane]

    def take_in(
        self, moved: Sequence[Any], replays: dict[PlaneChange, dict[bool, dict[int, int]]]
    ) -> set[PlaneIndex]:
        """Follow undone and redone steps; return the planes that must be counted for it.

        Parameters
        ----------
        moved : sequence
            Their atoms.
        replays : dict
            Of those that are ours: what labels gained, by whether it was an undo. Read away.
        """
        planes: set[PlaneIndex] = set()
        edits: list[Edit] = []
        changes: list[PlaneChange] = []
        few = len(moved) <= _FEW_PLANES
        for atom in moved:
            change = change_of(atom)
            if is_of_rows(atom):
                continue
            if change is None:
                edits.append(Edit.of(atom))
                continue
            changes.append(change)
            told = replays.pop(change, {})
            if few:  # exact, and the captions' places with it
                self.count_of(change.plane, change.labels)
            elif len(told) == 1:
                self.tally(change.plane, *told.values())
            else:  # not told, or there and back
                planes.add(change.plane)
        planes.update(change.plane for change in replays)
        self.follow([*changes, *replays])
        return planes | self.touched(edits)

    def measure(self, *, undone: bool = False) -> bool:
        """Bring the records in line with the counts; return whether any changed.

        Parameters
        ----------
        undone : bool
            A label that is missing now vanished by an undo.
        """
        changed = False
        areas = {
            axes: pixel_area(self._labels, axes)[0]
            for axes in {entry.axes for entry in self.entries.values() if entry.spots}
        }
        if areas != self._areas:  # the layer's scale is another
            self._areas, self._stale = areas, set(self.entries)
        for label in self._stale & self.entries.keys():
            entry = self.entries[label]
            present = any(spot.pixels for spot in entry.spots.values())
            if present != entry.present:
                entry.present, entry.lost, changed = present, not present, True
                entry.undone = undone and not present
            if present:
                record = entry.measured(areas[entry.axes])
                if record != entry.record:
                    entry.record, changed = record, True
        self._stale.clear()
        return changed


def _alike(one: Entry, other: Entry) -> bool:
    """Whether two have planes along the same axes, as far as they have planes."""
    return not one.spots or not other.spots or one.axes == other.axes


def _around(one: Where, other: Where) -> Where:
    """Return the smallest box around two."""
    sides = zip(one, other, strict=True)
    return tuple(slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in sides)
