"""Saving and opening through napari itself."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from npe2 import PluginManager, PluginManifest

import napari_sa2va
from napari_sa2va.annotation import ObjectTable
from napari_sa2va.annotation.table import records_in
from napari_sa2va.io.export.space import layer_arguments

if TYPE_CHECKING:
    from napari_sa2va.io.export.annotations import Annotations

if TYPE_CHECKING:
    from collections.abc import Callable

MANIFEST = PluginManifest.from_file(Path(napari_sa2va.__file__).parent / "napari.yaml")
WRITERS = [
    (writer.display_name, extension)
    for writer in MANIFEST.contributions.writers or []
    for extension in writer.filename_extensions
]


def layers(stack: Annotations) -> list[Image | Labels]:
    features = ObjectTable(stack.records).features()
    arguments = layer_arguments(stack.space)
    image = Image(np.arange(6000, dtype=np.uint16).reshape(3, 40, 50), name="a", **arguments)
    return [image, Labels(stack.labels, name="cells", features=features, **arguments)]


def data(stack: Annotations) -> list[tuple[object, dict, str]]:
    return [layer.as_layer_data_tuple() for layer in layers(stack)]


def command(name: str) -> Callable[..., Any]:
    """What napari calls for a command of the manifest."""
    (named,) = [one for one in MANIFEST.contributions.commands or [] if one.id == name]
    module, function = str(named.python_name).split(":")
    return getattr(import_module(module), function)


@pytest.mark.parametrize(("name", "ending"), WRITERS)
def test_each_writer_takes_labels_with_an_image(
    name: str, ending: str, stack: Annotations, tmp_path: Path
) -> None:
    (writer,) = [w for w in MANIFEST.contributions.writers or [] if w.display_name == name]
    path = str(tmp_path / f"x{ending}")
    assert command(writer.command)(path, data(stack)) == [path]
    assert Path(path).exists()


@pytest.mark.parametrize(
    "ending", ["_labels.tif", "_labels.ome.tif", ".coco.json", ".nii.gz", ".ome.zarr"]
)
def test_what_was_saved_opens_with_phrases_and_scale(
    ending: str, stack: Annotations, tmp_path: Path
) -> None:
    from napari_sa2va.io import layer_readers, layer_writers

    write, read = {
        "_labels.tif": (layer_writers.write_imagej, layer_readers.get_tiff_reader),
        "_labels.ome.tif": (layer_writers.write_ome_tiff, layer_readers.get_tiff_reader),
        ".coco.json": (layer_writers.write_coco, layer_readers.get_coco_reader),
        ".nii.gz": (layer_writers.write_nifti, layer_readers.get_nifti_reader),
        ".ome.zarr": (layer_writers.write_ome_zarr, layer_readers.get_ome_zarr_reader),
    }[ending]
    path = str(tmp_path / f"x{ending}")
    write(path, data(stack))
    reader = read(path)
    assert reader is not None
    viewer = ViewerModel()
    for values, meta, kind in reader(path):
        getattr(viewer, f"add_{kind}")(values, **meta)
    labels = viewer.layers[-1]
    assert isinstance(labels, Labels)
    np.testing.assert_array_equal(labels.data, stack.whole())
    np.testing.assert_allclose(labels.scale, (30.0, 0.5, 0.25))
    assert [str(unit) for unit in labels.units] == ["second", "micrometer", "micrometer"]
    assert tuple(records_in(labels.features)) == stack.records
    labels.data_setitem((np.array([0]),) * 3, 1)  # it can be painted in


def test_other_files_are_left_to_napari(tmp_path: Path) -> None:
    import tifffile

    from napari_sa2va.io import layer_readers

    tifffile.imwrite(tmp_path / "x_labels.tif", np.zeros((4, 5), np.uint8))
    assert layer_readers.get_tiff_reader(str(tmp_path / "x_labels.tif")) is None
    assert layer_readers.get_ome_zarr_reader(str(tmp_path)) is None
    path, pixels = tmp_path / "damaged_labels.tif", np.zeros((4, 5), np.uint8)
    tifffile.imwrite(path, pixels, description="<OME><Image></OME>", metadata=None)
    assert layer_readers.get_tiff_reader(str(path)) is None
    tifffile.imwrite(path, pixels, imagej=True, metadata={"Info": '{"1": {"flagged": 5}}'})
    assert layer_readers.get_tiff_reader(str(path)) is None


def test_npe2_picks_our_writer_by_the_whole_ending() -> None:
    manager = PluginManager()
    manager.register(MANIFEST)
    writer, _ = manager.get_writer("/tmp/x.coco.json", ["labels"])
    assert writer is not None
    assert writer.command == "napari-sa2va.write_coco"
    writer, _ = manager.get_writer("/tmp/x.ome.tif", ["image", "labels", "image"])
    assert writer is not None
    assert writer.command == "napari-sa2va.write_ome_tiff"
