"""A stack looked at from another side than where its objects were found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_sa2va.annotation.masks import SoftMask
from napari_sa2va.engine import ModelChoice
from napari_sa2va.errors import InvalidInput
from napari_sa2va.viewer.labels import create_labels
from napari_sa2va.viewer.objects import LabelObjects
from napari_sa2va.viewer.renewal import renew
from napari_sa2va.viewer.run import LabelRun
from napari_sa2va.viewer.source import snapshot
from napari_sa2va.widgets.asked import Asked
from napari_sa2va.widgets.open_correction import OpenCorrection

if TYPE_CHECKING:
    from napari_sa2va.viewer.placement import Placement

SHAPE = (6, 16, 20)


def soft(placement: Placement, rows: slice, columns: slice) -> SoftMask:
    """A rectangle in a frame."""
    mask = np.zeros(placement.frame_shape, dtype=bool)
    mask[rows, columns] = True
    return SoftMask.from_model(np.where(mask, 9, -9).astype(np.float32), mask)


class Scene:
    """Object 1 is found in XY, at z = 2; then the view is rolled to XZ, at y = 5."""

    def __init__(self) -> None:
        self.viewer = ViewerModel()
        self.image = self.viewer.add_image(np.zeros(SHAPE))
        self.viewer.dims.set_point(0, 2)
        labels = create_labels(self.viewer, [self.image], self.placement)
        self.objects = LabelObjects(self.viewer, labels)
        self.run(slice(4, 8), slice(4, 8))
        self.viewer.dims.order = (1, 0, 2)
        self.viewer.dims.set_point(1, 5)
        assert self.placement.index == (None, 5, None)

    @property
    def placement(self) -> Placement:
        return snapshot(self.viewer, [self.image]).placement

    def run(self, rows: slice, columns: slice) -> None:
        run = LabelRun(self.objects, self.placement, replace=True, split=False, model="demo")
        run.add(soft(self.placement, rows, columns), "the cell", 0.9)
        run.commit()

    def areas(self) -> list[float]:
        return [row.area for row in self.objects.rows()]


def test_a_run_replaces_pixels_and_the_row_follows() -> None:
    scene = Scene()
    assert scene.areas() == [16]
    scene.run(slice(1, 5), slice(2, 7))
    assert scene.areas() == [13, 20]
    scene.objects.undo()
    assert scene.areas() == [16]
    scene.objects.redo()
    assert scene.areas() == [13, 20]


def change_nothing(scene: Scene, act: Any) -> None:
    before = np.array(scene.objects.labels.data)
    with pytest.raises(InvalidInput, match="1 was found in planes along other axes"):
        act()
    np.testing.assert_array_equal(scene.objects.labels.data, before)


def test_an_object_is_not_corrected_from_there() -> None:
    scene = Scene()
    place = snapshot(scene.viewer, [scene.image])
    asked = Asked("", "segment", (scene.image,), look_at="whole", model=ModelChoice("demo"))
    change_nothing(scene, lambda: OpenCorrection.begin(asked, place, scene.objects, 1))
    assert OpenCorrection.begin(asked, place, scene.objects, None).pixels is None
    scene.viewer.dims.order = (0, 1, 2)
    place = snapshot(scene.viewer, [scene.image])
    assert OpenCorrection.begin(asked, place, scene.objects, 1).pixels is not None


def test_its_phrase_is_not_asked_again_from_there() -> None:
    scene = Scene()
    at = scene.placement
    found = [soft(at, slice(1, 5), slice(2, 7))]
    change_nothing(scene, lambda: renew(scene.objects, 1, at, found, replace=True, detail={}))
