"""A phrase that is asked again, for an object that is there already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.annotation.packed import PackedMask
from napari_sa2va.viewer.crop import pasted
from napari_sa2va.viewer.entries import indexed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_sa2va.annotation.masks import SoftMask
    from napari_sa2va.viewer.objects import LabelObjects
    from napari_sa2va.viewer.placement import Placement


def renew(
    objects: LabelObjects,
    label: int,
    placement: Placement,
    found: Sequence[SoftMask],
    *,
    replace: bool,
    detail: Mapping[str, Any],
    **fields: Any,
) -> bool:
    """Give an object the masks that were found for its phrase, in one plane, as one step.

    Parameters
    ----------
    objects : LabelObjects
    label : int
        Its pixels in the plane go where no mask is; other planes stay.
    placement : Placement
        Of the frame that was looked at. Outside of it nothing changes.
    found : sequence of SoftMask
        All together are the object.
    replace : bool
        Whether it takes pixels that other objects have.
    detail : mapping
        What was asked, for a log.
    **fields
        Of its record, such as ``answer``.

    Returns
    -------
    bool
        Whether any pixel of a mask could be given to it; if not, it stays as it was.

    Raises
    ------
    InvalidInput
        It is locked, or was found in planes along other axes.
    """
    whole = np.zeros(placement.frame_shape, dtype=bool)
    for soft in found:
        whole[soft.box] |= soft.mask
    if not whole.any():
        return False
    objects.finish_replay()  # what is there decides who gets which pixel
    plane = placement.index
    entry = objects.entry(label)
    if entry is not None:
        entry.check_axes(plane)
    shape = pasted(placement, PackedMask.pack(whole), label)
    there = np.asarray(objects.labels.data[indexed(plane, shape.box)])
    new = np.asarray(shape.parts > 0)
    if not replace:
        new &= (there == 0) | (there == label)
    if not new.any():
        return False
    text = f"Ask again for {label}"
    with objects.step("rerun", text, labels=(label,), detail=detail) as step:
        looked_at = placement.region.slices
        former = objects.pixels_of(label, plane)
        if former is not None:
            box, gone = former[0], former[1].copy()
            gone &= _inside(box, looked_at)
            kept = np.zeros(placement.plane_shape, dtype=bool)
            kept[shape.box] = new
            step.paint(plane, box, gone & ~kept[box], 0)
        step.paint(plane, shape.box, new, label)
        step.change(label, **fields)
    return True


def _inside(box: tuple[slice, slice], region: tuple[slice, slice]) -> Any:
    """Return which pixels of a box lie in a region."""
    rows, columns = (
        (np.arange(side.start, side.stop) >= whole.start)
        & (np.arange(side.start, side.stop) < whole.stop)
        for side, whole in zip(box, region, strict=True)
    )
    return rows[:, None] & columns[None, :]
