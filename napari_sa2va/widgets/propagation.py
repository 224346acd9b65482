"""From a corrected object in one plane to the same object in the others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_sa2va.errors import InvalidInput
from napari_sa2va.viewer.pointing import mask_in_frame
from napari_sa2va.viewer.stack import stack_axes, stack_snapshot
from napari_sa2va.widgets.asked import TrackOptions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_sa2va.frames import PlaneIndex
    from napari_sa2va.model.track_state import Direction
    from napari_sa2va.viewer.objects import LabelObjects
    from napari_sa2va.viewer.stack import StackSnapshot
    from napari_sa2va.widgets.asked import Asked


@dataclass(frozen=True, slots=True, eq=False)
class Propagation:
    """What `RunController.follow` is given, in its order."""

    stack: StackSnapshot
    masks: dict[int, tuple[NDArray[np.bool_], ...]]
    phrases: tuple[str, ...]
    into: tuple[int, ...]
    track: TrackOptions
    asked: Asked


def propagation(
    viewer: Any,
    asked: Asked,
    objects: LabelObjects,
    label: int,
    direction: Direction,
    corrected: PlaneIndex | None = None,
) -> Propagation:
    """Return how to follow one object from a plane where it is right.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
    asked : Asked
        Image, model, range and way of tracking as they are chosen.
    objects : LabelObjects
        That it is one of.
    label : int
        Its label.
    direction : "forward", "backward" or "both"
        From that plane.
    corrected : PlaneIndex, optional
        Where it was corrected last; taken where the plane in view does not have it.

    Raises
    ------
    InvalidInput
        There are no other planes, or the object is not there, or it is locked.
    """
    if objects.locked(label):
        raise InvalidInput(f"Object {label} is locked. Unlock it to propagate it.")
    axes = stack_axes(viewer, asked.images)
    if not axes:
        raise InvalidInput("The image has no other planes to propagate to.")
    chosen = asked.track
    axis = next((one for one in axes if chosen is not None and one.axis == chosen.axis), axes[0])
    stack = stack_snapshot(viewer, asked.images, axis.axis, asked.look_at)
    frames = [stack.axis.current]
    if corrected is not None and corrected == _in_line(stack, corrected):
        at = corrected[axis.axis]
        frames += [] if at is None else [at]
    for frame in frames:
        placement = stack.placement(frame)
        pixels = objects.pixels_of(label, placement.index)
        mask = None if pixels is None else mask_in_frame(placement, *pixels)
        if mask is not None and mask.any():
            break
    else:
        raise InvalidInput(
            f"Object {label} is not in the plane in view. Go to a plane where it is right, and "
            "propagate it from there."
        )
    entry = objects.entry(label)
    track = TrackOptions(axis.axis, "current", direction, None, (0, axis.length))
    if chosen is not None and chosen.axis == axis.axis:
        track = replace(
            chosen, keys="current", direction=direction, check_every=0, reseed=False, each=False
        )
    phrase = "" if entry is None else entry.record.phrase
    into = replace(asked, target=objects.labels)
    return Propagation(stack, {frame: (mask,)}, (phrase,), (label,), track, into)


def _in_line(stack: StackSnapshot, plane: PlaneIndex) -> PlaneIndex:
    """Return the plane of a stack that is at a plane's place on its axis."""
    axis = stack.axis.axis
    if len(plane) != len(stack.line) or plane[axis] is None:
        return ()
    return (*stack.line[:axis], plane[axis], *stack.line[axis + 1 :])
