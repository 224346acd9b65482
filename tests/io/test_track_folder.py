from __future__ import annotations

import errno
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sa2va.annotation.packed import PackedMask
from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.track_folder import FolderRefused, TrackFolder
from napari_sa2va.io.track_records import (
    FrameRecord,
    Sighting,
    centre,
    paint_labels,
    read_records,
    to_line,
)

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = (6, 8)


def record(frame: int, score: float = 0.9) -> FrameRecord:
    one = Sighting(4, 3, 1.5, 2.5, 0.8, score, 1.0, ("iou", "area"))
    return FrameRecord(frame, frame == 2, (one, Sighting(0, 0, *[math.nan] * 4, 0.1)))


def plane(value: int) -> np.ndarray[Any, Any]:
    return np.full(SHAPE, value, np.uint8)


def write_state(path: Path) -> None:
    path.write_bytes(b"state")


@pytest.fixture
def folder(tmp_path: Path) -> TrackFolder:
    """A run of which frames 2 to 4 are finished by its state, and 5 came later."""
    folder = TrackFolder(tmp_path / "run")
    folder.write_job({"job": "this"})
    folder.begin(9, SHAPE, 2, "z")
    for frame in (2, 3, 4):
        folder.add(plane(frame), record(frame))
    folder.save(write_state)
    folder.add(plane(5), record(5))
    folder.close()
    return folder


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "frames.jsonl"
    exact = 0.1 + 0.2
    path.write_text(to_line(record(7, exact)) + to_line(record(2)), encoding="utf-8")
    first, second = read_records(path)
    assert (first.frame, first.seed, second.seed) == (7, False, True)
    assert first.objects[0] == record(7, exact).objects[0]
    assert math.isnan(first.objects[1].score)


def test_a_line_cut_short_ends_the_records(tmp_path: Path) -> None:
    path = tmp_path / "frames.jsonl"
    whole, cut = to_line(record(1)), to_line(record(2))
    for length in range(len(cut) - 1):
        path.write_text(whole + cut[:length], encoding="utf-8")
        assert [one.frame for one in read_records(path)] == [1]


def test_the_first_object_wins_where_two_overlap() -> None:
    masks = np.zeros((2, *SHAPE), bool)
    masks[0, 1:3, 1:5] = True
    masks[1, 2:5, 3:8] = True
    packed = [PackedMask.pack(mask) for mask in masks]
    painted = paint_labels(packed, SHAPE, np.dtype(np.uint8))
    np.testing.assert_array_equal(painted == 1, masks[0])
    np.testing.assert_array_equal(painted == 2, masks[1] & ~masks[0])
    assert centre(packed[1]) == (3.0, 5.0)
    assert all(map(math.isnan, centre(PackedMask.pack(np.zeros(SHAPE, bool)))))


def test_going_on_drops_what_the_state_does_not_count(folder: TrackFolder) -> None:
    again = TrackFolder(folder.path)
    assert again.read_job() == {"job": "this"}
    assert [one.frame for one in again.records()] == [2, 3, 4, 5]
    again.go_on(range(2, 5))
    again.add(plane(1), record(1))
    again.close()
    assert [one.frame for one in again.records()] == [1, 2, 3, 4]
    planes = list(again.planes(again.records()))
    assert [int(one.max()) for one in planes] == [0, 1, 2, 3, 4, 0, 0, 0, 0]


def test_going_on_notices_that_planes_are_missing(folder: TrackFolder) -> None:
    with pytest.raises(InvalidInput, match="--restart"):
        TrackFolder(folder.path).go_on(range(1, 5))


def test_damaged_labels_are_told(folder: TrackFolder) -> None:
    (folder.path / "labels.zarr" / "zarr.json").write_text("{", encoding="utf-8")
    with pytest.raises(InvalidInput, match="damaged"):
        TrackFolder(folder.path).go_on(range(2, 5))


def test_planes_are_on_the_disk_before_the_state_counts_them(
    folder: TrackFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(
        "napari_sa2va.annotation.session.arrays._fsync",
        lambda path: done.append(path.relative_to(folder.path).as_posix()),
    )
    folder.go_on(range(2, 5))
    folder.add(plane(5), record(5))
    folder.add(plane(1), record(1))
    folder.save(lambda _: done.append("state"))
    folder.close()
    assert {"labels.zarr/c/1/0/0", "labels.zarr/c/5/0/0", "labels.zarr/c"} <= set(done)
    assert done[-1] == "state"


def test_a_plane_that_cannot_be_read_is_told(folder: TrackFolder) -> None:
    (folder.path / "labels.zarr" / "c" / "3" / "0" / "0").write_bytes(b"")
    with pytest.raises(FolderRefused, match=r"could not be read.*--restart"):
        list(folder.planes(folder.records()))


def test_a_disk_that_is_full_keeps_what_was_saved(
    folder: TrackFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.go_on(range(2, 5))
    labels = folder._labels

    class Full:
        dtype = labels.dtype

        def __setitem__(self, *_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(folder, "_labels", Full())
    with pytest.raises(FolderRefused, match=r"No space left on device.*the same command again"):
        folder.add(plane(5), record(5))
    folder.close()
    again = TrackFolder(folder.path)
    again.go_on(range(2, 5))
    again.close()


def test_a_state_that_cannot_be_written_is_told(folder: TrackFolder) -> None:
    def refuse(_path: Path) -> None:
        raise InvalidInput("there is no space")

    folder.go_on(range(2, 5))
    with pytest.raises(FolderRefused, match="no space"):
        folder.save(refuse)
    folder.close()
    assert folder.state_path.read_bytes() == b"state"


def test_clearing_deletes_the_run_and_nothing_else(folder: TrackFolder) -> None:
    (folder.path / "mine.txt").write_text("")
    folder.clear()
    assert [path.name for path in folder.path.iterdir()] == ["mine.txt"]
    with pytest.raises(InvalidInput, match="not a folder in which a run is kept"):
        folder.clear()
    (folder.path / "mine.txt").unlink()
    assert folder.read_job() is None


def test_one_process_at_a_time(folder: TrackFolder, tmp_path: Path) -> None:
    with folder.held():
        with pytest.raises(InvalidInput, match="Another napari-sa2va is at work"):
            with TrackFolder(folder.path).held():
                pass
        folder.clear()
        assert folder.read_job() is None
    with TrackFolder(folder.path).held():
        pass
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("")
    with pytest.raises(InvalidInput, match="not a folder in which a run is kept"):
        with TrackFolder(tmp_path / "thesis").held():
            pass
    assert len(list((tmp_path / "thesis").iterdir())) == 1


def test_a_run_that_was_killed_while_it_wrote_leaves_nothing(tmp_path: Path) -> None:
    folder = TrackFolder(tmp_path / "run")
    folder.path.mkdir()
    for name in (".job-0123456789ab.json", ".state-0123456789ab.safetensors", ".DS_Store"):
        (folder.path / name).write_text("{")
    with folder.held():
        assert folder.read_job() is None
    assert {path.name for path in folder.path.iterdir()} == {".lock", ".DS_Store"}


def test_more_than_255_objects_fit(tmp_path: Path) -> None:
    folder = TrackFolder(tmp_path / "run")
    folder.write_job({})
    folder.begin(2, SHAPE, 256, "t")
    assert folder.dtype == np.uint16
    folder.close()
