from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile

from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.colours import imagej_colours, label_colour
from napari_sa2va.io.labels_tiff import write_labels

if TYPE_CHECKING:
    from pathlib import Path


def test_fiji_finds_labels_scale_colours_and_phrases(tmp_path: Path) -> None:
    labels = np.zeros((20, 30), np.int32)
    labels[2:5, 3:9] = 1
    labels[10:, 10:] = 2
    path = tmp_path / "cells_labels.tif"
    phrases = {1: "die große Zelle", 2: "β"}
    write_labels(path, labels, phrases=phrases, pixel_size=(0.5, 0.25), unit="µm", software="us")
    with tifffile.TiffFile(path) as tif:
        assert tif.is_imagej
        np.testing.assert_array_equal(tif.asarray(), labels)
        assert tif.pages[0].dtype == np.uint16
        assert tif.pages[0].software == "us"
        about = tif.imagej_metadata
        assert about["unit"] == "micron"
        assert json.loads(about["Info"]) == {"1": "die große Zelle", "2": "β"}
        assert (about["min"], about["max"]) == (0.0, 2.0)
        table = about["LUTs"]
        assert table.shape == (3, 256)
        assert table[:, 0].tolist() == [0, 0, 0]
        assert table[:, 85].tolist() == list(label_colour(1))
        assert table[:, 171].tolist() == list(label_colour(2))
        tags = tif.pages[0].tags
        assert tags["XResolution"].value == (4, 1)
        assert tags["YResolution"].value == (2, 1)


@pytest.mark.parametrize("largest", [1, 2, 5, 200, 255, 1000])
def test_imagej_draws_each_label_in_its_colour(largest: int) -> None:
    def told(label: int) -> tuple[int, int, int]:
        return label // 256, label % 256, 1

    table = imagej_colours(largest, told)
    for label in range(1, largest + 1):
        # ij.process.ShortProcessor.create8BitImage, of which the display range begins at 0
        entry = min(int(label * (256 / (largest + 1)) + 0.5), 255)
        high, low, _ = table[:, entry].tolist()
        assert abs(high * 256 + low - label) <= (0 if largest <= 255 else 4)


def test_more_labels_than_imagej_can_hold(tmp_path: Path) -> None:
    labels = np.arange(300 * 300).reshape(300, 300)
    write_labels(tmp_path / "many.tif", labels)
    with tifffile.TiffFile(tmp_path / "many.tif") as tif:
        assert not tif.is_imagej
        assert tif.pages[0].dtype == np.uint32
        np.testing.assert_array_equal(tif.asarray(), labels)


def test_an_image_without_objects(tmp_path: Path) -> None:
    write_labels(tmp_path / "none.tif", np.zeros((5, 6), np.uint8))
    assert not tifffile.imread(tmp_path / "none.tif").any()


def test_negative_labels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="must not be negative"):
        write_labels(tmp_path / "x.tif", np.full((3, 3), -1))
    assert not list(tmp_path.iterdir())
