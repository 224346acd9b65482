"""Saving and opening through napari itself."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr
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


def multiscale(group: Any, array: np.ndarray, axes: str, **said: Any) -> None:
    group["0"] = array
    scale = [{"type": "scale", "scale": [0.5 if axis in "yx" else 2.0 for axis in axes]}]
    image = {
        "name": "cells",
        "axes": [{"name": axis} for axis in axes],
        "datasets": [{"path": "0", "coordinateTransformations": scale}],
    }
    group.attrs.update({"multiscales": [image], **said})


def test_all_labels_of_an_ome_zarr_come_with_its_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_sa2va.io import layer_readers

    told: list[str] = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", told.append)
    path = str(tmp_path / "x.ome.zarr")
    root = zarr.open_group(path, mode="w", zarr_format=2)
    multiscale(root, np.zeros((2, 3, 4, 6, 8), np.uint8), "tczyx")
    inside = root.create_group("labels")
    numbers = np.arange(4 * 6 * 8, dtype=np.uint16).reshape(4, 6, 8)
    kind = {"image-label": {}}
    multiscale(inside.create_group("nuclei"), numbers, "zyx", **kind)
    multiscale(inside.create_group("sa2va"), np.stack([numbers[None]] * 2), "tczyx", **kind)
    inside.attrs["labels"] = ["nuclei", "gone", "sa2va"]
    reader = layer_readers.get_ome_zarr_reader(path)
    assert reader is not None
    viewer = ViewerModel()
    for values, meta, type_name in reader(path):
        getattr(viewer, f"add_{type_name}")(values, **meta)
    *channels, nuclei, ours = viewer.layers
    assert [layer.data.shape for layer in channels] == [(2, 4, 6, 8)] * 3
    assert [layer.name for layer in (nuclei, ours)] == ["cells · nuclei", "cells · sa2va"]
    np.testing.assert_array_equal(ours.data, np.stack([numbers] * 2))
    np.testing.assert_array_equal(nuclei.data, numbers)
    for layer in channels:
        np.testing.assert_allclose(layer.scale, (2, 2, 0.5, 0.5))
        np.testing.assert_allclose(layer.extent.world[:, 1:], nuclei.extent.world)
    np.testing.assert_allclose(ours.scale, (2, 2, 0.5, 0.5))
    (sentence,) = told
    assert "gone" in sentence
    root = zarr.open_group(str(tmp_path / "y.ome.zarr"), mode="w", zarr_format=2)
    multiscale(root, numbers, "zyx")
    multiscale(root.create_group("labels/other"), numbers[0, :5], "yx", **kind)
    root["labels"].attrs["labels"] = ["other"]
    assert [type_name for *_, type_name in reader(str(tmp_path / "y.ome.zarr"))] == ["labels"]
    assert told[1:] == ["The image of cells is left out: its labels have another size or axes."]
    # Labels of the image's own pixels lie on it, also where they say nothing of its scale.
    root = zarr.open_group(str(tmp_path / "z.ome.zarr"), mode="w", zarr_format=2)
    multiscale(root, numbers, "zyx")
    multiscale(root.create_group("labels/other"), numbers, "zyx", **kind)
    bare = {"name": "other", "axes": [*"zyx"], "datasets": [{"path": "0"}]}
    root["labels/other"].attrs["multiscales"] = [bare]
    root["labels"].attrs["labels"] = ["other"]
    (_, image, _), (_, labels, _) = reader(str(tmp_path / "z.ome.zarr"))
    assert (image["scale"], image["units"]) == (labels["scale"], labels["units"])


def test_npe2_picks_our_writer_by_the_whole_ending() -> None:
    manager = PluginManager()
    manager.register(MANIFEST)
    writer, _ = manager.get_writer("/tmp/x.coco.json", ["labels"])
    assert writer is not None
    assert writer.command == "napari-sa2va.write_coco"
    writer, _ = manager.get_writer("/tmp/x.ome.tif", ["image", "labels", "image"])
    assert writer is not None
    assert writer.command == "napari-sa2va.write_ome_tiff"
