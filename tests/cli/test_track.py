"""``napari-sa2va track`` on real files with the demo checkpoint."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr

from napari_sa2va.cli.app import app
from napari_sa2va.cli.stacks import Stack
from napari_sa2va.engine import Runner
from napari_sa2va.io.track_folder import TrackFolder
from napari_sa2va.samples.scenes import make_clip, render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FRAMES = 12
TEXTS = ("--text", "the green cell", "--text", "all blue cells", "--text", "the yellow cells")
FILES = ["cells_frames.csv", "cells_labels.tif", "cells_objects.csv"]

# A run that is killed in the middle of frame number KILL, after the pixels and before the line.
KILLED = """
import os, signal, sys
import napari_sa2va.engine.tracking
from napari_sa2va.io.track_folder import TrackFolder
from napari_sa2va.io import track_folder
from napari_sa2va.cli import main

napari_sa2va.engine.tracking._SAVE_FRAMES = 3
kill, written = int(sys.argv.pop(1)), []

def to_line(record, long=track_folder.to_line):
    written.append(record)
    if len(written) == kill:
        os.kill(os.getpid(), signal.SIGKILL)
    return long(record)

track_folder.to_line = to_line
main()
"""


@pytest.fixture(scope="module")
def movie() -> np.ndarray[Any, Any]:
    """Cells that move, (12, 128, 128, 3)."""
    clip = make_clip(10_000_007, FRAMES, 256)
    return np.stack([render(scene, frame)[::2, ::2] for frame, scene in enumerate(clip)])


@pytest.fixture(scope="module")
def stack_file(movie: np.ndarray[Any, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("movie") / "cells.tif"
    tifffile.imwrite(
        path,
        movie,
        photometric="rgb",
        imagej=True,
        resolution=(2, 2),
        metadata={"axes": "TYXS", "unit": "micron", "finterval": 30.0},
    )
    return path


@pytest.fixture
def track(call: Any, stack_file: Path, tmp_path: Path) -> Callable[..., Any]:
    """``napari-sa2va track`` through the movie, into the folder out."""

    def run(*arguments: object, stack: Path = stack_file) -> Any:
        return call("track", stack, *arguments, "--device", "cpu", "-o", tmp_path / "out")

    return run


@pytest.fixture(scope="module")
def whole(
    stack_file: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Path:
    """The folder of a run that nobody interrupted."""
    from typer.testing import CliRunner

    out = tmp_path_factory.mktemp("whole")
    os.environ["NAPARI_SA2VA_LOG_FOLDER"] = str(out / "logs")
    request.addfinalizer(lambda: os.environ.pop("NAPARI_SA2VA_LOG_FOLDER", None))
    command = ["track", stack_file, *TEXTS, "--device", "cpu", "-o", out, "--format", "tiff"]
    command += ["--format", "csv", "--format", "zarr"]
    done = CliRunner().invoke(app, [str(part) for part in command])
    assert done.exit_code == 0, done.output
    return out


def labels_of(folder: Path) -> Any:
    return tifffile.imread(folder / "cells_labels.tif")


def assert_same(folder: Path, other: Path) -> None:
    """Pixel for pixel and figure for figure; but for when the run began."""
    np.testing.assert_array_equal(labels_of(folder), labels_of(other))
    assert (folder / "cells_frames.csv").read_text() == (other / "cells_frames.csv").read_text()
    one, two = (
        pd.read_csv(f / "cells_objects.csv").drop(columns="created") for f in (folder, other)
    )
    pd.testing.assert_frame_equal(one, two)


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


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("killed_at", [2, 8])  # before and after the first state was saved
def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    track: Any, whole: Path, stack_file: Path, tmp_path: Path, killed_at: int
) -> None:
    out = tmp_path / "out"
    command = ("track", stack_file, *TEXTS, "--device", "cpu", "-o", out)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(killed_at), *map(str, command)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (out / "cells_labels.tif").exists()
    kept = [one.frame for one in TrackFolder(out / "cells_track").records()]
    assert len(kept) in ((0, 1) if killed_at == 2 else (6, 7))
    again = track(*TEXTS)
    assert again.code == 0, again.err
    assert ("6 planes are done, 6 are left" in again.err) is (killed_at == 8)
    assert_same(out, whole)


def test_a_larger_range_tracks_only_what_is_new(
    track: Any, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = track(*TEXTS, "--range", "4-6")
    assert part.code == 0, part.err
    labels = labels_of(tmp_path / "out")
    np.testing.assert_array_equal(labels[4:7], labels_of(whole)[4:7])
    assert not labels[:4].any() and not labels[7:].any()

    looked: list[int] = []
    kept = TrackFolder.add

    def add(self: TrackFolder, plane: Any, record: Any) -> None:
        looked.append(record.frame)
        kept(self, plane, record)

    monkeypatch.setattr(TrackFolder, "add", add)
    assert track(*TEXTS).code == 0
    assert looked == [7, 8, 9, 10, 11, 3, 2, 1, 0]
    assert_same(tmp_path / "out", whole)

    # What is done is not done again, not even by the model; a part of it can be had.
    monkeypatch.setattr(Runner, "run", lambda *_: 1 / 0)
    again = track(*TEXTS, "--range", "4-6")
    assert again.code == 0
    assert "All planes were tracked before" in again.err
    np.testing.assert_array_equal(labels_of(tmp_path / "out"), labels)
    away = track(*TEXTS, "--range", "7-9")
    assert away.code == 3
    assert "looked at 5" in away.err


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no signal to one process")
def test_ctrl_c_keeps_and_writes_what_is_finished(
    track: Any, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = TrackFolder.add

    def pressing(self: TrackFolder, plane: Any, record: Any) -> None:
        kept(self, plane, record)
        if record.frame == 8:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(TrackFolder, "add", pressing)
    done = track(*TEXTS, "--json")
    assert done.code == 130
    assert done.json["status"] == "cancelled"
    assert done.json["planes_done"] == 4
    assert "4 planes" in done.json["message"]
    labels = labels_of(tmp_path / "out")
    np.testing.assert_array_equal(labels[5:9], labels_of(whole)[5:9])
    assert not labels[9:].any()
    assert track(*TEXTS).code == 0
    assert_same(tmp_path / "out", whole)


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


def test_a_plane_that_cannot_be_read_ends_the_run_and_keeps_the_rest(
    track: Any, whole: Path, movie: np.ndarray[Any, Any], tmp_path: Path
) -> None:
    path = tmp_path / "cells.tif"
    tifffile.imwrite(path, movie, photometric="rgb", compression="zlib", metadata={"axes": "TYXS"})
    with tifffile.TiffFile(path) as tif:
        at, count = tif.pages[8].dataoffsets[0], tif.pages[8].databytecounts[0]
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\0" * count)
    done = track(*TEXTS, "--json", stack=path)
    assert done.code == 3
    assert "Plane 8 could not be read" in done.json["message"]
    assert done.json["planes_done"] == 3
    np.testing.assert_array_equal(labels_of(tmp_path / "out")[5:8], labels_of(whole)[5:8])
    # As it advises: a range without that plane.
    without = track(*TEXTS, "--range", "0-7", stack=path)
    assert without.code == 0, without.err
    np.testing.assert_array_equal(labels_of(tmp_path / "out")[:8], labels_of(whole)[:8])


def test_a_full_disk_loses_nothing_finished(
    track: Any, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from napari_sa2va.engine import tracking
    from napari_sa2va.io import track_folder

    long = track_folder.to_line

    def to_line(record: Any) -> str:
        if record.frame == 9:
            raise OSError(errno.ENOSPC, "No space left on device")
        return long(record)

    with monkeypatch.context() as full:
        full.setattr(tracking, "_SAVE_FRAMES", 3)
        full.setattr(track_folder, "to_line", to_line)
        done = track(*TEXTS)
    assert done.code == 3
    assert "No space left on device" in done.err
    assert "the same command again" in done.err
    assert done.err.count("\n") == 1
    again = track(*TEXTS)
    assert "3 planes are done, 9 are left" in again.err
    assert again.code == 0
    assert_same(tmp_path / "out", whole)


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
