"""A part of a placement: where the masks of a rectangle of the frame belong."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.annotation.painting import Shape
from napari_sa2va.frames import Region

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sa2va.annotation.packed import PackedMask
    from napari_sa2va.viewer.placement import Placement


def cropped(placement: Placement, box: tuple[slice, slice]) -> Placement:
    """Return the placement of a rectangle of the frame.

    Parameters
    ----------
    placement : Placement
        Of the whole frame.
    box : tuple of slice
        Rows and columns of the frame, as the model saw it; not empty.
    """
    turn = placement.orientation
    height, width = placement.frame_shape
    rows, columns = box
    if turn.flip_rows:
        rows = slice(height - rows.stop, height - rows.start)
    if turn.flip_columns:
        columns = slice(width - columns.stop, width - columns.start)
    if turn.transpose:
        rows, columns = columns, rows
    whole = placement.frame_region
    frame_region = Region(
        whole.top + rows.start,
        whole.left + columns.start,
        whole.top + rows.stop,
        whole.left + columns.stop,
    )
    region = frame_region
    if placement.factors != (1.0, 1.0):
        region = frame_region.enlarged(placement.factors, placement.plane_shape)
    return replace(placement, frame_region=frame_region, region=region)


def pasted(placement: Placement, mask: PackedMask, label: int) -> Shape:
    """Turn a mask of the frame, not empty, into what it paints on the layer's plane."""
    spot = cropped(placement, mask.box)
    _, inside = spot.paste(mask.inside)
    return Shape(spot.region.slices, inside, (label,))


def on_labels(placement: Placement, values: NDArray[Any]) -> NDArray[Any]:
    """Return for each pixel of the Labels layer the value of the frame's pixel it lies in.

    Parameters
    ----------
    placement : Placement
        Of the frame.
    values : (height, width) array
        At the frame's size.
    """
    plane = placement.orientation.to_data(values)
    if placement.factors == (1.0, 1.0):
        return np.ascontiguousarray(plane)
    region, frame = placement.region, placement.frame_region
    rows = _frame_pixels(region.top, region.bottom, placement.factors[0], frame.top)
    columns = _frame_pixels(region.left, region.right, placement.factors[1], frame.left)
    return np.asarray(
        plane[np.ix_(np.clip(rows, 0, len(plane) - 1), np.clip(columns, 0, plane.shape[1] - 1))]
    )


def _frame_pixels(start: int, stop: int, factor: float, origin: int) -> NDArray[np.intp]:
    centres = (np.arange(start, stop) + 0.5) / factor
    return np.asarray(np.floor(centres).astype(np.intp) - origin)
