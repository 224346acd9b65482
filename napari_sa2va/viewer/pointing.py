"""From places in the viewer to pixels of the frame that a model looks at, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.annotation.prompts import is_in
from napari_sa2va.viewer.geometry import displayed_axes, view_plane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_sa2va.annotation.prompts import Point
    from napari_sa2va.frames import PlaneIndex
    from napari_sa2va.viewer.objects import LabelObjects
    from napari_sa2va.viewer.placement import Placement


def plane_shown(viewer: Any, placement: Placement) -> PlaneIndex:
    """Return the plane of a placement's Labels layer that the viewer shows.

    As for `plane_in_view`, but the layer need not be there yet.

    Raises
    ------
    InvalidInput
        It is seen edge-on.
    """
    return view_plane(viewer, placement.geometry).index


def in_frame(viewer: Any, placement: Placement, position: Sequence[float]) -> Point:
    """Return where in a frame a place of the viewer is; perhaps outside of it.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
        In 2-D mode, with the same axes displayed as when the frame was taken.
    placement : Placement
        Of the frame.
    position : sequence of float
        World coordinates, one for each of the viewer's dimensions, as in its mouse events.
    """
    plane = view_plane(viewer, placement.geometry)
    world = np.asarray(position, dtype=float)[-plane.ndim :]
    shown = list(displayed_axes(viewer.dims, plane.ndim))
    at = plane.to_data(world[shown][None])[0]
    origin = placement.frame_region.top, placement.frame_region.left
    row, column = (at + 0.5) / placement.factors - 0.5 - origin
    turn, (height, width) = placement.orientation, placement.frame_shape
    if turn.transpose:
        row, column = column, row
    row = height - 1 - row if turn.flip_rows else row
    column = width - 1 - column if turn.flip_columns else column
    return float(row), float(column)


def on_layer(placement: Placement, points: Sequence[Point]) -> NDArray[np.float64]:
    """Return where points of a frame are in the Labels layer's data.

    Parameters
    ----------
    placement : Placement
        Of the frame.
    points : sequence of Point

    Returns
    -------
    (n, D) array
    """
    turn, (height, width) = placement.orientation, placement.frame_shape
    at = np.array(points, dtype=float).reshape(-1, 2)
    if turn.flip_rows:
        at[:, 0] = height - 1 - at[:, 0]
    if turn.flip_columns:
        at[:, 1] = width - 1 - at[:, 1]
    if turn.transpose:
        at = at[:, ::-1]
    origin = placement.frame_region.top, placement.frame_region.left
    inside = (at + origin + 0.5) * placement.factors - 0.5
    placed = np.empty((len(at), len(placement.index)))
    sides = iter(inside.T)
    for axis, plane in enumerate(placement.index):
        placed[:, axis] = next(sides) if plane is None else plane
    return placed


def mask_in_frame(
    placement: Placement, box: tuple[slice, slice], inside: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Turn pixels of the Labels layer into a mask of the frame: inverse of `Placement.paste`.

    Parameters
    ----------
    placement : Placement
        Of the frame.
    box : tuple of slice
        Rows and columns of the layer's plane.
    inside : bool array
        Which pixels of the box.

    Returns
    -------
    (height, width) bool array
        Where the frame's pixels are larger than the layer's, those whose centre is inside.
    """
    frame = placement.frame_region
    rows = _nearest(frame.top, frame.bottom, placement.factors[0]) - box[0].start
    columns = _nearest(frame.left, frame.right, placement.factors[1]) - box[1].start
    plane = np.zeros((len(rows), len(columns)), dtype=bool)
    row_there = (rows >= 0) & (rows < inside.shape[0])
    column_there = (columns >= 0) & (columns < inside.shape[1])
    plane[np.ix_(row_there, column_there)] = inside[np.ix_(rows[row_there], columns[column_there])]
    return np.ascontiguousarray(placement.orientation.to_screen(plane))


def _nearest(start: int, stop: int, factor: float) -> NDArray[np.intp]:
    """Return the pixels of the layer in which the centres of those of the frame lie."""
    centres = (np.arange(start, stop) + 0.5) * factor
    return np.asarray(np.floor(centres).astype(np.intp))


def label_at(objects: LabelObjects, placement: Placement, point: Point) -> int:
    """Return the label of the object under a point of a frame; 0 where there is none."""
    if not is_in(point, placement.frame_shape):
        return 0
    at = np.round(on_layer(placement, [point])[0]).astype(int)
    shape = objects.labels.data.shape
    if any(not 0 <= i < n for i, n in zip(at, shape, strict=True)):
        return 0
    label = int(objects.labels.data[tuple(at)])
    return label if objects.entry(label) is not None else 0
