from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels

from napari_sa2va.errors import InvalidInput
from napari_sa2va.viewer.labels import (
    check_target,
    create_labels,
    own_labels,
    pixel_area,
    suitable_targets,
)
from napari_sa2va.viewer.preview import PreviewLayer
from napari_sa2va.viewer.source import snapshot


def test_the_new_layer_lies_on_the_image() -> None:
    viewer = ViewerModel()
    image = viewer.add_image(
        np.zeros((3, 20, 30)),
        name="cells",
        scale=(2, 0.5, 0.5),
        translate=(1, 2, 3),
        units=("s", "µm", "µm"),
        axis_labels=("t", "y", "x"),
    )
    placement = snapshot(viewer, [image]).placement
    labels = create_labels(viewer, [image], placement)
    assert labels.data.shape == (3, 20, 30)
    assert labels.data.dtype == np.int32
    np.testing.assert_allclose(labels.extent.world, image.extent.world)
    assert labels.units == image.units
    assert labels.axis_labels == image.axis_labels
    assert labels.name == "cells · Sa2VA"
    check_target(labels, placement)
    assert own_labels(viewer, [image], (3, 20, 30)) is labels
    assert list(suitable_targets(viewer, placement)) == [labels]


def test_the_preview_of_a_correction_is_no_target() -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((1, 1)))
    placement = snapshot(viewer, [image]).placement
    preview = PreviewLayer(viewer).prepare(placement)
    assert preview in viewer.layers
    assert list(suitable_targets(viewer, placement)) == []


def test_another_image_and_another_level_have_layers_of_their_own() -> None:
    viewer = ViewerModel()
    one, other = (viewer.add_image(np.zeros((20, 30))) for _ in range(2))
    labels = create_labels(viewer, [one], snapshot(viewer, [one]).placement)
    assert own_labels(viewer, [other], (20, 30)) is None
    assert own_labels(viewer, [one], (10, 15)) is None
    assert own_labels(viewer, [other, one], (20, 30)) is labels
    viewer.layers.remove(labels)
    assert own_labels(viewer, [one], (20, 30)) is None


def test_a_target_that_cannot_be_written_is_refused() -> None:
    dask_array = pytest.importorskip("dask.array")
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((20, 30)))
    placement = snapshot(viewer, [image]).placement
    frozen = np.zeros((20, 30), dtype=np.uint8)
    frozen.setflags(write=False)
    for data in (dask_array.zeros((20, 30), dtype=np.uint8), frozen):
        with pytest.raises(InvalidInput, match="read-only"):
            check_target(Labels(data), placement)
    with pytest.raises(InvalidInput, match=r"\(20, 31\)"):
        check_target(Labels(np.zeros((20, 31), dtype=int)), placement)


@pytest.mark.parametrize(
    ("arguments", "area", "unit"),
    [
        ({}, 1, "pixel"),
        ({"scale": (0.5, 0.25), "units": ("µm", "µm")}, 0.125, "µm²"),
        ({"scale": (2, 3), "units": ("nm", "nm"), "rotate": 30}, 6, "nm²"),
        ({"scale": (2, 3), "units": ("nm", "nm"), "shear": [0.7]}, 6, "nm²"),
        ({"scale": (2, 3), "units": ("µm", "nm")}, 0.006, "µm²"),
        ({"scale": (2, 3), "units": ("µm", "s")}, 1, "pixel"),
        ({"scale": (2, 3)}, 1, "pixel"),
    ],
)
def test_area_of_a_pixel(arguments: dict, area: float, unit: str) -> None:
    labels = Labels(np.zeros((4, 4), dtype=int), **arguments)
    assert pixel_area(labels, (0, 1)) == (pytest.approx(area), unit)


def test_area_in_a_stack_is_that_of_the_plane() -> None:
    labels = Labels(np.zeros((4, 4, 4), dtype=int), scale=(9, 0.5, 0.25), units=("s", "µm", "µm"))
    assert pixel_area(labels, (1, 2)) == (pytest.approx(0.125), "µm²")
