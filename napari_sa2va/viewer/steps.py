"""Things done to objects, each of them one step of the time-line: pixels and rows together."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.annotation.painting import check_room
from napari_sa2va.errors import InvalidInput
from napari_sa2va.viewer.entries import NOWHERE, axes_of, indexed, is_empty, joined
from napari_sa2va.viewer.stamps import PlaneChange, Stamp
from napari_sa2va.viewer.store import cannot_write, place_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sa2va.annotation.painting import Box
    from napari_sa2va.frames import PlaneIndex
    from napari_sa2va.viewer.book import Book
    from napari_sa2va.viewer.entries import Entry


class Step:
    """Collects what one action does; made by `LabelObjects.step`.

    Pixels are painted at once, rows change when the block ends.

    Parameters
    ----------
    data : array-like
        Of the Labels layer.
    book : Book
        Its objects.
    locked : set of int
        Labels whose pixels must not change.
    """

    def __init__(self, data: Any, book: Book, locked: frozenset[int]) -> None:
        self._data = data
        self._book = book
        self._locked = locked
        self._changes: dict[PlaneIndex, PlaneChange] = {}
        self._boxes: dict[PlaneIndex, dict[int, Box]] = {}
        self.fields: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}
        """By label: fields as they were, and as they become."""
        self.added: list[Entry] = []

    @property
    def changes(self) -> list[PlaneChange]:
        """What was painted, a change a plane."""
        return list(self._changes.values())

    def paint(
        self,
        plane: PlaneIndex,
        box: Box,
        where: NDArray[np.bool_],
        label: int,
        *,
        locked: bool = False,
    ) -> int:
        """Give pixels of one plane a label.

        Parameters
        ----------
        plane : PlaneIndex
            A position on every axis, None on the two of the plane.
        box : tuple of slice
            Rows and columns, in the order of the layer's axes, inside the plane.
        where : (rows, columns) bool array
            Which pixels of the box.
        label : int
            0 to erase.
        locked : bool
            Whether to change the pixels of locked objects, too.

        Returns
        -------
        int
            How many pixels changed.

        Raises
        ------
        InvalidInput
            The object is locked, or the layer's integers have no room for the label.
        CannotWrite
            The array could not be written.
        """
        if label in self._locked and not locked:
            raise InvalidInput(f"Object {label} is locked. Unlock it to change it.")
        if is_empty(box):
            return 0
        check_room(label, np.dtype(self._data.dtype))
        index = indexed(plane, box)
        try:
            region = np.array(self._data[index])
            changed = where & (region != label)
            if self._locked and not locked:
                changed &= ~np.isin(region, list(self._locked))
            if not changed.any():
                return 0
            shape = tuple(n for n, at in zip(self._data.shape, plane, strict=True) if at is None)
            stamp = Stamp.of(changed, box, (shape[0], shape[1]), region, label)
            self._touch(plane, [label, *np.unique(region[changed]).tolist()], stamp.pixels.box)
            self._changes.setdefault(plane, PlaneChange(plane, [])).stamps.append(stamp)
            region[changed] = label
            self._data[index] = region
        except OSError as error:
            raise cannot_write(place_of(self._data), error) from error
        return stamp.pixels.area

    def change(self, label: int, **values: Any) -> None:
        """Change fields of an object's record; an object that is not there is passed over.

        Those that are measured (area, frames) follow the pixels and must not be given.
        """
        entry = self._book.entries.get(label)
        if entry is None:
            return
        before, after = self.fields.setdefault(label, ({}, {}))
        for name, value in values.items():
            before.setdefault(name, getattr(entry.record, name))
            after[name] = value

    def add(self, entry: Entry) -> None:
        """Add an object. Its pixels are counted: its spots need boxes only, or none where painted.

        Of an earlier object of that label an undo brings the record back.
        """
        known = self._book.entries.get(entry.record.label)
        if known is not None and known is not entry:
            names = [one.name for one in fields(entry.record) if one.name != "label"]
            before, after = self.fields.setdefault(entry.record.label, ({}, {}))
            for name in names:
                before.setdefault(name, getattr(known.record, name))
                after[name] = getattr(entry.record, name)
        self.added.append(entry)

    # --- for LabelObjects ---

    def settle(self) -> dict[PlaneIndex, set[int]]:
        """Enter objects, boxes and fields into the book; return what to count."""
        self._book.put(self.added)
        for plane, boxes in self._boxes.items():
            for label, box in boxes.items():
                entry = self._book.entries.get(label)
                # One that was found along other axes is counted in its own planes: `Book.follow`.
                if entry is not None and (not entry.spots or entry.axes == axes_of(plane)):
                    entry.grow(plane, box)
        self.set_fields(undone=False)
        found = {plane: set(boxes) for plane, boxes in self._boxes.items()}
        for entry in self.added:
            for plane in entry.spots:
                found.setdefault(plane, set()).add(entry.record.label)
        return found

    @property
    def adopted(self) -> list[Entry]:
        """Objects that were added to pixels that had their labels already."""
        painted = {label for boxes in self._boxes.values() for label in boxes}
        return [entry for entry in self.added if entry.record.label not in painted]

    def set_fields(self, *, undone: bool) -> None:
        """Write the fields as they were, or as they become."""
        for label, (before, after) in self.fields.items():
            entry = self._book.entries.get(label)
            if entry is not None:
                entry.record = replace(entry.record, **(before if undone else after))

    def take_back(self) -> None:
        """Take back what was painted: the action failed. What a disk keeps stays in `changes`."""
        for plane, change in list(self._changes.items()):
            index = indexed(plane, change.box)
            try:
                there = np.asarray(self._data[index])
                region = there.copy()
                change.take_back(region)
                if (region != there).any():  # else it was never written
                    self._data[index] = region
            except OSError:
                continue
            del self._changes[plane], self._boxes[plane]

    @property
    def effective(self) -> bool:
        """Whether anything changed."""
        return (
            bool(self._changes) or any(b != a for b, a in self.fields.values()) or bool(self.added)
        )

    def _touch(self, plane: PlaneIndex, labels: list[int], box: Box) -> None:
        boxes = self._boxes.setdefault(plane, {})
        for label in labels:
            if label:
                boxes[label] = joined(boxes.get(label, NOWHERE), box)
