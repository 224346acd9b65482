"""The masks of one run through a stack in a Labels layer, frame by frame."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.annotation import ObjectRecord
from napari_sa2va.annotation.actions import Action
from napari_sa2va.annotation.painting import shifted
from napari_sa2va.annotation.records import now
from napari_sa2va.errors import InvalidInput
from napari_sa2va.viewer.crop import pasted
from napari_sa2va.viewer.entries import (
    NOWHERE,
    Entry,
    Spot,
    indexed,
    is_empty,
    joined,
    span,
)
from napari_sa2va.viewer.navigation import may_show
from napari_sa2va.viewer.repainting import Repainting
from napari_sa2va.viewer.stamps import PlaneChange, Stamp, gained
from napari_sa2va.viewer.store import LayerLost, cannot_write, place_of, whole_chunks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_sa2va.annotation.actions import Where
    from napari_sa2va.annotation.packed import PackedMask
    from napari_sa2va.annotation.painting import Box, Shape
    from napari_sa2va.frames import PlaneIndex
    from napari_sa2va.viewer.edits import Edit
    from napari_sa2va.viewer.objects import LabelObjects
    from napari_sa2va.viewer.stack import StackSnapshot


class TrackRun:
    """What one run through a stack puts into a Labels layer.

    `begin` gives each object a label, `add` paints a frame at once, `commit` makes all frames since
    the last commit one step of napari's undo history. A run that is resumed or extended goes on
    with the same `TrackRun`, and is one more step.

    Pixels of labels that were there before are kept unless `replace`; among the run's own objects
    the first has a pixel. What the user paints while the run goes on is never painted over, and
    what they erase is not painted again.

    Nothing here reads or writes more than the plane of one frame, undo apart.

    Parameters
    ----------
    objects : LabelObjects
        Of the layer.
    stack : StackSnapshot
        What is looked at.
    replace : bool
        Whether masks take the pixels of labels that were there before.
    model : str
        Name of the model, for the records.
    into : sequence of int
        Labels of objects that are there already, one a mask: in each plane that comes, the mask
        takes the place of what the object was there. New objects if left out.
    """

    def __init__(
        self,
        objects: LabelObjects,
        stack: StackSnapshot,
        *,
        replace: bool,
        model: str,
        into: Sequence[int] = (),
    ) -> None:
        self.objects = objects
        self._stack = stack
        self._replace = replace
        self._model = model
        self._into = tuple(into)
        self._unsaved: list[Where] = []  # boxes that no log has yet
        self._overlapping: dict[int, Sequence[PackedMask]] = {}
        self._data = objects.labels.data
        self._found: list[Entry] = []
        self._painted: dict[PlaneIndex, list[PlaneChange]] = {}  # since the run began
        self._changes: dict[PlaneIndex, PlaneChange] = {}  # since the last commit
        self._noted: list[Spot] = []  # likewise
        self._edits: list[Edit] = []
        self._unseen = False
        objects.edited.connect(self._on_edit)

    def close(self) -> None:
        """Stop listening: the run is over, and will not be resumed."""
        self.objects.edited.disconnect(self._on_edit)
        self._edits = []

    @property
    def labels(self) -> tuple[int, ...]:
        """The labels of this run that have pixels."""
        labels = (entry.record.label for entry in self._found)
        return tuple(label for label in labels if self.objects.entry(label) is not None)

    @property
    def lost(self) -> bool:
        """Whether the layer was deleted or its data replaced: then nothing can be added."""
        labels = self.objects.labels
        return labels not in self.objects.viewer.layers or labels.data is not self._data

    def begin(self, found: Sequence[tuple[str, str]]) -> tuple[int, ...]:
        """Give the objects of a run their labels.

        Parameters
        ----------
        found : sequence of tuple of str
            Phrase and answer of each object, in the order of the masks of `add`. After a resume
            the same objects get the same labels, further ones labels of their own; new labels also
            where an undo and later edits gave the old ones free.

        Raises
        ------
        InvalidInput
            The layer's kind of integer has no room for so many labels, or an object that is to be
            followed is gone, locked, or of planes along other axes.
        LayerLost
            The layer is gone.
        """
        self._check()
        if self._into:
            return self._begin_again()
        kept = []
        for entry, (phrase, _) in zip(self._found, found, strict=False):
            if entry.record.phrase != phrase or not self.objects.knows(entry):
                break
            kept.append(entry)
        fresh = found[len(kept) :]
        labels = self.objects.reserve(len(fresh)) if fresh else ()
        plane = self._stack.first.index
        unit = self.objects.pixel_area(plane)[1]
        made = [
            Entry(
                ObjectRecord(
                    label, phrase, answer, math.nan, math.nan, 0.0, unit, self._model, now()
                ),
                {plane: Spot(NOWHERE)},
                axis=self._stack.axis.axis,
                present=False,
            )
            for label, (phrase, answer) in zip(labels, fresh, strict=True)
        ]
        self._found = [*kept, *made]
        if not kept:
            self._painted.clear()
        self.objects.put(made)
        return tuple(entry.record.label for entry in self._found)

    def _begin_again(self) -> tuple[int, ...]:
        """Take up objects that are there already."""
        entries = [self.objects.entry(label) for label in self._into]
        gone = [label for label, e in zip(self._into, entries, strict=True) if e is None]
        locked = [label for label in self._into if self.objects.locked(label)]
        if gone or locked:
            why = f"{gone[0]} is not there any more" if gone else f"{locked[0]} is locked"
            raise InvalidInput(f"Object {why}, so it cannot be followed.")
        found = [entry for entry in entries if entry is not None]
        for entry in found:
            entry.check_axes(self._stack.first.index)
        self._found = found
        for entry in found:
            entry.axis = self._stack.axis.axis
        return self._into

    def add(
        self,
        index: int,
        masks: Sequence[PackedMask],
        ious: Sequence[float],
        scores: Sequence[float],
        present: Sequence[float],
        flags: Sequence[tuple[str, ...]] = (),
    ) -> None:
        """Paint the masks of one frame into the layer's data; napari is not told: see `refresh`.

        A frame that was added before is painted anew. Rows and captions follow with
        `LabelObjects.write`.

        Parameters
        ----------
        index : int
            Number of the frame.
        masks : sequence of PackedMask
            One an object, of the frame's size; empty where the object is not.
        ious, scores, present : sequence of float
            SAM2's estimate, mean probability, and whether the object is there, one an object.
        flags : sequence of tuple of str
            Why an object should be looked at here; () for none at all.

        Raises
        ------
        LayerLost
            The layer was deleted, or its data replaced. Frames added before stay where they are.
        CannotWrite
            The array could not be written (disk full); frames added before are kept, and `commit`
            still works.
        """
        self._check()
        self.objects.finish_replay()  # what is about to go keeps no pixel from the masks
        placement = self._stack.placement(index)
        plane = placement.index
        shapes = [
            pasted(placement, mask, entry.record.label)
            for entry, mask in zip(self._found, masks, strict=True)
            if mask.area
        ]
        earlier = self._painted.get(plane, [])
        former = [e.spots[plane].box for e in self._found if self._into and plane in e.spots]
        box = NOWHERE
        for other in [*(c.box for c in earlier), *(shape.box for shape in shapes), *former]:
            box = joined(box, other)
        if not is_empty(box):
            box = whole_chunks(self._data, plane, box)
            where = indexed(plane, box)
            try:
                region = self._data[where]
                in_memory = isinstance(self._data, np.ndarray)  # a view: painting is writing
                region = region if in_memory else np.array(region)
                if not self._replace and self._overlaps(region, box, shapes):
                    self._overlapping[index] = masks
                stamps = self._repainting(plane).paint(region, box, shapes)
                self._record(plane, stamps)
                if stamps and not in_memory:
                    self._data[where] = region
            except OSError as error:
                raise cannot_write(place_of(self._data), error) from error
            entries = {entry.record.label: entry for entry in self._found}
            for shape in shapes:
                label = shape.labels[0]
                inside = region[shifted(shape.box, (box[0].start, box[1].start))] == label
                entries[label].found(plane, shape.box, inside)
            self.objects.tally(plane, gained(stamps))
            if stamps:
                self._unsaved.append(span(plane, box))
            self._unseen = self._unseen or (bool(stamps) and may_show(self.objects.view, plane))
        self._note(plane, ious, scores, present, flags)

    def refresh(self) -> bool:
        """Have napari draw what was added, if it is in view; return whether it was.

        Takes napari some 10 ms: call it at most a few times a second.

        Raises
        ------
        CannotWrite
            The array could not be read.
        """
        if not self._unseen or self.lost:
            return False
        self._unseen = False
        try:
            with self.objects.painting():
                self.objects.labels.refresh(extent=False, thumbnail=False, highlight=False)
        except OSError as error:
            raise cannot_write(place_of(self._data), error) from error
        return True

    def found_so_far(self) -> None:
        """Have the log keep what was added, though the run goes on: it may end badly."""
        if self._unsaved and not self.lost:
            touched, self._unsaved = tuple(self._unsaved), []
            self.objects.write()
            self.objects.done.emit(Action("frames", "Followed so far", touched, self.labels))

    @property
    def overlapped(self) -> tuple[int, ...]:
        """Numbers of the frames where earlier objects kept pixels that a mask covers, too."""
        return tuple(sorted(self._overlapping))

    def overwrite(self) -> bool:
        """Give the masks the pixels that earlier objects kept, as one more undo step."""
        overlapping, self._overlapping = self._overlapping, {}
        former, self._replace = self._replace, True
        try:
            with self.objects.painting():
                for index, masks in overlapping.items():
                    plane = self._stack.placement(index).index
                    spots = [entry.spots.get(plane) for entry in self._found]
                    told = [
                        (math.nan,) * 3 if s is None else (s.iou, s.score, s.presence)
                        for s in spots
                    ]
                    flags = [() if s is None else s.flags for s in spots]
                    ious, scores, present = zip(*told, strict=True)
                    self.add(index, masks, ious, scores, present, flags)
                self.refresh()
        finally:  # frames that come when it goes on are asked about anew
            self._replace = former
        return self._commit("overwrite", "Overwrite what overlaps", None)

    def commit(self, detail: Mapping[str, Any] | None = None) -> bool:
        """Make what was added since the last commit one undo step; return whether anything was.

        Its pixels are in the layer already, so this takes no time. Returns False, too, when the
        layer is gone.

        Parameters
        ----------
        detail : mapping, optional
            What a log should keep of the run, fit for JSON.

        Raises
        ------
        NoUndo
            This version of napari has another undo history. The labels stay.
        """
        named = ", ".join(dict.fromkeys(entry.record.phrase for entry in self._found))
        text = f"Follow “{named}”" if named.strip(", ") else "Follow objects"
        return self._commit("track", text, detail)

    def _commit(self, kind: str, text: str, detail: Mapping[str, Any] | None) -> bool:
        changes = sorted(
            (change for change in self._changes.values() if change.stamps),
            key=lambda change: change.plane[self._stack.axis.axis] or 0,
        )
        noted, self._changes, self._noted = self._noted, {}, []
        touched, self._unsaved = tuple(self._unsaved), []
        if not changes or self.lost:
            return False

        def heard(undoing: bool) -> None:
            for spot in noted:
                spot.withdrawn = undoing

        action = Action(kind, text, (), self.labels, dict(detail or {}))
        self.objects.record(changes, action, heard, touched=touched)
        return True

    def _overlaps(self, region: NDArray[Any], box: Box, shapes: Sequence[Shape]) -> bool:
        """Whether masks cover pixels of others that they would take under another rule."""
        kept = [0, *(e.record.label for e in self._found), *self.objects.locked_labels]
        origin = box[0].start, box[1].start
        return any(
            not np.isin(region[shifted(shape.box, origin)][shape.parts > 0], kept).all()
            for shape in shapes
        )

    # --- one frame ---

    def _repainting(self, plane: PlaneIndex) -> Repainting:
        return Repainting(
            self._stack.first.plane_shape,
            earlier=self._painted.get(plane, []),
            own=[entry.record.label for entry in self._found],
            replace=self._replace,
            users=[found for edit in self._edits if (found := edit.painted_in(plane))],
            anew=self._into,
            locked=self.objects.locked_labels,
        )

    def _record(self, plane: PlaneIndex, stamps: list[Stamp]) -> None:
        if not stamps:
            return
        change = self._changes.get(plane)
        if change is None:
            change = self._changes[plane] = PlaneChange(plane, [])
            self._painted.setdefault(plane, []).append(change)
        change.stamps += stamps

    def _note(
        self,
        plane: PlaneIndex,
        ious: Sequence[float],
        scores: Sequence[float],
        present: Sequence[float],
        flags: Sequence[tuple[str, ...]],
    ) -> None:
        """Note what the model said of the objects in a frame."""
        for number, entry in enumerate(self._found):
            why = flags[number] if flags else ()
            if plane not in entry.spots and not why:
                continue
            spot = entry.grow(plane, NOWHERE)
            spot.score, spot.iou = float(scores[number]), float(ious[number])
            spot.presence, spot.flags, spot.withdrawn = float(present[number]), tuple(why), False
            self._noted.append(spot)

    # --- the layer ---

    def _check(self) -> None:
        if self.lost:
            raise LayerLost(self.objects.labels.name)

    def _on_edit(self, edits: list[Edit]) -> None:
        self._edits += edits
