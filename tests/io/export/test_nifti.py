"""NIfTI, read by nibabel and by ourselves."""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

import nibabel
import numpy as np
import pytest

from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames import Channel
from napari_sa2va.io.export import export
from napari_sa2va.io.export.from_layers import plain_annotations
from napari_sa2va.io.export.pictures import Pictures
from napari_sa2va.io.export.space import space_of
from napari_sa2va.io.import_labels import read_labels
from napari_sa2va.io.import_nifti import holds_labels, read_nifti
from napari_sa2va.io.layer_readers import get_nifti_reader

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sa2va.io.export.annotations import Annotations

VOLUME = np.arange(2 * 3 * 4, dtype=np.int32).reshape(2, 3, 4)
MICROMETRES = {"units": ["micrometer"] * 3}


def test_nibabel_finds_voxels_affine_spacing_and_units(tmp_path: Path) -> None:
    space = space_of((), MICROMETRES | {"scale": (2000, 500, 250), "translate": (0, 10, 20)}, 3)
    one = replace(plain_annotations("x", VOLUME), space=space)
    export(one, "nifti", tmp_path / "x_labels.nii.gz")
    image = nibabel.load(tmp_path / "x_labels.nii.gz")
    np.testing.assert_array_equal(np.asarray(image.dataobj), VOLUME.T)
    np.testing.assert_allclose(image.header.get_zooms(), (0.25, 0.5, 2.0))
    np.testing.assert_allclose(image.affine[:3, 3], (0.02, 0.01, 0), rtol=1e-6)
    assert image.header.get_xyzt_units()[0] == "mm"
    assert image.header.get_intent()[0] == "label"
    assert image.get_data_dtype() == np.uint8


def test_a_stack_of_which_nothing_is_known_is_a_volume(tmp_path: Path) -> None:
    notes = export(plain_annotations("x", VOLUME), "nifti", tmp_path / "x_labels.nii.gz")
    assert nibabel.load(tmp_path / "x_labels.nii.gz").shape == (4, 3, 2)
    assert any("is called z" in note for note in notes)
    read = read_nifti(tmp_path / "x_labels.nii.gz")
    assert (read.space.axes, read.space.units[0]) == (("axis 0", "y", "x"), "pixel")


def test_frames_are_the_fourth_dimension(stack: Annotations, tmp_path: Path) -> None:
    notes = export(stack, "nifti", tmp_path / "x_labels.nii.gz")
    image = nibabel.load(tmp_path / "x_labels.nii.gz")
    assert image.shape == (50, 40, 1, 3)
    assert image.header.get_zooms()[3] == 30.0
    assert image.header.get_xyzt_units()[1] == "sec"
    said = json.loads((tmp_path / "x_labels.json").read_text(encoding="utf-8"))
    assert [one["phrase"] for one in said["objects"]] == [r.phrase for r in stack.records]
    assert any("thickness" in note for note in notes)
    picture = nibabel.load(tmp_path / "x_image.nii.gz")
    assert stack.pictures is not None
    np.testing.assert_array_equal(np.asarray(picture.dataobj)[:, :, 0].T, stack.pictures.arrays[0])


def test_all_comes_back(stack: Annotations, tmp_path: Path) -> None:
    export(stack, "nifti", tmp_path / "x_labels.nii")
    read = read_nifti(tmp_path / "x_labels.nii")
    np.testing.assert_array_equal(read.whole(), stack.whole())
    assert (read.records, read.turns) == (stack.records, stack.turns)
    assert (read.space.axes, read.space.units) == (stack.space.axes, stack.space.units)
    np.testing.assert_allclose(read.space.matrix, stack.space.matrix, rtol=1e-6)


def test_a_scan_keeps_its_affine_there_and_back(tmp_path: Path) -> None:
    affine = np.array(
        [[-0.9, 0.1, 0, 90], [0.1, 0.9, 0.2, -120], [0, -0.2, 2.9, -70], [0, 0, 0, 1]]
    )
    scan = nibabel.Nifti1Image(VOLUME.T.astype(np.int16), affine)
    scan.header.set_xyzt_units("mm")
    nibabel.save(scan, tmp_path / "scan_seg.nii.gz")
    read = read_nifti(tmp_path / "scan_seg.nii.gz")
    assert read.space.axes == ("z", "y", "x")
    assert not read.space.is_upright
    export(read, "nifti", tmp_path / "again_labels.nii.gz")
    again = nibabel.load(tmp_path / "again_labels.nii.gz")
    np.testing.assert_allclose(again.affine, affine, atol=1e-5)
    np.testing.assert_array_equal(np.asarray(again.dataobj), VOLUME.T)
    assert holds_labels(tmp_path / "scan_seg.nii.gz")
    assert holds_labels(tmp_path / "again_labels.nii.gz")


