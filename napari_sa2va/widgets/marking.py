"""From places of the mouse to marks of a correction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sa2va.annotation.prompts import Click, Scribble, box_around, is_in
from napari_sa2va.errors import InvalidInput
from napari_sa2va.viewer.pointing import in_frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sa2va.annotation.prompts import Mark
    from napari_sa2va.viewer.clicks import Drag
    from napari_sa2va.viewer.placement import Placement
    from napari_sa2va.widgets.asked import Asked
    from napari_sa2va.widgets.open_correction import OpenCorrection


def click_at(viewer: Any, opened: OpenCorrection, world: Any, *, positive: bool) -> Click:
    """Return the mark of a click.

    Raises
    ------
    InvalidInput
        It is outside what is looked at.
    """
    placement = opened.place.placement
    point = in_frame(viewer, placement, world)
    if not is_in(point, placement.frame_shape):
        raise InvalidInput(outside(opened.asked))
    return Click(point, positive)


def stroke_along(
    viewer: Any, opened: OpenCorrection, path: Sequence[Any], drag: Drag, *, positive: bool
) -> Mark | None:
    """Return the mark of a drag; None if nothing of it is in what is looked at."""
    placement = opened.place.placement
    shape = placement.frame_shape
    if drag == "box":
        ends = [in_frame(viewer, placement, world) for world in (path[0], path[-1])]
        return box_around(ends[0], ends[1], shape)
    points = [in_frame(viewer, placement, world) for world in path]
    inside = tuple(point for point in points if is_in(point, shape))
    return Scribble(inside, positive) if inside else None


def outside(asked: Asked) -> str:
    """Say that a mark is outside what is looked at."""
    if isinstance(asked.look_at, str) and asked.look_at == "whole":
        return "That is outside the image. Click inside."
    return (
        "That is outside the part of the image that is looked at. Click inside it, or choose "
        "“Whole plane” under “Look at”."
    )


def plane_name(placement: Placement) -> str:
    """Name the plane of a placement, such as ``"t 5"``."""
    labels = placement.geometry.axis_labels
    planes = [
        f"axis {axis}: {at}" if labels[axis].startswith("-") else f"{labels[axis]} {at}"
        for axis, at in enumerate(placement.index)
        if at is not None
    ]
    return ", ".join(planes) or "another view"
