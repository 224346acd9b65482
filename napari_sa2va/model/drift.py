"""Telling that the tracking of an object may be going wrong, from numbers alone.

The thresholds were chosen with the demo checkpoint on 30 held-out clips of 24 frames whose cells
were tracked from their masks in the first one. Of 2,720 masks with an IoU of 0.7 or more against
the truth, 0.15 % are flagged. Of 25 objects that fall below 0.5, 17 are flagged while they are:
most of them because the area jumped, when a mask runs over to the cell beside it. SAM2's own
estimates hardly fall then, and where a mask slowly takes in another cell, or changes to one of the
same size, nothing here tells: asking the expression again does (`napari_sa2va.model.checking`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

# A fall of the predicted IoU by so much below what was usual for this object. Good masks of the
# demo checkpoint stay within 0.03; full-size ones vary more.
IOU_FALL: Final = 0.1
# A mean probability below this; 0.91 and more in all but 0.5 % of the good masks.
UNCERTAIN: Final = 0.8
# The area grew or shrank by this factor from what was usual.
AREA_JUMP: Final = 1.5
# How much the last frame counts in what is usual.
_SHARE: Final = 0.2


class Reading(NamedTuple):
    """What one frame says of one object.

    Attributes
    ----------
    iou, mean, present : float
        As in `results.Segment`.
    area : float
        Pixels of its mask.
    """

    iou: float
    mean: float
    present: float
    area: float


@dataclass(frozen=True, slots=True)
class Usual:
    """What was usual for one object in the frames before, in one direction.

    Attributes
    ----------
    iou, area : float or None
        Running means, so that a change that stays is flagged in a few frames only; None before
        there are any.
    there : bool
        Whether it was present in the last frame.
    """

    iou: float | None = None
    area: float | None = None
    there: bool = False


def drift_flags(now: Reading, usual: Usual) -> tuple[str, ...]:
    """Return what is suspicious about an object in a frame: "absent", "iou", "uncertain", "area".

    An object that is absent is only told so when it disappears: of a mask that is not there,
    nothing else is asked.
    """
    if now.present < 0.5 or not now.area:
        return ("absent",) if usual.there else ()
    flags = []
    if usual.iou is not None and now.iou < usual.iou - IOU_FALL:
        flags.append("iou")
    if now.mean < UNCERTAIN:
        flags.append("uncertain")
    if usual.area and not usual.area / AREA_JUMP <= now.area <= usual.area * AREA_JUMP:
        flags.append("area")
    return tuple(flags)


def learned(now: Reading, usual: Usual, *, seed: bool) -> Usual:
    """Return what is usual after a frame.

    A seed sets the area anew; its IoU is no estimate where its mask was given.
    """
    if now.present < 0.5 or not now.area:
        return replace(usual, there=False)
    if seed:
        return Usual(usual.iou, now.area, True)
    return Usual(_mixed(usual.iou, now.iou), _mixed(usual.area, now.area), True)


def _mixed(before: float | None, now: float) -> float:
    return now if before is None else (1 - _SHARE) * before + _SHARE * now