def test_colours_are_colours(plane: Annotations, tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8)
    pictures = Pictures(("a",), (rgb,), (Channel((0.0, 255.0)),), (True,))
    export(replace(plane, pictures=pictures), "nifti", tmp_path / "x_labels.nii.gz")
    read = read_nifti(tmp_path / "x_image.nii.gz")
    np.testing.assert_array_equal(read.labels, rgb)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="end at 32,767"):
        export(plain_annotations("x", np.ones((1, 32_768), int)), "nifti", tmp_path / "x.nii")
    large = plain_annotations("x", np.array([[2**31]], np.uint32))
    with pytest.raises(InvalidInput, match="2,147,483,647"):
        export(large, "nifti", tmp_path / "x_labels.nii.gz")
    (tmp_path / "bad.nii.gz").write_bytes(b"nothing")
    with pytest.raises(InvalidInput, match="cannot be read as NIfTI"):
        read_nifti(tmp_path / "bad.nii.gz")


def test_files_of_others_beside_the_labels_are_kept(stack: Annotations, tmp_path: Path) -> None:
    scan, labels = tmp_path / "scan_image.nii.gz", tmp_path / "scan_labels.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.ones((2, 2, 2), np.int16), np.eye(4)), scan)
    before = scan.read_bytes()
    with pytest.raises(InvalidInput, match="is not from an export"):
        export(stack, "nifti", labels)
    assert [path.name for path in tmp_path.iterdir()] == [scan.name]
    assert scan.read_bytes() == before
    beside = tmp_path / "scan_labels.json"
    beside.write_text(json.dumps({"Manual": True, "objects": "mine"}))
    alone = replace(stack, pictures=None)
    with pytest.raises(InvalidInput, match="cannot be added to"):
        export(alone, "nifti", labels)
    beside.write_text(json.dumps({"Manual": True}))
    for _ in range(2):  # the second finds ours among theirs
        export(alone, "nifti", labels)
    assert json.loads(beside.read_text(encoding="utf-8"))["Manual"] is True
    assert read_nifti(labels).records == stack.records
    for _ in range(2):  # its own image is written again
        export(stack, "nifti", tmp_path / "x_labels.nii.gz")


def test_a_damaged_file_and_numbers_that_are_scaled(tmp_path: Path) -> None:
    path = tmp_path / "damaged_labels.nii.gz"
    export(plain_annotations("x", np.arange(60_000).reshape(6, 100, 100)), "nifti", path)
    begun = zlib.compressobj(wbits=31)
    half = begun.compress(gzip.decompress(path.read_bytes())[:60_000])
    for sound in (gzip.compress(b"")[:10], half + begun.flush(zlib.Z_FULL_FLUSH)):
        path.write_bytes(sound + b"\xff" * 500)
        with pytest.raises(InvalidInput, match="cannot be read as NIfTI"):
            read_nifti(path)
    said = nibabel.Nifti1Image(VOLUME.T.astype("f4"), np.eye(4))
    said.header.set_intent("label")
    nibabel.save(said, tmp_path / "f.nii")
    reader = get_nifti_reader(str(tmp_path / "f.nii"))
    assert reader is not None
    ((data, _, kind),) = reader(str(tmp_path / "f.nii"))
    assert (kind, data.dtype.kind) == ("labels", "u")
    np.testing.assert_array_equal(data, VOLUME)
    scaled = nibabel.Nifti1Image(VOLUME.T.astype(np.int16), np.eye(4))
    scaled.header.set_slope_inter(0.5, 0)
    nibabel.save(scaled, tmp_path / "prob_mask.nii")
    assert not holds_labels(tmp_path / "prob_mask.nii")


def test_an_image_whose_bytes_are_the_other_way_round(tmp_path: Path) -> None:
    image = np.arange(12, dtype=">u2").reshape(3, 4) + 1  # as in a TIFF of Fiji's
    shown = Pictures(("fiji",), (image,), (Channel((0.0, 12.0)),), (False,))
    export(replace(plain_annotations("x", image), pictures=shown), "nifti", tmp_path / "x.nii")
    for name in ("x.nii", "x_image.nii.gz"):
        read = np.asarray(nibabel.load(tmp_path / name).dataobj)
        np.testing.assert_array_equal(read[..., 0].T, image)


def test_units_of_some_axes_only_are_told_of_and_fractions_are_no_labels(tmp_path: Path) -> None:
    shown = {"units": ["pixel", "micrometer", "micrometer"]}
    labels = np.ones((2, 3, 4), np.uint8)
    half = replace(plain_annotations("x", labels, ["z"]), space=space_of(("z", "y", "x"), shown, 3))
    assert any("one unit" in note for note in export(half, "nifti", tmp_path / "x.nii"))
    assert any("distance of planes" in note for note in export(half, "imagej", tmp_path / "x.tif"))
    nibabel.save(nibabel.Nifti1Image(np.full((2, 2, 2), 0.5, "f4"), np.eye(4)), tmp_path / "f.nii")
    with pytest.raises(InvalidInput, match="fractions"):
        read_labels(tmp_path / "f.nii").whole()
