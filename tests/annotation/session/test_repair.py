"""A folder that was damaged, or refuses a file, is right again as soon as it can be."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr

from napari_sa2va.annotation.session import (
    CannotRecord,
    SessionDamaged,
    load,
    open_session,
)

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sa2va.annotation.session import About

FOLDER = "napari_sa2va.annotation.session.folder"
EVERYWHERE = (slice(0, 4), slice(0, 60), slice(0, 50))


def damage(session: Path, what: str) -> None:
    """Do as a power failure does: a file is there, and empty."""
    (array,) = session.glob("labels*.zarr")
    if what == "all":
        shutil.rmtree(array)
    elif what == "chunk":
        next(file for file in (array / "c").rglob("*") if file.is_file()).write_bytes(b"")
    else:
        (array / what).write_bytes(b"")


def test_what_is_put_on_the_disk_may_be_written_to(
    live: Any, checked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []

    def commit(descriptor: int) -> None:
        """Do as Windows does, which refuses files that were opened for reading alone."""
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.write(descriptor, b"")
            synced.append(descriptor)

    live.work()
    monkeypatch.setattr(os, "fsync", commit)
    live.session.fold()
    assert len(synced) > 4, "chunks of three planes, zarr.json and session.json"
    checked(live, load(live.session.path))


@pytest.mark.parametrize("what", ["all", "zarr.json", "chunk"])
def test_a_damaged_array_is_made_anew_when_work_goes_on(
    live: Any, checked: Any, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{FOLDER}.LONG_LOG", 1000)
    path = live.session.path
    live.work()
    live.session.fold()
    assert (path / "history.jsonl").exists(), "what it is made of lies in both"
    for label in (8, 9):
        live.note(3, note="since")
        damage(path, what)
        live.paint(label, *EVERYWHERE)
        live.session.fold()
        checked(live, load(path))
        assert len(list(path.glob("labels*.zarr"))) == 1
        live.replace_array(np.full((4, 60, 50), label, np.uint8))
        live.session.fold()


def test_a_damaged_array_whose_history_is_gone_is_told(
    live: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{FOLDER}.LONG_LOG", 100)
    live.work()
    live.session.fold()
    (live.session.path / "history.jsonl").unlink()
    damage(live.session.path, "zarr.json")
    live.paint(9, *EVERYWHERE)
    with pytest.raises(CannotRecord, match="save the layer to a file of its own"):
        live.session.fold()


def test_labels_are_not_made_anew_of_a_log_that_lacks_an_action(
    live: Any, checked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{FOLDER}.LONG_LOG", 1000)
    path = live.session.path
    live.work()
    live.session.fold()
    (array,) = path.glob("labels*.zarr")
    lines = (path / "history.jsonl").read_bytes().splitlines(keepends=True)
    lines[3] = b"#" + lines[3][1:]
    (path / "history.jsonl").write_bytes(b"".join(lines))
    damage(path, "chunk")
    live.paint(9, *EVERYWHERE)
    with pytest.raises(CannotRecord, match="lines of its log are gone"):
        live.session.fold()
    assert list(path.glob("labels*.zarr")) == [array], "most of it is good"
    live.replace_array(np.full((4, 60, 50), 3, np.uint8))
    live.session.fold()
    checked(live, load(path))


def test_labels_that_memory_has_no_room_for_are_not_taken_for_damaged(
    live: Any, checked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise MemoryError

    live.work()
    live.session.fold()
    (array,) = live.session.path.glob("labels*.zarr")
    live.paint(9, *EVERYWHERE)
    with monkeypatch.context() as patched:
        patched.setattr(zarr.Array, "__getitem__", refuse)
        with pytest.raises(CannotRecord, match="MemoryError"):
            live.session.fold()
    live.session.fold()
    assert list(live.session.path.glob("labels*.zarr")) == [array]
    checked(live, load(live.session.path))


def test_a_name_that_the_disk_refused_is_written_the_next_time(
    live: Any, about: About, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    live.work()
    live.session.fold()
    named = replace(about, labels=replace(about.labels, name="nuclei"))
    with monkeypatch.context() as patched:
        patched.setattr(f"{FOLDER}.write_head", refuse)
        with pytest.raises(CannotRecord, match="No space left"):
            live.session.fold(named)
    live.session.fold(named)
    assert load(live.session.path).about.labels.name == "nuclei"


def test_a_table_that_is_open_elsewhere_stops_nothing_and_follows(live: Any) -> None:
    path = live.session.path
    live.work()
    (path / "objects.csv").mkdir()  # refuses to be replaced, as a file does that Excel has open
    with pytest.raises(CannotRecord, match=r"objects\.csv could not be written"):
        live.session.fold()
    assert live.session.folded == live.session.n
    np.testing.assert_array_equal(load(path).labels(), live.array)
    (path / "objects.csv").rmdir()
    live.session.fold()
    assert "cell 3" in (path / "objects.csv").read_text(encoding="utf-8-sig")

    live.paint(7, slice(0, 1), slice(0, 3), slice(0, 3))
    (path / "objects.csv").unlink()
    (path / "objects.csv").mkdir()
    with pytest.raises(CannotRecord, match=r"objects\.csv could not be written"):
        live.session.close()
    (path / "objects.csv").rmdir()
    live.session = open_session(path)
    live.session.fold()
    assert "cell 7" in (path / "objects.csv").read_text(encoding="utf-8-sig")


@pytest.mark.parametrize("what", ["all", "chunk"])
def test_damaged_labels_are_not_copied_but_rebuilt(live: Any, tmp_path: Path, what: str) -> None:
    live.work()
    live.session.fold()
    damage(live.session.path, what)
    with pytest.raises(SessionDamaged, match="rebuilt from the log") as caught:
        load(live.session.path).copy_labels(tmp_path / "copy.zarr")
    assert not (tmp_path / "copy.zarr").exists()
    assert caught.value.saved is not None
    copy = caught.value.saved.copy_labels(tmp_path / "copy.zarr")
    np.testing.assert_array_equal(copy[...], live.array)
