"""A mask that a model proposes for one object of one plane: what it would change, and doing it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.annotation import ObjectRecord
from napari_sa2va.annotation.masks import SoftMask, bounding_box
from napari_sa2va.annotation.painting import shifted
from napari_sa2va.annotation.records import now
from napari_sa2va.errors import InvalidInput
from napari_sa2va.viewer.crop import cropped
from napari_sa2va.viewer.entries import NOWHERE, Entry, Spot, indexed, is_empty, joined
from napari_sa2va.viewer.preview import Change

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

    from napari_sa2va.annotation.painting import Box
    from napari_sa2va.frames import PlaneIndex
    from napari_sa2va.viewer.objects import LabelObjects
    from napari_sa2va.viewer.placement import Placement


@dataclass(frozen=True, slots=True, eq=False)
class Proposed:
    """A mask on the pixels of the Labels layer.

    Attributes
    ----------
    box : tuple of slice
        Rows and columns of the layer's plane; empty if the mask is.
    inside : bool array
        Which pixels of the box.
    logits : (s, s) float32 array
        Of the mask, as SAM2 takes them back.
    iou, score : float
        SAM2's estimate, and the mean probability inside the mask.
    """

    box: Box
    inside: NDArray[np.bool_]
    logits: NDArray[np.float32]
    iou: float
    score: float

    @classmethod
    def of(
        cls,
        placement: Placement,
        mask: NDArray[np.bool_],
        logits: NDArray[np.float32],
        iou: float,
        score: float,
    ) -> Proposed:
        """Turn a mask of the frame into one of the Labels layer; takes no layer, so any thread.

        Where the layer is finer than the frame, the border is drawn between the frame's pixels.
        """
        fine = placement.factors != (1.0, 1.0)
        soft = SoftMask.from_model(logits, mask) if fine else None
        box = bounding_box(mask) if soft is None else soft.box
        if is_empty(box):
            return cls(NOWHERE, np.zeros((0, 0), dtype=bool), logits, iou, score)
        spot = cropped(placement, box)
        _, inside = spot.paste(mask[box] if soft is None else soft.logits)
        return cls(spot.region.slices, inside, logits, iou, score)


def changed_by(
    data: Any,
    placement: Placement,
    label: int | None,
    before: tuple[Box, NDArray[np.bool_]] | None,
    proposed: Proposed,
    *,
    replace: bool,
    locked: Collection[int] = (),
) -> Change:
    """Return what a mask would change.

    Parameters
    ----------
    data : array-like or None
        Of the Labels layer; one rectangle of it is read. None while there is no layer.
    placement : Placement
        Of the frame.
    label : int or None
        The object's; None for a new one.
    before : tuple of box and bool array, or None
        The pixels that it has in this plane.
    proposed : Proposed
    replace : bool
        Whether it takes the pixels of other objects.
    locked : collection of int
        Labels whose pixels it never takes.
    """
    box = proposed.box if before is None else joined(proposed.box, before[0])
    shape = tuple(max(side.stop - side.start, 0) for side in box)
    wanted, had = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    if is_empty(box):
        return Change(box, wanted, had, 0)
    origin = box[0].start, box[1].start
    if not is_empty(proposed.box):
        wanted[shifted(proposed.box, origin)] = proposed.inside
    if before is not None:
        # Beyond the part that was looked at, the object stays as it is.
        seen = np.zeros(shape, dtype=bool)
        region = placement.region.slices
        seen[
            max(region[0].start - origin[0], 0) : max(region[0].stop - origin[0], 0),
            max(region[1].start - origin[1], 0) : max(region[1].stop - origin[1], 0),
        ] = True
        had[shifted(before[0], origin)] = before[1]
        had &= seen
    blocked = np.zeros(shape, dtype=bool)
    if data is not None:
        there = np.asarray(data[indexed(placement.index, box)])
        others = (there != 0) & (there != (label or 0))
        blocked = wanted & others
        if replace:
            blocked &= np.isin(there, list(locked))
    return Change(box, wanted & ~blocked, had & ~wanted, int(np.count_nonzero(blocked)))


def accept(
    objects: LabelObjects,
    plane: PlaneIndex,
    label: int | None,
    change: Change,
    proposed: Proposed,
    *,
    phrase: str,
    model: str,
    detail: Mapping[str, Any],
) -> int:
    """Make a change, as one step.

    Parameters
    ----------
    objects : LabelObjects
        Of the layer.
    plane : PlaneIndex
        Where.
    label : int or None
        The object's; None for a new one.
    change : Change
        Worked out just now: other objects may have changed since the preview was drawn.
    proposed : Proposed
        The mask that it comes from.
    phrase, model : str
        Of a new object.
    detail : mapping
        For the log.

    Returns
    -------
    int
        The object's label.

    Raises
    ------
    InvalidInput
        Nothing is left of a new object, or the object is locked.
    """
    fresh = label is None
    if fresh and not change.gains.any():
        raise InvalidInput(
            "All pixels of the mask belong to other objects, which keep theirs. Let labels that "
            "are there be replaced, in the options, or delete them."
        )
    given = objects.reserve(1)[0] if label is None else label
    name = f" (“{phrase}”)" if phrase else ""
    text = f"New object {given}{name}" if fresh else f"Correct {given}{name}"
    with objects.step("refine", text, labels=(given,), detail=detail) as step:
        if objects.entry(given) is None:
            unit = objects.pixel_area(plane)[1]
            record = ObjectRecord(
                given, phrase, "", math.nan, proposed.iou, 0.0, unit, model, now()
            )
            spot = Spot(change.box, score=proposed.score, iou=proposed.iou)
            step.add(Entry(record, {plane: spot}))
        step.paint(plane, change.box, change.loses, 0)
        step.paint(plane, change.box, change.gains, given)
    return given
