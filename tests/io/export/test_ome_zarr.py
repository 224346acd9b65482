"""OME-Zarr of both versions, opened by napari-ome-zarr and by ourselves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from napari_ome_zarr import napari_get_reader

from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames import Channel
from napari_sa2va.frames.zarr_files import open_zarr
from napari_sa2va.io.export import export
from napari_sa2va.io.export.from_layers import plain_annotations
from napari_sa2va.io.export.pictures import Pictures
from napari_sa2va.io.export.space import space_of
from napari_sa2va.io.import_ome_zarr import read_ome_zarr_labels

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sa2va.io.export.annotations import Annotations

VERSIONS = {"ome-zarr-0.4": "0.4", "ome-zarr": "0.5"}


def ome(group: Any) -> dict[str, Any]:
    attributes = dict(group.attrs)
    return attributes.get("ome", attributes)


@pytest.mark.parametrize("name", VERSIONS)
@pytest.mark.parametrize("with_image", [True, False])
def test_napari_ome_zarr_opens_image_and_labels(
    name: str, with_image: bool, stack: Annotations, tmp_path: Path
) -> None:
    shown = stack if with_image else replace(stack, pictures=None)
    export(shown, name, tmp_path / "x.ome.zarr")
    read = napari_get_reader(str(tmp_path / "x.ome.zarr"))
    assert read is not None
    (image, _, kind), (labels, meta, labels_kind) = read()
    assert (kind, labels_kind) == ("image", "labels")
    np.testing.assert_array_equal(np.asarray(labels[0]), stack.whole())
    np.testing.assert_allclose(meta["scale"], (30.0, 0.5, 0.25))
    assert meta["axis_labels"] == ("t", "y", "x")
    assert meta["units"] == ("second", "micrometer", "micrometer")
    assert meta["properties"]["phrase"] == [record.phrase for record in stack.records]
    assert meta["properties"]["score"] == [0.51, 0.52, 0.55]
    np.testing.assert_allclose(meta["colormap"][2][:3], (1, 136 / 255, 0))
    if with_image:
        assert stack.pictures is not None
        np.testing.assert_array_equal(np.asarray(image[0]), stack.pictures.arrays[0])


@pytest.mark.parametrize("name", VERSIONS)
def test_metadata_is_where_the_version_has_it(
    name: str, stack: Annotations, tmp_path: Path
) -> None:
    export(stack, name, tmp_path / "x.ome.zarr")
    root = zarr.open_group(str(tmp_path / "x.ome.zarr"), mode="r")
    label = root["labels/sa2va"]
    assert root.metadata.zarr_format == (2 if name == "ome-zarr-0.4" else 3)
    assert ome(root["labels"])["labels"] == ["sa2va"]
    said = ome(label)["image-label"]
    assert [entry["label-value"] for entry in said["colors"]] == [1, 2, 5]
    assert said["source"] == {"image": "../../"}
    if name == "ome-zarr":
        assert set(label.attrs) == {"ome", "napari_sa2va"}
        assert label["0"].metadata.dimension_names == ("t", "y", "x")
    else:
        assert ome(label)["multiscales"][0]["version"] == "0.4"


@pytest.mark.parametrize("name", VERSIONS)
def test_rows_words_and_scale_come_back(name: str, stack: Annotations, tmp_path: Path) -> None:
    moved = space_of((), {"scale": (30, 0.5, 0.25), "translate": (0, 7, -3)}, 3)
    export(replace(stack, space=moved), name, tmp_path / "x.ome.zarr")
    read = read_ome_zarr_labels(tmp_path / "x.ome.zarr")
    np.testing.assert_array_equal(read.whole(), stack.whole())
    assert read.records == stack.records
    assert read.turns == stack.turns
    np.testing.assert_allclose(read.space.matrix, moved.matrix)


def test_large_planes_have_levels(tmp_path: Path) -> None:
    labels = np.zeros((600, 300), np.uint32)
    labels[100:401, 50:200] = 70_000
    export(plain_annotations("x", labels), "ome-zarr", tmp_path / "x.ome.zarr")
    label = zarr.open_group(str(tmp_path / "x.ome.zarr"), mode="r")["labels/sa2va"]
    levels = ome(label)["multiscales"][0]["datasets"]
    assert [label[level["path"]].shape for level in levels] == [(600, 300), (300, 150), (150, 75)]
    np.testing.assert_array_equal(label["2"][...], labels[::4, ::4])
    assert levels[2]["coordinateTransformations"][0]["scale"] == [4.0, 4.0]


@pytest.mark.parametrize("name", VERSIONS)
def test_colour_images_get_a_channel_axis(name: str, plane: Annotations, tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8)
    channel = Channel((0.0, 255.0))
    coloured = replace(plane, pictures=Pictures(("a",), (rgb,), (channel,), (True,)))
    export(coloured, name, tmp_path / "x.ome.zarr")
    root = zarr.open_group(str(tmp_path / "x.ome.zarr"), mode="r")
    np.testing.assert_array_equal(root["0"][...], np.moveaxis(rgb, -1, 0))
    assert [channel["color"] for channel in ome(root)["omero"]["channels"]] == [
        "FF0000",
        "00FF00",
        "0000FF",
    ]
    read = napari_get_reader(str(tmp_path / "x.ome.zarr"))
    assert read is not None
    assert [kind for *_, kind in read()] == ["image", "labels"]


def test_an_export_of_the_other_version_is_not_replaced(stack: Annotations, tmp_path: Path) -> None:
    path = tmp_path / "x.ome.zarr"
    export(stack, "ome-zarr", path)
    with pytest.raises(InvalidInput, match=r"an earlier export as OME-Zarr 0\.5"):
        export(stack, "ome-zarr-0.4", path)
    export(stack, "ome-zarr", path)
    group = zarr.open_group(str(tmp_path / "none.zarr"), mode="w", zarr_format=2)
    group.attrs["multiscales"] = []
    with pytest.raises(InvalidInput, match="cannot be read as an OME-Zarr image"):
        export(stack, "ome-zarr-0.4", tmp_path / "none.zarr")


def test_labels_go_into_an_image_that_is_there(stack: Annotations, tmp_path: Path) -> None:
    path = tmp_path / "theirs.zarr"
    root = zarr.open_group(str(path), mode="w", zarr_format=2)
    root.create_array("0", shape=(3, 40, 50), dtype="u1", chunks=(1, 40, 50))
    scale = [{"type": "scale", "scale": [30.0, 0.5, 0.25]}]
    axes = [{"name": "t", "type": "time"}] + [{"name": n, "type": "space"} for n in "yx"]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    root.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]
    root.create_group("labels/other")
    root["labels"].attrs["labels"] = ["other"]
    with pytest.raises(InvalidInput, match=r"of version 0\.4"):
        export(stack, "ome-zarr", path)
    with pytest.raises(InvalidInput, match="has 40 positions along y, and the labels 39"):
        export(replace(stack, labels=stack.labels[:, :39]), "ome-zarr-0.4", path)
    for _ in range(2):  # the second takes the place of the first
        notes = export(stack, "ome-zarr-0.4", path)
    assert notes == ["The labels were added to the image that was there, as labels/sa2va."]
    root = zarr.open_group(str(path), mode="r")
    assert root["labels"].attrs["labels"] == ["other", "sa2va"]
    assert {entry.name for entry in (path / "labels").iterdir() if entry.is_dir()} == {
        "other",
        "sa2va",
    }
    read = read_ome_zarr_labels(path)  # ours, though the others come first
    assert read.notes == ("Of the labels sa2va, other in theirs.zarr the first were taken.",)
    np.testing.assert_array_equal(read.whole(), stack.whole())


def test_an_earlier_export_is_replaced_by_one_of_the_same_that_has_all_of_it(
    stack: Annotations, tmp_path: Path
) -> None:
    def channels(*arrays: Any) -> Pictures:
        gray = Channel((0.0, 6000.0))
        return Pictures(tuple("ab"), arrays, (gray, gray), (False, False))

    assert stack.pictures is not None
    path, pixels = tmp_path / "x.zarr", stack.pictures.arrays[0]
    added = ["The labels were added to the image that was there, as labels/sa2va."]
    two = replace(stack, pictures=channels(pixels, pixels + 1))
    for _ in range(2):
        assert export(two, "ome-zarr", path) == []
    assert export(stack, "ome-zarr", path) == added  # one of them is hidden
    (path / "tables").mkdir()
    changed = replace(stack, pictures=channels(pixels + 2, pixels))
    assert export(changed, "ome-zarr", path) == added
    assert (path / "tables").exists()
    image = zarr.open_group(str(path), mode="r")["0"]
    np.testing.assert_array_equal(image[:, 1], pixels + 1)
    (path / "tables").rmdir()
    assert export(changed, "ome-zarr", path) == []
    np.testing.assert_array_equal(zarr.open_group(str(path), mode="r")["0"][:, 0], pixels + 2)
    later = replace(stack.provenance, created="later", session="cells.sa2va")
    assert export(replace(changed, provenance=later), "ome-zarr", path) == added
    with pytest.raises(InvalidInput, match="its image is another one"):
        export(replace(two, provenance=later), "ome-zarr", path)
    np.testing.assert_array_equal(zarr.open_group(str(path), mode="r")["0"][:, 0], pixels + 2)
    assert tmp_path.name not in (path / "zarr.json").read_text()  # images are given to others


def test_folders_of_others_are_not_replaced(stack: Annotations, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/zarr.json").write_text("{}")
    with pytest.raises(InvalidInput, match="neither an OME-Zarr image nor an earlier export"):
        export(stack, "ome-zarr", tmp_path / "mine")
    assert {path.name for path in tmp_path.iterdir()} == {"mine"}


def test_labels_alone_leave_image_and_labels_that_are_there(
    stack: Annotations, tmp_path: Path
) -> None:
    path, alone = tmp_path / "x.zarr", replace(stack, pictures=None)
    export(stack, "ome-zarr", path)
    corrected = replace(alone, labels=np.where(stack.labels == 5, 1, stack.labels))
    notes = export(corrected, "ome-zarr", path)
    assert notes == ["The labels were added to the image that was there, as labels/sa2va."]
    assert stack.pictures is not None
    root = zarr.open_group(str(path), mode="r")
    np.testing.assert_array_equal(root["0"][...], stack.pictures.arrays[0])
    np.testing.assert_array_equal(read_ome_zarr_labels(path).whole(), corrected.labels)
    (path / "labels/theirs").mkdir()
    export(stack, "ome-zarr", path)  # with its image, which would replace all
    assert (path / "labels/theirs").exists()
    np.testing.assert_array_equal(read_ome_zarr_labels(path).whole(), stack.labels)
    export(alone, "ome-zarr", tmp_path / "y.zarr")
    export(stack, "ome-zarr", tmp_path / "y.zarr")  # had no image: it has one now
    assert "0" in zarr.open_group(str(tmp_path / "y.zarr"), mode="r")
    export(alone, "ome-zarr", tmp_path / "z.zarr")
    (tmp_path / "z.zarr/labels/theirs").mkdir()
    with pytest.raises(InvalidInput, match=r"of other programs in it: theirs\."):
        export(stack, "ome-zarr", tmp_path / "z.zarr")


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
@pytest.mark.parametrize("name", VERSIONS)
def test_an_image_with_consolidated_metadata(name: str, stack: Annotations, tmp_path: Path) -> None:
    path, zarr_format = tmp_path / "x.zarr", 3 if name == "ome-zarr" else 2
    root = zarr.open_group(str(path), mode="w", zarr_format=zarr_format)
    root.create_array("0", shape=(3, 40, 50), dtype="u1", chunks=(1, 40, 50))
    said = [{"version": "0.4", "axes": ["t", "y", "x"], "datasets": [{"path": "0"}]}]
    root.attrs.update({"multiscales": said} if zarr_format == 2 else {"ome": {"multiscales": said}})
    zarr.consolidate_metadata(str(path))
    for labels in (np.zeros_like(stack.labels), stack.labels):
        export(replace(stack, labels=labels), name, path)
        np.testing.assert_array_equal(read_ome_zarr_labels(path).whole(), labels)
        believed = zarr.open_consolidated(str(path))["labels/sa2va/0"]
        np.testing.assert_array_equal(believed[...], labels)


@pytest.mark.parametrize("name", VERSIONS)
def test_channels_of_the_labels_are_those_of_the_image(name: str, tmp_path: Path) -> None:
    labels = np.ones((5, 8, 9), np.uint8)
    image = Pictures(("cells",), (labels,), (Channel((0.0, 1.0)),), (False,))
    one = replace(plain_annotations("x", labels, ["c"]), pictures=image)
    export(one, name, tmp_path / "x.zarr")
    read = napari_get_reader(str(tmp_path / "x.zarr"))
    assert read is not None
    (values, meta, _), _ = read()
    layers = ViewerModel().add_image(values, **meta)
    assert [layer.name for layer in layers] == [f"x: cells {at}" for at in range(5)]


def test_an_image_that_finds_no_room_is_told_of(tmp_path: Path) -> None:
    labels = np.ones((2, 4, 5), np.uint8)
    gray = Channel((0.0, 1.0))
    two = Pictures(("a", "b"), (labels, labels), (gray, gray), (False, False))
    one = replace(plain_annotations("x", labels, ["c"]), pictures=two)
    notes = export(one, "ome-zarr", tmp_path / "x.zarr")
    assert any("the image is left out" in note for note in notes)


def test_steps_of_the_whole_image_come_after_those_of_its_levels(tmp_path: Path) -> None:
    group = zarr.open_group(str(tmp_path / "x.zarr"), mode="w", zarr_format=2)
    group["0"] = np.ones((2, 3, 4), np.uint16)
    units = {"t": "second", "y": "micrometer", "x": "micrometer"}
    level = [
        {"type": "scale", "scale": [1.0, 0.5, 0.25]},
        {"type": "translation", "translation": [1.0, 2.0, 3.0]},
    ]
    whole = [
        {"type": "scale", "scale": [30.0, 1.0, 2.0]},
        {"type": "translation", "translation": [0.0, 0.0, 10.0]},
    ]
    image = {
        "axes": [{"name": axis, "unit": unit} for axis, unit in units.items()],
        "datasets": [{"path": "0", "coordinateTransformations": level}],
        "coordinateTransformations": whole,
    }
    group.attrs.update({"multiscales": [image], "image-label": {}})
    space = read_ome_zarr_labels(tmp_path / "x.zarr").space
    assert space.scale == (30.0, 0.5, 0.5)
    assert space.origin == (30.0, 2.0, 16.0)
    assert open_zarr(tmp_path / "x.zarr").steps == {"t": 30.0, "y": 0.5, "x": 0.5}


def test_labels_of_others(tmp_path: Path) -> None:
    group = zarr.open_group(str(tmp_path / "x.zarr"), mode="w", zarr_format=2)
    group["0"] = np.array([[0, 4], [9, 4]], np.uint16)
    axes = [{"name": n, "type": "space", "unit": "nanometer"} for n in "yx"]
    datasets = [
        {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [500.0, 250.0]}]}
    ]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]
    group.attrs["image-label"] = {
        "colors": [{"label-value": 4, "rgba": [0, 128, 255, 255]}],
        "properties": [{"label-value": 4, "class": "nucleus", "area": 2}],
    }
    read = read_ome_zarr_labels(tmp_path / "x.zarr")
    assert read.space.scale == (0.5, 0.25)
    assert [(r.label, r.phrase, r.color) for r in read.records] == [(4, "nucleus", "#0080ff")]
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_ome_zarr_labels(tmp_path / "nothing.zarr")
