"""The files that a tracking ends with, read by others than ourselves."""

from __future__ import annotations

import json
import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr

from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.labels_tiff import write_label_stack
from napari_sa2va.io.track_arrays import write_zarr
from napari_sa2va.io.track_csv import TrackRow, frame_rows, summed_up, write_frames, write_tracks
from napari_sa2va.io.track_records import FrameRecord, Sighting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LABELS = np.zeros((4, 20, 30), np.uint8)
LABELS[1:3, 2:9, 3:12] = 1
LABELS[2, 12:, 5:] = 2


def sighting(area: int, score: float, *flags: str) -> Sighting:
    return Sighting(area, area, 3.0, 4.0, 0.7, score, 0.9, flags)


RECORDS = [
    FrameRecord(3, True, (sighting(8, 0.9), sighting(0, math.nan, "absent"))),
    FrameRecord(4, False, (sighting(6, 0.6, "uncertain", "area"), sighting(0, math.nan))),
    FrameRecord(5, False, (sighting(0, math.nan, "absent"), sighting(0, math.nan))),
]


@pytest.mark.parametrize(("axis", "axes"), [("z", "ZYX"), ("t", "TYX"), ("axis 0", "TYX")])
def test_fiji_finds_planes_scale_and_phrases(tmp_path: Path, axis: str, axes: str) -> None:
    path = tmp_path / "labels.tif"
    write_label_stack(
        path,
        iter(LABELS),
        LABELS.shape,
        axis,
        largest=2,
        phrases={1: "die große Zelle", 2: "β"},
        pixel_size=(0.5, 0.25),
        unit="µm",
        step=1.5,
    )
    with tifffile.TiffFile(path) as tif:
        assert tif.is_imagej
        assert tif.series[0].axes == axes
        np.testing.assert_array_equal(tif.asarray(), LABELS)
        assert tif.pages[0].dtype == np.uint16
        about: dict[str, Any] = tif.imagej_metadata or {}
        assert about["unit"] == "micron"
        assert about["spacing" if axes == "ZYX" else "finterval"] == 1.5
        assert about["slices" if axes == "ZYX" else "frames"] == 4
        assert json.loads(about["Info"]) == {"1": "die große Zelle", "2": "β"}
        assert (about["min"], about["max"]) == (0.0, 2.0)
        assert tif.pages[0].tags["XResolution"].value == (4, 1)


def test_a_stack_that_fails_half_way_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "labels.tif"
    path.write_text("old")

    def planes() -> Iterator[Any]:
        yield LABELS[0]
        raise OSError(28, "No space left on device")

    with pytest.raises(InvalidInput, match="No space left"):
        write_label_stack(path, planes(), LABELS.shape, "t", largest=2)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_too_many_labels_for_imagej(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="zarr"):
        write_label_stack(tmp_path / "x.tif", iter(LABELS), LABELS.shape, "t", largest=70_000)


def test_zarr_has_a_chunk_a_plane_and_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    path = tmp_path / "labels.zarr"
    for labels in (LABELS[::-1], LABELS):
        write_zarr(
            path, iter(labels), labels.shape, labels.dtype, ("z", "y", "x"), {"phrases": {"1": "a"}}
        )
    array = zarr.open_array(path, mode="r")
    np.testing.assert_array_equal(array[:], LABELS)
    assert array.metadata.zarr_format == 3
    assert array.chunks == (1, 20, 30)
    assert array.metadata.dimension_names == ("z", "y", "x")
    assert array.attrs["phrases"] == {"1": "a"}
    assert list(tmp_path.iterdir()) == [path]


def test_an_older_zarr_stays_where_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "labels.zarr"
    write_zarr(path, iter(LABELS), LABELS.shape, LABELS.dtype, ("z", "y", "x"), {})
    replace = os.replace

    def refuse(source: Path, target: Path) -> None:
        if "-new" in source.name:
            raise PermissionError(13, "Permission denied")
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(InvalidInput, match="Permission denied"):
        write_zarr(path, iter(LABELS[::-1]), LABELS.shape, LABELS.dtype, ("z", "y", "x"), {})
    np.testing.assert_array_equal(zarr.open_array(path, mode="r")[:], LABELS)
    assert list(tmp_path.iterdir()) == [path]


def test_zarr_replaces_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "labels.zarr"
    path.mkdir()
    (path / "thesis.txt").write_text("")
    with pytest.raises(InvalidInput, match="not a folder that this format writes"):
        write_zarr(path, iter(LABELS), LABELS.shape, LABELS.dtype, ("z", "y", "x"), {})
    assert (path / "thesis.txt").exists()


def test_napari_opens_the_zarr(tmp_path: Path) -> None:
    from napari_builtins.io._read import napari_get_reader

    path = tmp_path / "labels.zarr"
    write_zarr(path, iter(LABELS), LABELS.shape, LABELS.dtype, ("z", "y", "x"), {})
    reader = napari_get_reader(str(path))
    assert reader is not None
    ((array, *_),) = reader(str(path))
    np.testing.assert_array_equal(np.asarray(array), LABELS)


def test_an_object_is_summed_up_over_its_frames() -> None:
    row = TrackRow("a.tif", 1, "the cell", "Which?", "[SEG].")
    first = summed_up(row, RECORDS)
    assert first.score == pytest.approx(0.75)
    assert (first.first_frame, first.last_frame, first.frames) == (3, 4, 2)
    assert first.flagged == (4, 5)
    second = summed_up(TrackRow("a.tif", 2, "the other", "Which?", "[SEG]."), RECORDS)
    assert math.isnan(second.score)
    assert (second.first_frame, second.frames, second.flagged) == (None, 0, (3,))


def test_the_tables(tmp_path: Path) -> None:
    rows = [
        summed_up(TrackRow("a.tif", label, "Zelle, groß", "Which?", "It is [SEG]."), RECORDS)
        for label in (1, 2)
    ]
    write_tracks(tmp_path / "objects.csv", rows)
    objects = pd.read_csv(tmp_path / "objects.csv", dtype={"flagged": str})
    assert objects["phrase"].tolist() == ["Zelle, groß"] * 2
    assert objects["flagged"].tolist() == ["4 5", "3"]
    assert objects["first_frame"][0] == 3
    assert np.isnan(objects["first_frame"][1])

    write_frames(tmp_path / "frames.csv", frame_rows(RECORDS, ("one", "two"), (0.5, 0.5)))
    frames = pd.read_csv(tmp_path / "frames.csv")
    assert list(zip(frames["label"], frames["frame"], strict=True)) == [
        (1, 3), (1, 4), (1, 5), (2, 3), (2, 4), (2, 5)
    ]  # fmt: skip
    assert frames["area"][0] == 2.0
    assert frames["unit"][0] == "um^2"
    assert frames["flags"][1] == "uncertain area"
    assert frames["seed"].tolist() == [1, 0, 0, 1, 0, 0]
    write_frames(tmp_path / "frames.csv", frame_rows(RECORDS, ("one", "two")))
    assert pd.read_csv(tmp_path / "frames.csv")["area"].isna().all()
