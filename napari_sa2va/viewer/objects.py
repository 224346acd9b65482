"""One Labels layer and what is known about its labels: rows and captions follow the pixels.

Whatever happens to them is a step of one time-line, napari's undo history of the layer.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from psygnal import Signal

from napari_sa2va.annotation.actions import Action
from napari_sa2va.annotation.painting import check_room
from napari_sa2va.viewer.book import Book
from napari_sa2va.viewer.captions import CaptionLayer, captions_in
from napari_sa2va.viewer.colours import ChosenColours
from napari_sa2va.viewer.edits import Edit
from napari_sa2va.viewer.entries import axes_of, indexed, is_empty
from napari_sa2va.viewer.freed import freed
from napari_sa2va.viewer.history import (
    HistoryWatch,
    change_of,
    forget_all,
    forget_step,
    steps_of,
)
from napari_sa2va.viewer.labels import pixel_area
from napari_sa2va.viewer.locks import mend_step
from napari_sa2va.viewer.navigation import nearest_plane, plane_in_view
from napari_sa2va.viewer.rows import WrittenRows
from napari_sa2va.viewer.store import cannot_write, place_of
from napari_sa2va.viewer.survey import look_again, survey
from napari_sa2va.viewer.timeline import TimeLine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from napari.layers import Labels
    from numpy.typing import NDArray

    from napari_sa2va.annotation import ObjectRecord
    from napari_sa2va.annotation.actions import Where
    from napari_sa2va.annotation.painting import Box
    from napari_sa2va.frames import PlaneIndex
    from napari_sa2va.viewer.entries import Entry
    from napari_sa2va.viewer.replaying import Replay

# So many planes are counted again when napari says no more than that something changed.
_FEW_PLANES: Final = 20
# Pixels of a plane that is looked through each time that napari draws it: a few milliseconds.
_SOON_READ: Final = 1 << 22


class LabelObjects(TimeLine):
    """The objects of one Labels layer.

    A label that loses its last pixel, by an undo or an eraser, loses its row and its caption, and
    gets them back with its pixels. Edits of the border keep the row and are measured anew: only
    the planes that an edit, an undo or a redo touched are read. What a script changes in place is
    seen in the plane in view, when it calls ``refresh``; in an array on disk and in a very large
    plane, where the objects were. In another array all is looked for anew.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
        Shows the layer.
    labels : Labels
        The layer; watched until `close`.
    empty : bool
        It was just made: reading it would be in vain.
    """

    changed = Signal()
    """Rows came, went or were measured anew."""
    refused = Signal(str)
    """A sentence: what the user did by hand was taken back."""
    reverted = Signal()
    """Pixels changed by napari's undo or redo, or by a script: not by an edit."""
    replaced = Signal()
    """The layer has another array."""
    edited = Signal(object)
    """A list of `Edit`: the user painted, or a script did by ``data_setitem``."""

    def __init__(self, viewer: Any, labels: Labels, *, empty: bool = False) -> None:
        self._highest_painted, entries = (0, {}) if empty else survey(labels)
        super().__init__(labels, Book(labels, entries))
        self.viewer = viewer
        self.captions = CaptionLayer(viewer, labels)
        self.show_captions = True
        self._rows = WrittenRows(labels)
        self._colours = ChosenColours(labels)
        self._held = 0
        self._unwritten = False
        self._array = labels.data
        self._shape = tuple(labels.data.shape)
        self._pending: list[Edit] = []
        self._restored: list[tuple[Any, Any]] = []
        self._mended: list[Edit] = []
        self._history = HistoryWatch(labels)
        self._view_known = False
        self._view: PlaneIndex | None = None
        self._seen = self.view
        for event, slot in self._slots():
            event.connect(slot)
        self._show_colours()

    def close(self) -> None:
        """Stop watching, and take the captions away: the layer is gone."""
        if self._replay is not None:
            self._replay.let_go()
            self._replay = None
        self.replay_in_pieces(None)
        for event, slot in self._slots():
            event.disconnect(slot)
        self.captions.remove()
        self._colours.close()

    def _slots(self) -> list[tuple[Any, Callable[..., None]]]:
        layer, dims = self.labels.events, self.viewer.dims.events
        return [
            (layer.paint, self._on_paint),
            (layer.labels_update, self._on_update),
            (layer.set_data, self._on_refresh),
            (layer.data, self._on_data),
            (dims.point, self._on_move),
            (dims.order, self._on_move),
            (dims.ndisplay, self._on_move),
        ]

    # --- what there is ---

    @property
    def view(self) -> PlaneIndex | None:
        """The plane of the layer in a 2-D view, as `plane_in_view` has it."""
        if not self._view_known:
            self._view, self._view_known = plane_in_view(self.viewer, self.labels), True
        return self._view

    def rows(self) -> list[ObjectRecord]:
        """Return the records of the labels that have pixels, by label."""
        return self._book.rows()

    def entry(self, label: int) -> Entry | None:
        """Return what is known about a label that has pixels."""
        entry = self._book.entries.get(label)
        return entry if entry is not None and entry.present else None

    def point(self, label: int) -> tuple[float, ...] | None:
        """Return a pixel of an object, in data coordinates, in the plane nearest to that in view.

        None if it has no pixels.
        """
        entry = self.entry(label)
        if entry is None or not entry.planes:
            return None
        return entry.point_in(nearest_plane(self.viewer, self.labels, entry.planes))

    def pixels_of(self, label: int, plane: PlaneIndex) -> tuple[Box, NDArray[np.bool_]] | None:
        """Return a box of a plane and which of its pixels an object has; None if it has none.

        Reads that box only.
        """
        entry = self.entry(label)
        spot = None if entry is None else entry.spots.get(plane)
        if spot is None or not spot.pixels or is_empty(spot.box):
            return None
        inside = np.asarray(self.labels.data[indexed(plane, spot.box)]) == label
        return (spot.box, inside) if inside.any() else None

    def labelled(self, phrase: str, plane: PlaneIndex) -> list[int]:
        """Return the labels of a plane that answer to a phrase already.

        With more than two axes left open (`StackSnapshot.line`), those of all its planes.
        """
        return self._book.labelled(phrase, plane)

    def pixel_area(self, plane: PlaneIndex) -> tuple[float, str]:
        """Return the area of a pixel of a plane, and its unit."""
        return pixel_area(self.labels, axes_of(plane))

    # --- changes ---

    def next_label(self) -> int:
        """Return the lowest label above all that objects have, had, or get back by an undo."""
        self._book.forget_undone(steps_of(self.labels))
        return max([self._highest_painted, *self._book.entries]) + 1

    def reserve(self, count: int) -> Sequence[int]:
        """Return `count` labels that no object has, nor gets back by an undo.

        Holes are filled only where the layer's integers are used up: who has seen object 3 deleted
        takes another object 3 for the same.

        Raises
        ------
        InvalidInput
            There are not so many.
        """
        self.finish_replay()
        first = self.next_label()
        dtype = np.dtype(self.labels.data.dtype)
        if first + count - 1 <= np.iinfo(dtype).max:
            return range(first, first + count)
        steps, book = steps_of(self.labels), self._book
        book.forget_undone(steps, book.entries)
        found = freed(self.labels, book.entries, steps, count)
        if len(found) < count:
            check_room(first + count - 1, dtype)
        return found

    def put(self, entries: Iterable[Entry]) -> None:
        """Add objects, or describe those with the same labels anew. Belongs inside `painting`."""
        self._book.put(entries)

    def record_of(self, label: int) -> ObjectRecord | None:
        """Return what is known about a label, also if it has no pixels at the moment."""
        entry = self._book.entries.get(label)
        return None if entry is None else entry.record

    def knows(self, entry: Entry) -> bool:
        """Whether a label still stands for what was `put`."""
        return self._book.entries.get(entry.record.label) is entry

    def drop(self, labels: Iterable[int]) -> None:
        """Forget labels that have no pixels and will not get them back."""
        self._book.drop(labels)

    def describe(self, labels: Sequence[int], **changes: Any) -> None:
        """Change fields of the records of some labels, without a step: a run is under way."""
        self._book.describe(labels, **changes)
        self.show()

    @contextmanager
    def painting(self, *planes: PlaneIndex) -> Iterator[None]:
        """Leave pixels alone that change inside the block; then count those of some planes."""
        self.finish_replay()
        with self.quiet():
            yield
        self._book.count(planes)
        self._measure()

    def tally(self, plane: PlaneIndex, gained: dict[int, int]) -> None:
        """Note how many pixels labels gained or lost in a plane, without reading it.

        Rows are measured by the next `write`.
        """
        self.finish_replay()
        self._book.tally(plane, gained)
        self._unwritten = True

    # --- writing out ---

    def show(self) -> None:
        """Write rows and captions out to the layers, unless that is held back."""
        if self._held:
            self._unwritten = True
        else:
            self.write()
        self.changed.emit()

    def hold(self) -> None:
        """Hold rows and captions back until `release`; `write` writes them in between.

        Writing takes napari up to 20 ms: too much for each of many masks in a row.
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
        news, self._unwritten = self._unwritten and self._book.measure(), False
        self._rows.write(self.rows())
        self._show_captions()
        self._show_colours()
        if news:
            self.changed.emit()

    def show_phrases(self) -> None:
        """Write the captions of a layer that had its objects before it was watched."""
        if self.labels in self.viewer.layers:
            self._show_captions()

    def _show_captions(self, *, moved: bool = False) -> None:
        shown = self._book.present() if self.show_captions else []
        self.captions.show(captions_in(shown, self.view), moved=moved)

    def _show_colours(self) -> None:
        with self.quiet():  # napari reads the layer anew for it
            self._colours.show({row.label: row.color for row in self.rows() if row.color})

    def _measure(self) -> None:
        """Bring the rows in line with the counts; show and tell if any changed."""
        if self._book.measure():
            self.show()

    # --- napari's events ---

    def _on_move(self) -> None:
        """Show the captions of another plane."""
        self._view_known = False
        self._show_captions(moved=True)

    def _on_paint(self, event: Any) -> None:
        """Follow an edit: what was undone before it cannot come back."""
        self.finish_replay()
        self._history.look()
        # What this edit covers was not undone, though whoever looked in the middle of it missed it.
        self._book.forget_undone([*steps_of(self.labels), event.value])
        if self._quiet:  # our own edit
            return
        edits = [Edit.of(atom) for atom in event.value]
        # The event of a stroke comes when it is done, that of a fill before its pixels are there.
        there = all(edit.is_in(self.labels.data) for edit in edits)
        # Whoever looked at the layer during the stroke found no pixel of what it covers.
        locked = self._book.locked_before({x for edit in edits for x in edit.before})
        hit = locked & {x for edit in edits for x in (*edit.labels, *edit.before)}
        if hit:
            self._mended += edits
            self._book.spare(hit)
            self._keep_locked(event.value, hit, locked)
            edits = [Edit.of(atom) for atom in event.value]
        painted = {label for edit in edits for label in edit.labels}
        # The number of an object that was deleted long ago: a stroke is not that object.
        self._book.forget_undone(steps_of(self.labels), painted)
        self._highest_painted = max([self._highest_painted, *painted])
        self.edited.emit(edits)
        self._pending += edits
        if there:
            self._on_update()

    def _keep_locked(self, step: list[Any], hit: frozenset[int], locked: frozenset[int]) -> None:
        """Leave locked objects out of a stroke; its pixels may still come."""
        self._restored += mend_step(step, locked, self.labels.data.shape)
        if not step:
            forget_step(self.labels, step)
        named, many = ", ".join(map(str, sorted(hit))), len(hit) > 1
        self.refused.emit(
            f"Object{'s' * many} {named} {'are' if many else 'is'} locked and did not change. "
            "Unlock to paint there."
        )

    def _on_update(self) -> None:
        """Measure what was edited, now that its pixels are there."""
        if self._quiet:
            return
        if self._restored:
            restored, self._restored = self._restored, []
            for index, values in restored:
                self.labels.data[index] = values
            with self.quiet():
                self.labels.refresh(extent=False, thumbnail=False, highlight=False)
            mended, self._mended = self._mended, []
            self._book.count(self._book.touched(mended))
            self._measure()
        if self._pending:
            edits, self._pending = self._pending, []
            self._book.count(self._book.touched(edits))
            self._book.measure()
            labels = {label for edit in edits for label in (*edit.labels, *edit.before) if label}
            touched = tuple(edit.where for edit in edits)
            self.tell(Action("paint", "Paint", touched, tuple(sorted(labels))))

    def _on_refresh(self) -> None:
        self._view_known = False
        if self._quiet or self.labels.data is not self._array:  # `_on_data` comes after this
            return
        if self._replay is not None:  # a slider moved
            return
        moved = self._history.look()
        replays, self._replays = self._replays, {}
        if self._pending or self._restored:
            self._on_update()
            return
        if moved is None:
            planes = self._book.planes()
        elif moved:
            planes = self._book.take_in(moved, replays)
        else:
            planes = self._planes_at_hand()
        self._book.count(planes)
        changed = self._book.measure(undone=True)
        news, self._row_news = self._row_news, False
        if moved:
            kind = "undo" if self._history.undoing else "redo"
            text = "Paint" if self._history.action is None else self._history.action.text
            labels = () if self._history.action is None else self._history.action.labels
            touched = tuple(Edit.of(atom).where for atom in moved)
            self.tell(Action(kind, f"{kind.capitalize()}: {text}", touched, labels))
        elif changed or news:
            whole = tuple(_whole(at, self.labels.data.shape) for at in planes)
            self.tell(Action("edit", "Edit", whole))
        if changed:
            self.reverted.emit()

    def _replayed_all(self, replay: Replay) -> None:
        self._history.look()
        replays, self._replays = self._replays, {}
        self._book.count(self._book.take_in(replay.step, replays))
        changed = self._book.measure(undone=True)
        self._row_news = False
        kind, action = "undo" if replay.undoing else "redo", replay.action
        text, labels = ("Paint", ()) if action is None else (action.text, action.labels)
        self.tell(Action(kind, f"{kind.capitalize()}: {text}", replay.boxes, labels))
        with self.quiet():
            self.labels.refresh()
        if changed:
            self.reverted.emit()

    def _replay_broke(self, replay: Replay, error: Exception) -> None:
        self._replays = {}
        changes = [change for atom in replay.step if (change := change_of(atom))]
        self._book.count(change.plane for change in changes)
        self._book.follow(changes)
        self._book.measure()
        if isinstance(error, OSError):
            self.refused.emit(str(cannot_write(place_of(self.labels.data), error)))
        self.tell(Action("edit", "Part of an undo", replay.boxes))
        with self.quiet():
            self.labels.refresh()

    def _planes_at_hand(self) -> set[PlaneIndex]:
        """Return what to count when no more is known than that something may have changed."""
        seen, self._seen = self._seen, self.view
        if self._seen != seen:  # no more than the slider
            return set()
        self._look_through_view()
        known = self._book.planes()
        if len(known) <= _FEW_PLANES:
            return known
        return set() if self._seen is None else {self._seen}

    def _look_through_view(self) -> None:
        """Look for the objects in all of the plane in view, if that is quick."""
        data, plane = self.labels.data, self._seen
        if plane is None or not isinstance(data, np.ndarray):
            return
        sides = list(zip(plane, data.shape, strict=True))
        pixels = math.prod(length for at, length in sides if at is None)
        beside = any(at is not None and not 0 <= at < length for at, length in sides)
        if not beside and pixels <= _SOON_READ:
            there = {row.label for row in self._book.rows()}
            self._book.touched(look_again(self.labels, there, plane)[1])

    def _on_data(self) -> None:
        """Begin anew: the array was replaced."""
        if tuple(self.labels.data.shape) != self._shape:
            self._shape = tuple(self.labels.data.shape)
            self._book = Book(self.labels, {})
        if self._replay is not None:
            self._replay.let_go()
            self._replay, self._replays = None, {}
        self._array = self.labels.data
        forget_all(self.labels)
        self._history = HistoryWatch(self.labels)
        self._pending, self._restored, self._mended = [], [], []
        self.replaced.emit()
        self._highest_painted, found = look_again(self.labels, self._book.entries)
        self._book.touched(found)
        self._book.count(self._book.planes())
        self._book.measure()
        everywhere = tuple(slice(0, n) for n in self.labels.data.shape)
        self.tell(Action("replaced", "Replace the labels", (everywhere,)))


def _whole(plane: PlaneIndex, shape: Sequence[int]) -> Where:
    """Return the box of a whole plane in the layer's data."""
    sides = zip(plane, shape, strict=True)
    return tuple(slice(0, int(n)) if at is None else slice(at, at + 1) for at, n in sides)
