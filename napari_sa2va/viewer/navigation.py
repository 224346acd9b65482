"""Moving the view to an object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.errors import InvalidInput
from napari_sa2va.viewer.entries import axes_of
from napari_sa2va.viewer.geometry import LayerGeometry, view_plane, world_matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Labels

    from napari_sa2va.frames import PlaneIndex
    from napari_sa2va.viewer.entries import Entry


def plane_in_view(viewer: Any, labels: Labels) -> PlaneIndex | None:
    """Return the plane of a layer that a 2-D view shows; None in 3-D, or if it is seen edge-on.

    The position on an axis lies outside the layer where the view does.
    """
    if viewer.dims.ndisplay != 2 or viewer.dims.ndim < labels.ndim:
        return None
    try:
        return view_plane(viewer, LayerGeometry.of(labels)).index
    except InvalidInput:
        return None


def may_show(view: PlaneIndex | None, plane: PlaneIndex) -> bool:
    """Whether a plane may be seen; in 3-D (None) or from another side any may."""
    return view is None or axes_of(view) != axes_of(plane) or view == plane


def nearest_plane(viewer: Any, labels: Labels, planes: Sequence[PlaneIndex]) -> PlaneIndex:
    """Return that of some planes of a layer that is nearest to the one in view."""
    view = plane_in_view(viewer, labels)
    if view is None:
        return planes[0]

    def distance(plane: PlaneIndex) -> int:
        return sum(
            abs(at - seen)
            for at, seen in zip(plane, view, strict=True)
            if at is not None and seen is not None
        )

    return min(planes, key=distance)


def next_flagged(viewer: Any, labels: Labels, entry: Entry) -> tuple[float, ...] | None:
    """Return where to look at the next flagged frame of an object, after the one in view.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
    labels : Labels
    entry : Entry
        Of the object.

    Returns
    -------
    tuple of float or None
        In data coordinates; where the object is not in that frame, its place in the nearest one
        that it is in. After the last flagged frame the first comes again. None if there is none.
    """
    axis, flagged, planes = entry.stack_axis, entry.record.flagged, entry.planes
    if axis is None or not flagged or not planes:
        return None
    view = plane_in_view(viewer, labels)
    at = None if view is None else view[axis]
    shown = -1 if at is None else at
    frame = min((frame for frame in flagged if frame > shown), default=min(flagged))
    nearest = min(planes, key=lambda plane: abs((plane[axis] or 0) - frame))
    point = list(entry.point_in(nearest))
    point[axis] = float(frame)
    return tuple(point)


def show_object(viewer: Any, labels: Labels, label: int, point: Sequence[float]) -> None:
    """Select a label, and bring a point of its layer to the middle of the canvas.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
        Its sliders go to the point's plane; the zoom stays.
    labels : Labels
        Becomes the active layer, so that napari's undo keys act on it.
    label : int
        Becomes its selected label.
    point : sequence of float
        In data coordinates.
    """
    labels.selected_label = label
    viewer.layers.selection.active = labels
    # Not `labels.data_to_world`, which knows no units but the layer's own.
    matrix = world_matrix(LayerGeometry.of(labels), viewer.dims)
    world = matrix[:-1, :-1] @ np.asarray(point, dtype=float) + matrix[:-1, -1]
    offset = viewer.dims.ndim - len(world)
    for axis in viewer.dims.not_displayed:
        if axis >= offset:
            viewer.dims.set_point(axis, world[axis - offset])
    centre = np.array(viewer.scene.camera.center, dtype=float)
    for place, axis in enumerate(viewer.dims.displayed, start=-len(viewer.dims.displayed)):
        if axis >= offset:
            centre[place] = world[axis - offset]
    viewer.scene.camera.center = tuple(centre)
