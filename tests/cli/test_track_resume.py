"""Runs of ``napari-sa2va track`` that stop half-way equal whole ones when they have gone on."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_sa2va.engine import Runner, tracking
from napari_sa2va.io import track_folder
from napari_sa2va.io.track_folder import TrackFolder

if TYPE_CHECKING:
    from pathlib import Path

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


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
# Before and after the first state was saved.
@pytest.mark.parametrize("killed_at", [2, pytest.param(8, marks=pytest.mark.slow)])
def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    track: Any,
    texts: tuple[str, ...],
    whole: Path,
    stack_file: Path,
    tmp_path: Path,
    killed_at: int,
) -> None:
    out = tmp_path / "out"
    command = ("track", stack_file, *texts, "--device", "cpu", "-o", out)
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
    again = track(*texts)
    assert again.code == 0, again.err
    assert ("6 planes are done, 6 are left" in again.err) is (killed_at == 8)
    assert_same(out, whole)


def test_a_larger_range_tracks_only_what_is_new(
    track: Any, texts: tuple[str, ...], whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = track(*texts, "--range", "4-6")
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
    assert track(*texts).code == 0
    assert looked == [7, 8, 9, 10, 11, 3, 2, 1, 0]
    assert_same(tmp_path / "out", whole)

    # What is done is not done again, not even by the model; a part of it can be had.
    monkeypatch.setattr(Runner, "run", lambda *_: 1 / 0)
    again = track(*texts, "--range", "4-6")
    assert again.code == 0
    assert "All planes were tracked before" in again.err
    np.testing.assert_array_equal(labels_of(tmp_path / "out"), labels)
    away = track(*texts, "--range", "7-9")
    assert away.code == 3
    assert "looked at 5" in away.err


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no signal to one process")
def test_ctrl_c_keeps_and_writes_what_is_finished(
    track: Any, texts: tuple[str, ...], whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = TrackFolder.add

    def pressing(self: TrackFolder, plane: Any, record: Any) -> None:
        kept(self, plane, record)
        if record.frame == 8:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(TrackFolder, "add", pressing)
    done = track(*texts, "--json")
    assert done.code == 130
    assert done.json["status"] == "cancelled"
    assert done.json["planes_done"] == 4
    assert "4 planes" in done.json["message"]
    labels = labels_of(tmp_path / "out")
    np.testing.assert_array_equal(labels[5:9], labels_of(whole)[5:9])
    assert not labels[9:].any()
    assert track(*texts).code == 0
    assert_same(tmp_path / "out", whole)


def test_a_plane_that_cannot_be_read_ends_the_run_and_keeps_the_rest(
    track: Any, texts: tuple[str, ...], whole: Path, movie: np.ndarray[Any, Any], tmp_path: Path
) -> None:
    path = tmp_path / "cells.tif"
    tifffile.imwrite(path, movie, photometric="rgb", compression="zlib", metadata={"axes": "TYXS"})
    with tifffile.TiffFile(path) as tif:
        at, count = tif.pages[8].dataoffsets[0], tif.pages[8].databytecounts[0]
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\0" * count)
    done = track(*texts, "--json", stack=path)
    assert done.code == 3
    assert "Plane 8 could not be read" in done.json["message"]
    assert done.json["planes_done"] == 3
    np.testing.assert_array_equal(labels_of(tmp_path / "out")[5:8], labels_of(whole)[5:8])
    # As it advises: a range without that plane.
    without = track(*texts, "--range", "0-7", stack=path)
    assert without.code == 0, without.err
    np.testing.assert_array_equal(labels_of(tmp_path / "out")[:8], labels_of(whole)[:8])


def test_a_full_disk_loses_nothing_finished(
    track: Any, texts: tuple[str, ...], whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = track_folder.to_line

    def to_line(record: Any) -> str:
        if record.frame == 9:
            raise OSError(errno.ENOSPC, "No space left on device")
        return long(record)

    with monkeypatch.context() as full:
        full.setattr(tracking, "_SAVE_FRAMES", 3)
        full.setattr(track_folder, "to_line", to_line)
        done = track(*texts)
    assert done.code == 3
    assert "No space left on device" in done.err
    assert "the same command again" in done.err
    assert done.err.count("\n") == 1
    again = track(*texts)
    assert "3 planes are done, 9 are left" in again.err
    assert again.code == 0
    assert_same(tmp_path / "out", whole)
