"""Moving the view to an object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Labels


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
    world = np.asarray(labels.data_to_world(point), dtype=float)
    offset = viewer.dims.ndim - len(world)
    for axis in viewer.dims.not_displayed:
        if axis >= offset:
            viewer.dims.set_point(axis, world[axis - offset])
    centre = np.array(viewer.scene.camera.center, dtype=float)
    for place, axis in enumerate(viewer.dims.displayed, start=-len(viewer.dims.displayed)):
        if axis >= offset:
            centre[place] = world[axis - offset]
    viewer.scene.camera.center = tuple(centre)
