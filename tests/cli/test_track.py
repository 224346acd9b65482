"""``napari-sa2va track`` on real files with the demo checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr

from napari_sa2va.cli.stacks import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FRAMES = 12


def labels_of(folder: Path) -> Any:
    return tifffile.imread(folder / "cells_labels.tif")


def test_files_that_agree(whole: Path, movie: np.ndarray[Any, Any]) -> None:
    labels = labels_of(whole)
    assert labels.shape == movie.shape[:3]
    assert labels.dtype == np.uint16
    objects = pd.read_csv(whole / "cells_objects.csv", dtype={"flagged": str})
    frames = pd.read_csv(whole / "cells_frames.csv")
    found = objects[objects["label"] > 0]
    assert found["label"].tolist() == list(range(1, len(found) + 1))
    assert set(np.unique(labels)) - {0} <= set(found["label"])
    assert set(objects["phrase"]) >= {"the green cell", "all blue cells"}
    assert objects[objects["phrase"] == "all blue cells"]["label"].tolist() == [0]  # there is none
    assert len(frames) == len(found) * FRAMES
    for row in frames.itertuples():
        assert np.count_nonzero(labels[row.frame] == row.label) == row.labelled_px
    assert (frames["area"] == frames["area_px"] / 4).all()
    assert frames[frames["seed"] == 1]["frame"].unique().tolist() == [(FRAMES - 1) // 2]
    for row in found.itertuples():
        there = frames[(frames["label"] == row.label) & (frames["area_px"] > 0)]
        assert (row.first_frame, row.last_frame) == (there["frame"].min(), there["frame"].max())
        assert row.frames == len(there)
        assert row.score == pytest.approx(there["score"].mean(), abs=1e-5)
    np.testing.assert_array_equal(zarr.open_array(whole / "cells_labels.zarr")[:], labels)
    with tifffile.TiffFile(whole / "cells_labels.tif") as tif:
        assert tif.series[0].axes == "TYX"
        assert tif.imagej_metadata is not None
        assert tif.imagej_metadata["unit"] == "micron"
        assert tif.imagej_metadata["finterval"] == 30.0


def test_the_first_object_keeps_its_pixels(whole: Path) -> None:
    frames = pd.read_csv(whole / "cells_frames.csv")
    first = frames[frames["label"] == 1]
    assert (first["area_px"] == first["labelled_px"]).all()


def test_current_is_the_plane_that_napari_shows_first(stack_file: Path) -> None:
    from napari.components import ViewerModel
    from napari_builtins.io._read import magic_imread

    from napari_sa2va.cli.images import ImageOptions
    from napari_sa2va.cli.stacks import open_tracked

    viewer = ViewerModel()
    viewer.add_image(magic_imread(stack_file), rgb=True)
    stack = open_tracked(stack_file, None, ImageOptions())
    assert isinstance(stack, Stack)
    assert stack.shown_first == viewer.dims.current_step[0] == (FRAMES - 1) // 2


def test_another_job_in_the_same_place_is_refused(track: Any, tmp_path: Path) -> None:
    job = ("--text", "the green cell", "--range", "5-6")
    assert track(*job, "--keys", "first").code == 0
    before = labels_of(tmp_path / "out")
    for other, what in [
        (("--text", "the yellow cells", "--range", "5-6", "--keys", "first"), "texts"),
        ((*job, "--keys", "5"), "keys"),
        ((*job, "--keys", "first", "--direction", "forward"), "direction"),
        ((*job, "--keys", "6", "--contrast", "0,200"), "contrast and keys"),
    ]:
        refused = track(*other)
        assert refused.code == 3
        assert f"differs in {what}" in refused.err
        assert "--restart" in refused.err
    np.testing.assert_array_equal(labels_of(tmp_path / "out"), before)
    restarted = track(*job, "--keys", "6", "--restart", "--json")
    assert restarted.code == 0
    assert restarted.json["keys"] == [6]


def test_zarr_files_backward_and_a_channel(
    track: Any, movie: np.ndarray[Any, Any], tmp_path: Path
) -> None:
    path = tmp_path / "gray.zarr"
    stack = np.zeros((5, 2, 128, 128), np.uint16)
    stack[:, 1] = movie[:5, ..., 1].astype(np.uint16) * 10
    array = zarr.create_array(
        store=path,
        shape=stack.shape,
        dtype=stack.dtype,
        chunks=(1, 1, 128, 128),
        dimension_names=("z", "c", "y", "x"),
    )
    array[:] = stack
    common = ("--axis", "z", "--text", "all cells", "--keys", "3", "--direction", "backward")
    done = track(*common, "--channel", "1", "--format", "zarr", "--json", stack=path)
    assert done.code in (0, 1), done.err
    assert done.json["axis"] == "z"
    assert done.json["planes_done"] == (4 if done.json["objects"] else 0)
    written = zarr.open_array(tmp_path / "out" / "gray_labels.zarr", mode="r")
    assert written.metadata.dimension_names == ("z", "y", "x")
    assert written.shape == (5, 128, 128)
    assert not written[4].any()
    assert not (tmp_path / "out" / "gray_labels.tif").exists()
    arguments = (*common, "--channel", "1", "--format", "zarr")
    assert track(*arguments, stack=path).code == done.code  # takes the place of its own


def test_labels_of_others_stay(track: Any, movie: np.ndarray[Any, Any], tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    tifffile.imwrite(out / "cells_labels.tif", np.ones((12, 128, 128), np.uint16))
    zarr.save_array(out / "cells_labels.zarr", np.ones((12, 128, 128), np.uint8), zarr_format=3)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    for kind in ("tiff", "zarr"):
        done = track("--text", "the green cell", "--format", kind)
        assert (done.code, "was not written by `napari-sa2va track`" in done.err) == (3, True)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_nothing_found(track: Any, tmp_path: Path) -> None:
    done = track("--text", "all blue cells", "--json")
    assert done.code == 1
    assert done.json["status"] == "not found"
    assert not labels_of(tmp_path / "out").any()
    (row,) = pd.read_csv(tmp_path / "out" / "cells_objects.csv").to_dict("records")
    assert (row["label"], row["frames"]) == (0, 0)


@pytest.fixture
def bad_stacks(tmp_path: Path) -> Iterator[dict[str, Path]]:
    tifffile.imwrite(tmp_path / "plane.tif", np.zeros((40, 40), np.uint8))
    np.save(tmp_path / "empty.npy", np.zeros((5, 0, 40), np.uint8))
    yield {
        "plane": tmp_path / "plane.tif",
        "empty": tmp_path / "empty.npy",
        "missing": tmp_path / "missing.tif",
    }


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("plane", (), "one plane only"),
        ("empty", (), "no two-dimensional plane"),
        ("missing", (), "There is no file"),
        ("cells", ("--axis", "z"), "no axis z"),
        ("cells", ("--range", "3-12"), "planes 0 to 11"),
        ("cells", ("--keys", "3,17"), "no plane 17"),
        ("cells", ("--keys", "3", "--range", "4-6"), "no plane 3"),
        ("cells", ("--index", "1"), "no other axis"),
        ("cells", ("--channel", "1"), "no channel axis"),
    ],
)
def test_bad_input_is_a_sentence(
    track: Any,
    stack_file: Path,
    bad_stacks: dict[str, Path],
    name: str,
    arguments: tuple[str, ...],
    words: str,
) -> None:
    done = track("--text", "x", *arguments, stack={**bad_stacks, "cells": stack_file}[name])
    assert done.code == 3
    assert words in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--keys", "last"), "current, first"),
        (("--range", "9-3"), "first and its last"),
        (("--reseed",), "--check-every"),
        (("--method", "best"), "best"),
        (("--text", " "), "Type what to segment"),
    ],
)
def test_a_wrong_command_line(track: Any, arguments: tuple[str, ...], words: str) -> None:
    done = track(*(() if "--text" in arguments else ("--text", "x")), *arguments)
    assert done.code == 2
    assert words in done.err


def test_files_are_not_written_among_the_planes(
    call: Any, movie: np.ndarray[Any, Any], tmp_path: Path
) -> None:
    folder = tmp_path / "planes"
    folder.mkdir()
    for number, plane in enumerate(movie[:3]):
        tifffile.imwrite(folder / f"{number}.tif", plane[..., 0])
    done = call("track", folder, "--text", "x", "-o", folder / "results")
    assert done.code == 3
    assert "among the planes" in done.err
    assert not (folder / "results").exists()
