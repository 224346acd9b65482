"""The view goes to an object, whatever units and axes are shown."""

from __future__ import annotations

import numpy as np
from napari.components import ViewerModel

from napari_sa2va.viewer.navigation import plane_in_view, show_object


def test_units_of_another_layer_count_when_an_object_is_shown() -> None:
    viewer = ViewerModel()
    shape = (5, 9, 9)
    viewer.add_image(np.zeros(shape), units=("nm", "nm", "nm"), scale=(500, 100, 100))
    labels = viewer.add_labels(
        np.zeros(shape, dtype=int), units=("um", "um", "um"), scale=(0.5, 0.1, 0.1)
    )
    show_object(viewer, labels, 7, (3, 6, 2))
    assert labels.selected_label == 7
    assert plane_in_view(viewer, labels) == (3, None, None)
    np.testing.assert_allclose(viewer.scene.camera.center[-2:], (600, 200))
