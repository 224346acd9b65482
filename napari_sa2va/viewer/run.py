"""The masks of one run in a Labels layer, from the first one found to the last move of a border."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np
from psygnal import Signal

from napari_sa2va.annotation import ObjectRecord
from napari_sa2va.annotation.actions import Action
from napari_sa2va.annotation.masks import (
    inner_point,
    logit,
    mean_probabilities,
    middle_point,
    number_parts,
    part_boxes,
)
from napari_sa2va.annotation.painting import Shape, match_parts
from napari_sa2va.annotation.records import now
from napari_sa2va.errors import InvalidInput
from napari_sa2va.viewer.crop import cropped, on_labels
from napari_sa2va.viewer.draft import Draft
from napari_sa2va.viewer.entries import Entry, Spot, span
from napari_sa2va.viewer.store import CannotWrite, LayerLost

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from napari_sa2va.annotation.actions import Where
    from napari_sa2va.annotation.masks import SoftMask
    from napari_sa2va.viewer.objects import LabelObjects
    from napari_sa2va.viewer.placement import Placement

# Of so many parts, captions need not sit at the best place: finding it takes 0.2 ms for each.
_MANY: Final = 100


@dataclass(slots=True, eq=False)
class FoundObject:
    """One mask of the run: what it is now, and all that is needed to move its border.

    Attributes
    ----------
    spot : Placement
        Of the part of the frame that its soft mask covers.
    soft : SoftMask
        Its probabilities.
    shape : Shape
        As painted now.
    memory : Shape
        Which label each pixel had when it first belonged to the mask, so that parts that vanish
        and come back, or merge and part again, get their labels back.
    record : ObjectRecord
        What its labels have in common.
    """

    spot: Placement
    soft: SoftMask
    shape: Shape
    memory: Shape
    record: ObjectRecord


class LabelRun:
    """What one run puts into a Labels layer.

    Masks show as they come, `commit` makes them one undo step. Until the next run, `move_border`
    follows a threshold: live while it is dragged, and `commit` makes it one more undo step when it
    is let go. When napari's undo or redo changes what is shown, the threshold follows.

    Parameters
    ----------
    objects : LabelObjects
        Of the layer.
    placement : Placement
        Of the frame.
    replace : bool
        Whether masks take the pixels of labels that were there before.
    split : bool
        Whether each connected part of a mask becomes a label of its own.
    model : str
        Name of the model, for the records.
    """

    threshold_changed = Signal(float)
    """An undo or redo brought back another threshold, or took the run away (nan)."""

    def __init__(
        self,
        objects: LabelObjects,
        placement: Placement,
        *,
        replace: bool,
        split: bool,
        model: str,
    ) -> None:
        self.objects = objects
        self.threshold = 0.5
        self._placement = placement
        self._split = split
        self._model = model
        self._draft = Draft(objects.labels, placement.index, replace=replace)
        self._closed = False
        self._found: list[FoundObject] = []
        self._covered: list[FoundObject] = []  # all their pixels belong to others
        self._unsaved: list[Where] = []  # boxes that no log has yet
        # What was committed at a threshold, and whether it replaced what was there.
        self._steps: dict[tuple[float, bool], list[Shape]] = {}
        self._moved_since_commit = False
        objects.reverted.connect(self._on_revert)
        objects.replaced.connect(self.close)

    def close(self) -> None:
        """Forget the masks: another run begins, or the layer has another array."""
        if self._closed:
            return
        self._closed = True
        self.objects.reverted.disconnect(self._on_revert)
        self.objects.replaced.disconnect(self.close)
        self._found, self._covered, self._steps = [], [], {}

    @property
    def labels(self) -> tuple[int, ...]:
        """The labels of this run that have pixels."""
        labels = (label for found in self._found for label in found.shape.labels)
        return tuple(label for label in labels if self.objects.entry(label) is not None)

    @property
    def overlapped(self) -> tuple[int, ...]:
        """Earlier objects that kept pixels which a mask of this run covers, too."""
        if self._draft.replace:
            return ()
        shapes = [found.shape for found in (*self._found, *self._covered)]
        return tuple(sorted(self._draft.overlapped(shapes)))

    def add(self, soft: SoftMask, phrase: str, iou: float) -> tuple[int, ...]:
        """Paint a mask.

        Parameters
        ----------
        soft : SoftMask
            Of the frame.
        phrase : str
            What it answers to.
        iou : float
            SAM2's estimate.

        Returns
        -------
        tuple of int
            Its labels: several if it was split, none if the mask is empty or all its pixels
            belong to other labels that are not to be replaced.

        Raises
        ------
        InvalidInput
            The layer's kind of integer has no room for its labels.
        LayerLost
            The layer has another array.
        CannotWrite
            The array could not be written (disk full); masks added before stay.
        """
        if self._closed:
            raise LayerLost(self.objects.labels.name)
        if not soft.mask.any():
            return ()
        spot = cropped(self._placement, soft.box)
        parts, count = self._parts(spot, soft)
        labels = tuple(self.objects.reserve(count))
        unit = self.objects.pixel_area(spot.index)[1]
        record = ObjectRecord(0, phrase, "", np.nan, iou, 0.0, unit, self._model, now())
        shape = Shape(spot.region.slices, parts, labels)
        found = FoundObject(spot, soft, shape, shape, record)
        self._found.append(found)
        with self.objects.painting(self._placement.index):
            try:
                self._show()
            except CannotWrite:
                self._found.remove(found)
                with suppress(CannotWrite):  # what of it was written goes, if it can
                    self._show()
                raise
            self.objects.put(_entries(found))
        kept = tuple(label for label in labels if self.objects.entry(label) is not None)
        if kept:
            self._unsaved.append(span(self._placement.index, shape.box))
        else:
            self._found.remove(found)
            self._covered.append(found)
            self.objects.drop(labels)
        # Of a mask that is painted in part, covered parts keep their labels: a lower border or
        # `overwrite` may show them.
        return kept

    def answered(self, labels: Sequence[int], answer: str) -> None:
        """Note the model's whole answer with the objects that came of it."""
        meant = set(labels)
        for found in self._found:
            if not meant.isdisjoint(found.shape.labels):
                found.record = replace(found.record, answer=answer)
                meant.update(found.shape.labels)  # covered parts, too
        for found in self._covered:
            if not found.record.answer:
                found.record = replace(found.record, answer=answer)
        self.objects.describe(sorted(meant), answer=answer)

    def found_so_far(self, detail: Mapping[str, Any] | None = None) -> None:
        """Have the log keep what was added, though the run goes on: it may end badly.

        Parameters
        ----------
        detail : mapping, optional
            As of `commit`, which tells all of it again.
        """
        if self._unsaved and not self._closed:
            touched, self._unsaved = tuple(self._unsaved), []
            said = dict(detail or {})
            self.objects.done.emit(Action("frames", "Found so far", touched, self.labels, said))

    def move_border(self, threshold: float) -> None:
        """Show the masks with their border at another probability, without history."""
        if threshold == self.threshold or self._closed:
            return
        held = self.objects.locked_labels & {*self.labels, *self._draft.under}
        if held:
            named = ", ".join(map(str, sorted(held)))
            self.objects.refused.emit(f"The border stays: object {named} is locked.")
            self.threshold_changed.emit(self.threshold)
            return
        former = self.threshold, [(found.shape, found.memory) for found in self._found]
        self.threshold = threshold
        try:
            self._follow_border()
        except (CannotWrite, InvalidInput) as error:  # a full disk; no numbers left for parts
            self._restore_border(*former)
            self.objects.refused.emit(str(error))
            self.threshold_changed.emit(self.threshold)

    def commit(self, detail: Mapping[str, Any] | None = None) -> bool:
        """Make what is shown one undo step; return whether anything changed.

        Parameters
        ----------
        detail : mapping, optional
            What a log should keep of the run, fit for JSON.

        Raises
        ------
        NoUndo
            This version of napari has another undo history. The labels stay.
        CannotWrite
            The array could not be read. What was painted stays.
        """
        return self._commit(*self._what(), detail)

    def overwrite(self) -> bool:
        """Give the masks the pixels that `overlapped` objects kept, as one more undo step."""
        if self._closed:
            return False
        fresh = self.objects.reserve(sum(len(found.shape.labels) for found in self._covered))
        numbers = iter(fresh)
        for found in self._covered:
            _renumber(found, tuple(islice(numbers, len(found.shape.labels))))
        former, self._draft.replace = self._draft.replace, True
        self._found += self._covered
        try:
            with self.objects.painting(self._placement.index):
                self.objects.put(entry for found in self._covered for entry in _entries(found))
                self._show()
        except CannotWrite:
            self._draft.replace = former
            self._found = [found for found in self._found if found not in self._covered]
            with self.objects.painting(self._placement.index), suppress(CannotWrite):
                self._show()
            self.objects.drop(fresh)
            raise
        for found in self._covered:
            nothing = replace(found.shape, parts=np.zeros_like(found.shape.parts))
            for shapes in self._steps.values():
                shapes.append(nothing)  # at that step it was not there
        self._covered = []
        return self._commit("overwrite", "Overwrite what overlaps", None)

    def _what(self) -> tuple[str, str]:
        """Return the kind of the next step, and what it is for people."""
        if self._steps:
            return "border", f"Move the border to {self.threshold:.2f}"
        phrases = list(dict.fromkeys(found.record.phrase for found in self._found))
        more = f" and {len(phrases) - 1} more" if len(phrases) > 1 else ""
        return "run", f"Find “{phrases[0]}”{more}" if phrases and phrases[0] else "Find objects"

    def _follow_border(self) -> None:
        with self.objects.painting(self._placement.index):
            for found in self._found:
                found.shape = self._moved(found)
                self._put(found, points=False)
            self._show()
        self._moved_since_commit = True

    def _restore_border(self, threshold: float, shapes: Sequence[tuple[Shape, Shape]]) -> None:
        passing = {label for found in self._found for label in found.shape.labels}
        self.threshold = threshold
        with self.objects.painting(self._placement.index), suppress(CannotWrite):
            for found, (shape, memory) in zip(self._found, shapes, strict=True):
                found.shape, found.memory = shape, memory
                self._put(found, points=False)
                passing -= set(memory.labels)
            self._show()
        self.objects.drop(passing)

    def _put(self, found: FoundObject, *, points: bool) -> None:
        """Describe a mask's labels anew; what the user said of them stays."""
        entries = _entries(found, None if points else self.objects.entry)
        for entry in entries:
            known = self.objects.record_of(entry.record.label)
            if known is not None:
                entry.record = replace(known, score=entry.record.score)
        self.objects.put(entries)

    def _show(self) -> None:
        self._draft.locked = self.objects.locked_labels - set(self.labels)
        self._draft.show(self._shapes())

    def _commit(self, kind: str, text: str, detail: Mapping[str, Any] | None) -> bool:
        if self._closed:
            return False
        with self.objects.painting(self._placement.index):
            change = self._draft.commit()
            if self._moved_since_commit:  # captions stay behind while a border is dragged
                for found in self._found:
                    self._put(found, points=True)
        self._moved_since_commit = False
        self._steps[self.threshold, self._draft.replace] = self._shapes()
        self._forget_passing_parts()
        if change is not None:
            self.objects.record([change], Action(kind, text, (), self.labels, dict(detail or {})))
        return change is not None

    def _was_object(self, label: int) -> bool:
        """Whether an object lost its last pixel in the layer."""
        known = self.objects.record_of(label) is not None
        return known and self.objects.entry(label) is None

    def _shapes(self) -> list[Shape]:
        return [found.shape for found in self._found]

    def _parts(self, spot: Placement, soft: SoftMask) -> tuple[NDArray[np.int32], int]:
        """Return the numbered parts of a mask at the threshold, on the Labels layer's pixels."""
        if spot.factors == (1.0, 1.0):
            _, inside = spot.paste(soft.above(self.threshold))
        else:
            _, inside = spot.paste(soft.logits - np.float32(logit(self.threshold)))
        return number_parts(inside) if self._split else (inside.astype(np.int32), 1)

    def _moved(self, found: FoundObject) -> Shape:
        parts, count = self._parts(found.spot, found.soft)
        if not self._split:
            return replace(found.shape, parts=parts)
        matched = match_parts(parts, count, found.memory)
        fresh = iter(self.objects.reserve(matched.count(None)) if None in matched else ())
        labels = tuple(next(fresh) if label is None else label for label in matched)
        shape = replace(found.shape, parts=parts, labels=labels)
        found.memory = _remember(found.memory, shape)
        return shape

    def _forget_passing_parts(self) -> None:
        """Free the labels of parts that came and went between two commits."""
        committed = {
            label for shapes in self._steps.values() for shape in shapes for label in shape.labels
        }
        for found in self._found:
            passing = set(found.memory.labels) - committed
            if passing:
                self.objects.drop(passing)
                found.memory = _without(found.memory, passing)

    def _on_revert(self) -> None:
        if not self._steps:  # under way: what is undone must not come back with this run's undo
            gone = {x for x in self._draft.under if self._was_object(x)}
            self._draft.forget(gone)
            return
        nothing = np.nan, self._draft.replace
        candidates: dict[tuple[float, bool], list[Shape]] = {nothing: [], **self._steps}
        nearest = min(
            candidates, key=lambda step: self._draft.differences(candidates[step], step[1])
        )
        threshold, self._draft.replace = nearest
        self._draft.rebase(candidates[nearest])
        if not np.isnan(threshold):
            self.threshold = threshold
            for found, shape in zip(self._found, candidates[nearest], strict=True):
                found.shape = shape
        self.threshold_changed.emit(threshold)


