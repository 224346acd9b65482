"""TIFFs for Fiji and for OME readers, and back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import ome_types
import pytest
import tifffile

from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.export import export
from napari_sa2va.io.export.from_layers import plain_annotations
from napari_sa2va.io.export.space import space_of
from napari_sa2va.io.import_tiff import read_label_tiff

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sa2va.io.export.annotations import Annotations

FORMATS = {"imagej": "x_labels.tif", "ome-tiff": "x_labels.ome.tif"}


def test_fiji_finds_axes_spacing_and_unit(stack: Annotations, tmp_path: Path) -> None:
    notes = export(stack, "imagej", tmp_path / "x.tif")
    with tifffile.TiffFile(tmp_path / "x.tif") as tif:
        said = tif.imagej_metadata
        x, y = (tif.pages.first.tags[f"{axis}Resolution"].value for axis in "XY")
        assert tif.series[0].axes == "TYX"
        assert tif.asarray().dtype == np.uint16
    assert said is not None
    assert (said["frames"], said["unit"], said["finterval"]) == (3, "micron", 30.0)
    assert (x[0] / x[1], y[0] / y[1]) == (4.0, 2.0)
    entry = int(2 * 256 / (5 + 1) + 0.5)  # as ImageJ draws label 2 of 5
    np.testing.assert_array_equal(np.reshape(said["LUTs"], (3, 256))[:, entry], (255, 136, 0))
    assert notes == ["The conversation is not in the file."]


@pytest.mark.parametrize("name", FORMATS)
def test_labels_rows_and_scale_come_back(name: str, stack: Annotations, tmp_path: Path) -> None:
    export(stack, name, tmp_path / FORMATS[name])
    read = read_label_tiff(tmp_path / FORMATS[name])
    np.testing.assert_array_equal(read.whole(), stack.labels[...])
    assert read.records == stack.records
    assert (read.space.axes, read.space.units) == (stack.space.axes, stack.space.units)
    np.testing.assert_allclose(read.space.scale, stack.space.scale)


@pytest.mark.parametrize("name", FORMATS)
def test_a_plane_in_pixels_stays_in_pixels(name: str, plane: Annotations, tmp_path: Path) -> None:
    export(plane, name, tmp_path / FORMATS[name])
    read = read_label_tiff(tmp_path / FORMATS[name])
    np.testing.assert_array_equal(read.plane(()), plane.plane(()))
    assert read.space.units == ("pixel", "pixel")


@pytest.mark.parametrize("name", FORMATS)
def test_axes_go_in_the_order_of_the_format(name: str, tmp_path: Path) -> None:
    labels = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    shown = {"units": ["micrometer", "second", "micrometer", "micrometer"]}
    one = replace(plain_annotations("x", labels), space=space_of((), shown, 4))
    notes = export(one, name, tmp_path / FORMATS[name])
    read = read_label_tiff(tmp_path / FORMATS[name])
    if name == "imagej":
        assert any("order" in note for note in notes)
        labels = labels.swapaxes(0, 1)
        assert read.space.axes == ("t", "z", "y", "x")
    np.testing.assert_array_equal(read.whole(), labels)


def test_what_the_files_cannot_hold_is_said(stack: Annotations, tmp_path: Path) -> None:
    shown = {
        "scale": [1, 1, 1],
        "affine": [[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]],
    }
    turned = replace(stack, space=space_of((), shown, 3))
    for name, file in FORMATS.items():
        notes = " ".join(export(turned, name, tmp_path / file))
        assert "rotation" in notes
        assert "'axis 0'" in notes


def test_many_labels(tmp_path: Path) -> None:
    labels = np.array([[0, 70_000], [65_536, 3]])
    one = plain_annotations("x", labels)
    assert any("floats" in note for note in export(one, "imagej", tmp_path / "x.tif"))
    read = read_label_tiff(tmp_path / "x.tif")
    np.testing.assert_array_equal(read.plane(()), labels)
    with pytest.raises(InvalidInput, match="16,777,216"):
        export(plain_annotations("x", labels + 2**24), "imagej", tmp_path / "y.tif")
    assert not (tmp_path / "y.tif").exists()


def test_the_ome_xml_is_valid_and_has_the_objects(stack: Annotations, tmp_path: Path) -> None:
    export(stack, "ome-tiff", tmp_path / "x.ome.tif")
    xml = tifffile.tiffcomment(tmp_path / "x.ome.tif")
    ome_types.validate_xml(xml)
    ome = ome_types.from_xml(xml)
    pixels = ome.images[0].pixels
    assert (pixels.physical_size_x, pixels.physical_size_y) == (0.25, 0.5)
    assert (pixels.time_increment, pixels.physical_size_x_unit.value) == (30.0, "µm")
    maps = [one for one in ome.structured_annotations if one.namespace == "napari-sa2va/object"]
    assert [one.value["phrase"] for one in maps] == [r.phrase for r in stack.records]
    assert maps[0].value["score"] == "0.51"
    comments = [c for c in ome.structured_annotations if c.namespace.endswith("conversation")]
    assert [one.value for one in comments] == [turn.text for turn in stack.turns]


def test_a_failed_export_leaves_the_old_file(stack: Annotations, tmp_path: Path) -> None:
    class Broken:
        shape, dtype, ndim, size = (2, 4, 4), np.dtype(np.uint8), 3, 32
        read = 0

        def __getitem__(self, index: object) -> np.ndarray:
            self.read += 1
            if self.read > 3:
                raise InvalidInput("gone")
            return np.ones((4, 4), np.uint8)

    for name, file in FORMATS.items():
        (tmp_path / file).write_bytes(b"old")
        with pytest.raises(InvalidInput, match="gone"):
            export(plain_annotations("x", Broken()), name, tmp_path / file)
        assert (tmp_path / file).read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 2
