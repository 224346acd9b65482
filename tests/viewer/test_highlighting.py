"""What is pointed at stands out, whatever axes and units are shown."""

from __future__ import annotations

import numpy as np
from napari.components import ViewerModel

from napari_sa2va.annotation import ObjectRecord
from napari_sa2va.viewer.entries import NOWHERE, Entry, Spot
from napari_sa2va.viewer.geometry import LayerGeometry
from napari_sa2va.viewer.highlighting import Highlight
from napari_sa2va.viewer.objects import LabelObjects
from napari_sa2va.viewer.preview import border_thickness


def test_the_border_is_as_thick_as_the_plane_in_view_needs() -> None:
    viewer = ViewerModel()
    labels = viewer.add_labels(np.zeros((20, 30, 40), dtype=np.int32), scale=(0.25, 1, 1))
    viewer.dims.order = (1, 0, 2)
    viewer.dims.set_point(1, 5)
    viewer.scene.camera.zoom = 1.1
    objects = LabelObjects(viewer, labels, empty=True)
    plane, box = (None, 5, None), (slice(4, 9), slice(10, 16))
    with objects.step("run", "Find") as step:
        record = ObjectRecord(1, "cell", "", 0.9, 0.8, 0.0, "pixel", "demo", "now")
        step.add(Entry(record, {plane: Spot(NOWHERE)}))
        step.paint(plane, box, np.ones((5, 6), dtype=bool), 1)
    highlight = Highlight(viewer)
    assert highlight.show(objects, [1])
    assert highlight.layer is not None
    thickness, room = 8, 2  # four pixels to one of the screen, two of these wide
    more = 2 * (thickness + room)
    assert highlight.layer.data.shape == (5 + more, 1, 6 + more)


def test_the_border_is_as_thick_among_layers_of_other_units() -> None:
    viewer = ViewerModel()
    labels = viewer.add_labels(np.zeros((9, 9), dtype=int), units=("um", "um"), scale=(0.5, 0.5))
    geometry = LayerGeometry.of(labels)
    viewer.scene.camera.zoom = 4
    assert border_thickness(viewer, (None, None), geometry) == 1
    viewer.scene.camera.zoom = 1.1
    assert border_thickness(viewer, (None, None), geometry) == 4
    viewer.add_image(np.zeros((9, 9)), units=("nm", "nm"), scale=(500, 500))
    viewer.scene.camera.zoom = 0.0011  # the same on the screen
    assert border_thickness(viewer, (None, None), geometry) == 4