def _entries(found: FoundObject, known: Callable[[int], Entry | None] | None = None) -> list[Entry]:
    """Describe the labels that a mask has now; the points of `known` ones are taken over."""
    spot, shape = found.spot, found.shape
    logits = on_labels(spot, found.soft.logits)
    scores = mean_probabilities(logits, shape.parts, len(shape.labels))
    place = inner_point if len(shape.labels) <= _MANY else middle_point
    entries = []
    boxes = part_boxes(shape.parts, len(shape.labels))
    for number, (label, score, box) in enumerate(zip(shape.labels, scores, boxes, strict=True), 1):
        if box is None:  # no pixels at this threshold
            continue
        top, left = spot.region.top + box[0].start, spot.region.left + box[1].start
        height, width = box[0].stop - box[0].start, box[1].stop - box[1].start
        earlier = None if known is None else known(label)
        spot_there = None if earlier is None else earlier.spots.get(spot.index)
        if spot_there is not None:
            point = spot_there.point
        else:
            row, column = place(shape.parts[box] == number)
            point = top + row, left + column
        within = slice(top, top + height), slice(left, left + width)
        here = Spot(within, point=point, score=score, iou=found.record.iou)
        entries.append(Entry(replace(found.record, label=label, score=score), {spot.index: here}))
    return entries


def _renumber(found: FoundObject, labels: tuple[int, ...]) -> None:
    """Give the parts of a mask other labels."""
    found.shape = replace(found.shape, labels=labels)
    found.memory = replace(found.memory, labels=labels)


def _remember(memory: Shape, shape: Shape) -> Shape:
    """Add the pixels of a shape that no label had before."""
    known = set(memory.labels)
    labels = memory.labels + tuple(label for label in shape.labels if label not in known)
    numbers = {label: number for number, label in enumerate(labels, start=1)}
    renumbered = np.array([0, *(numbers[label] for label in shape.labels)], dtype=np.int32)
    parts = np.where(memory.parts == 0, renumbered[shape.parts], memory.parts)
    return replace(memory, parts=parts, labels=labels)


def _without(memory: Shape, labels: set[int]) -> Shape:
    """Forget the pixels of some labels."""
    kept = tuple(label for label in memory.labels if label not in labels)
    numbers = {label: number for number, label in enumerate(kept, start=1)}
    renumbered = np.array([0, *(numbers.get(x, 0) for x in memory.labels)], dtype=np.int32)
    return replace(memory, parts=renumbered[memory.parts], labels=kept)
