"""One Labels layer and what is known about its labels: rows and captions follow the pixels."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from napari_sa2va.annotation import ObjectRecord, ObjectTable
from napari_sa2va.annotation.painting import check_room
from napari_sa2va.annotation.records import same_phrase
from napari_sa2va.viewer.captions import Caption, CaptionLayer
from napari_sa2va.viewer.edits import Edit, hull
from napari_sa2va.viewer.entries import Entry, described
from napari_sa2va.viewer.labels import highest_label, pixel_area

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from napari.layers import Labels


class LabelObjects:
    """The objects of one Labels layer.

    A label that loses its last pixel, by an undo or an eraser, loses its row and its caption, and
    gets them back with its pixels. Edits of the border keep the row and are measured anew.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
        Shows the layer.
    labels : Labels
        The layer; watched until `close`.
    """

    changed = Signal()
    """Rows came, went or were measured anew."""
    reverted = Signal()
    """Pixels changed by napari's undo or redo, or by a script: not by an edit."""

    def __init__(self, viewer: Any, labels: Labels) -> None:
        self.labels = labels
        self.captions = CaptionLayer(viewer, labels)
        self.show_captions = True
        self._held = 0
        self._unwritten = False
        self._entries = {entry.record.label: entry for entry in described(labels)}
        self._shape = tuple(labels.data.shape)
        self._highest_painted = highest_label(labels)
        self._quiet = False
        self._edit_pending = False
        labels.events.paint.connect(self._on_paint)
        labels.events.labels_update.connect(self._on_update)
        labels.events.set_data.connect(self._on_refresh)
        labels.events.data.connect(self._on_data)

    def close(self) -> None:
        """Stop watching, and take the captions away: the layer is gone."""
        self.labels.events.paint.disconnect(self._on_paint)
        self.labels.events.labels_update.disconnect(self._on_update)
        self.labels.events.set_data.disconnect(self._on_refresh)
        self.labels.events.data.disconnect(self._on_data)
        self.captions.remove()

    # --- what there is ---

    def rows(self) -> list[ObjectRecord]:
        """Return the records of the labels that have pixels, by label."""
        return [
            self._entries[label].record
            for label in sorted(self._entries)
            if self._entries[label].present
        ]

    def entry(self, label: int) -> Entry | None:
        """Return what is known about a label that has pixels."""
        entry = self._entries.get(label)
        return entry if entry is not None and entry.present else None

    def labelled(self, phrase: str, plane: tuple[int | None, ...]) -> list[int]:
        """Return the labels of a plane that answer to a phrase already."""
        return [
            label
            for label, entry in sorted(self._entries.items())
            if entry.present and entry.plane == plane and same_phrase(entry.record.phrase, phrase)
        ]

    # --- changes ---

    def reserve(self, count: int) -> range:
        """Return `count` labels that no object has, nor gets back by an undo.

        Holes are not filled: a label that was erased may come back.
        """
        self._forget_undone()
        first = max([self._highest_painted, *self._entries]) + 1
        check_room(first + count - 1, np.dtype(self.labels.data.dtype))
        return range(first, first + count)

    def put(self, entries: Iterable[Entry]) -> None:
        """Add objects, or describe those with the same labels anew. Belongs inside `painting`."""
        for entry in entries:
            known = self._entries.get(entry.record.label)
            if known is not None:
                entry.where = hull(known.where, entry.where)
            self._entries[entry.record.label] = entry

    def drop(self, labels: Iterable[int]) -> None:
        """Forget labels that have no pixels and will not get them back."""
        for label in labels:
            self._entries.pop(label, None)

    def describe(self, labels: Sequence[int], **changes: Any) -> None:
        """Change fields of the records of some labels."""
        for label in labels:
            if label in self._entries:
                entry = self._entries[label]
                entry.record = replace(entry.record, **changes)
        self.show()

    @contextmanager
    def painting(self) -> Iterator[None]:
        """Leave pixels alone that change inside the block; then look once."""
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before
        self.sync()

    def sync(self, *, undone: bool = False) -> bool:
        """Measure all labels; return whether any changed.

        Parameters
        ----------
        undone : bool
            A label that is missing now vanished by an undo.
        """
        changed = False
        pixel_areas: dict[tuple[int | None, ...], float] = {}
        for label, entry in self._entries.items():
            pixels = int(np.count_nonzero(np.asarray(self.labels.data[entry.where]) == label))
            present = pixels > 0
            if present != entry.present:
                entry.present, entry.undone, changed = present, undone and not present, True
            if entry.plane not in pixel_areas:
                pixel_areas[entry.plane] = self.pixel_area(entry.plane)[0]
            area = pixels * pixel_areas[entry.plane]
            if present and area != entry.record.area:
                entry.record, changed = replace(entry.record, area=area), True
        if changed:
            self.show()
        return changed

    def show(self) -> None:
        """Write rows and captions out to the layers, unless that is held back."""
        if self._held:
            self._unwritten = True
        else:
            self.write()
        self.changed.emit()

    def hold(self) -> None:
        """Hold rows and captions back until `release`; `write` writes them in between.

        Writing takes napari some 20 ms, which is too much for each of many masks in a row.
        """
        self._held += 1

    def release(self) -> None:
        """End what `hold` began."""
        self._held -= 1
        if not self._held:
            self.write()

    def write(self) -> None:
        """Write rows and captions out to the layers, if they changed while held back."""
        if self._held and not self._unwritten:
            return
        self._unwritten = False
        rows = self.rows()
        self.labels.features = ObjectTable(rows).features(self.labels.features)
        entries = [self._entries[row.label] for row in rows] if self.show_captions else []
        self.captions.show(
            Caption(entry.record.label, entry.record.phrase, entry.point, entry.plane)
            for entry in entries
        )

    def pixel_area(self, plane: tuple[int | None, ...]) -> tuple[float, str]:
        """Return the area of a pixel of a plane, and its unit."""
        rows, columns = (axis for axis, at in enumerate(plane) if at is None)
        return pixel_area(self.labels, (rows, columns))

    # --- napari's events ---

    def _on_paint(self, event: Any) -> None:
        """Follow an edit: what was undone before it cannot come back."""
        self._forget_undone()
        if self._quiet:  # our own edit
            return
        edits = [Edit.of(atom) for atom in event.value]
        for edit in edits:
            self._follow(edit)
        # The event of a stroke comes when it is done, that of a fill before its pixels are there.
        self._edit_pending = not all(edit.is_in(self.labels.data) for edit in edits)
        if not self._edit_pending:
            self.sync()

    def _on_update(self) -> None:
        if self._edit_pending and not self._quiet:
            self._edit_pending = False
            self.sync()

    def _forget_undone(self) -> None:
        self._entries = {label: entry for label, entry in self._entries.items() if not entry.undone}

    def _on_refresh(self) -> None:
        if self._quiet:
            return
        edited, self._edit_pending = self._edit_pending, False
        if self.sync(undone=not edited) and not edited:
            self.reverted.emit()

    def _on_data(self) -> None:
        """Begin anew: the array was replaced."""
        if tuple(self.labels.data.shape) != self._shape:
            self._shape = tuple(self.labels.data.shape)
            self._entries = {}
        self._highest_painted = highest_label(self.labels)
        self.sync()
        self.show()

    def _follow(self, edit: Edit) -> None:
        """Enlarge the rectangles of the labels that an edit painted with."""
        self._highest_painted = max(self._highest_painted, *edit.labels)
        for label in edit.labels:
            entry = self._entries.get(label)
            if entry is not None:
                entry.where = hull(entry.where, edit.where)
