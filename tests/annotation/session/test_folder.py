"""Whatever is done, and whenever it ends, the session is as it was after the last action."""

from __future__ import annotations

import copy
import errno
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sa2va.annotation.session import (
    CannotRecord,
    SessionDamaged,
    SessionInUse,
    create_session,
    is_session,
    load,
    open_session,
    read_entries,
)
from napari_sa2va.annotation.session.arrays import ZarrLabels, create_array, open_array
from napari_sa2va.annotation.session.history import append_to_history
from napari_sa2va.annotation.session.pixels import Patch

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sa2va.annotation.session import About


def test_a_session_comes_back_from_the_log_alone_and_folded(live: Any, checked: Any) -> None:
    live.work()
    assert not (live.session.path / "labels.zarr").exists()
    checked(live, load(live.session.path))
    live.session.fold()
    assert (live.session.path / "labels.zarr").exists()
    checked(live, load(live.session.path))
    live.paint(9, slice(0, 4), slice(0, 60), slice(20, 30))
    live.note(9, note="half folded")
    checked(live, load(live.session.path))
    table = (live.session.path / "objects.csv").read_text(encoding="utf-8-sig")
    assert "分裂" in table and "cell 3" in table


def test_it_can_be_cut_off_at_every_byte(live: Any, tmp_path: Path) -> None:
    states: dict[int, Any] = {}

    def note_state() -> None:
        log = live.session.path / "log.jsonl"
        states[log.stat().st_size] = copy.deepcopy((live.array, live.records, live.turns))

    note_state()
    append = live.session.append
    live.session.append = lambda *a, **k: (append(*a, **k), note_state())
    live.work()
    live.session.append = append
    whole = (live.session.path / "log.jsonl").read_bytes()
    cut = tmp_path / "cut.sa2va"
    shutil.copytree(live.session.path, cut)
    at, sizes = 0, sorted(states)
    for size in range(sizes[0], len(whole) + 1, 7):
        (cut / "log.jsonl").write_bytes(whole[:size])
        while at + 1 < len(sizes) and sizes[at + 1] <= size:
            at += 1
        array, records, turns = states[sizes[at]]
        state = load(cut)
        np.testing.assert_array_equal(state.labels(), array)
        assert {one.label: repr(one) for one in state.records} == {
            label: repr(one) for label, one in records.items()
        }
        assert list(state.turns) == turns


def test_an_array_ahead_of_its_head_does_no_harm(live: Any, checked: Any) -> None:
    live.work()
    live.session.fold()
    head = (live.session.path / "session.json").read_bytes()
    live.paint(5, slice(0, 2), slice(0, 33), slice(0, 50))
    live.delete(3)
    live.session.fold()
    (live.session.path / "session.json").write_bytes(head)  # killed just before it was written
    checked(live, load(live.session.path))


def test_a_session_goes_on_after_a_crash(live: Any, checked: Any) -> None:
    live.work()
    path = live.session.path
    with (path / "log.jsonl").open("ab") as file:
        file.write(b'{"crc":"00')
    live.kill()
    assert load(path).ended_badly
    live.session = open_session(path)
    live.paint(8, slice(3, 4), slice(0, 10), slice(0, 10))
    checked(live, load(path))
    live.session.close()
    assert not load(path).ended_badly
    live.session = open_session(path)
    checked(live, load(path))


def test_long_logs_move_to_the_history_and_nothing_is_lost(
    live: Any, checked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_sa2va.annotation.session.folder.LONG_LOG", 2000)
    for _ in range(3):
        live.work()
        live.session.fold()
    live.note(3, note="the last")
    path = live.session.path
    assert (path / "log.jsonl").stat().st_size < 2000
    checked(live, load(path))
    numbers = [entry.n for entry in read_entries(path)]
    assert numbers == list(range(1, live.session.n + 1))
    live.session.close()
    live.session = open_session(path)
    assert live.session.n == numbers[-1]
    live.note(3, note="after that")
    checked(live, load(path))


def test_a_move_to_the_history_that_was_killed_repeats_nothing(live: Any, checked: Any) -> None:
    live.work()
    path = live.session.path
    shutil.copy(path / "log.jsonl", path / "history.jsonl")
    assert [entry.n for entry in read_entries(path)] == list(range(1, live.session.n + 1))
    checked(live, load(path))


def test_an_array_that_was_replaced_comes_back_as_the_new_one(live: Any, checked: Any) -> None:
    live.work()
    live.session.fold()
    rng = np.random.default_rng(1)
    live.replace_array(rng.integers(0, 4, (3, 20, 30)).astype(np.uint8))
    checked(live, load(live.session.path))
    live.session.fold()
    assert not (live.session.path / "labels.zarr").exists()
    checked(live, load(live.session.path))
    live.array[1, 5:9, 5:9] = 200
    live.paint(200, slice(1, 2), slice(5, 9), slice(5, 9))
    checked(live, load(live.session.path))


@pytest.mark.parametrize("missing", ["session.json", "labels.zarr/zarr.json", "chunk"])
def test_what_is_damaged_is_rebuilt_from_the_log(live: Any, checked: Any, missing: str) -> None:
    live.work()
    live.session.fold()
    live.note(3, note="after folding")
    path = live.session.path
    if missing == "chunk":
        chunk = next(file for file in (path / "labels.zarr" / "c").rglob("*") if file.is_file())
        chunk.write_bytes(b"")
    else:
        (path / missing).write_bytes(b"{")
    with pytest.raises(SessionDamaged) as caught:
        load(path).labels()
    assert caught.value.saved is not None
    checked(live, caught.value.saved)


def test_a_damaged_line_costs_that_action_alone(live: Any) -> None:
    live.work()
    path = live.session.path
    lines = (path / "log.jsonl").read_bytes().splitlines(keepends=True)
    lines[4] = lines[4].replace(b"zwei", b"drei")
    (path / "log.jsonl").write_bytes(b"".join(lines))
    with pytest.raises(SessionDamaged, match=r"One action .* cannot be read") as caught:
        load(path)
    state = caught.value.saved
    assert state is not None
    np.testing.assert_array_equal(state.labels(), live.array)
    notes = {record.label: record.note for record in state.records}
    assert notes == {2: "", 3: ""}


def test_a_folder_that_holds_no_session_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SessionDamaged, match="no folder") as caught:
        load(tmp_path / "nothing.sa2va")
    assert caught.value.saved is None
    (tmp_path / "empty.sa2va").mkdir()
    assert not is_session(tmp_path / "empty.sa2va")
    with pytest.raises(SessionDamaged, match="cannot be read") as caught:
        load(tmp_path / "empty.sa2va")
    assert caught.value.saved is None


def test_a_later_format_is_refused_with_advice(live: Any) -> None:
    path = live.session.path / "session.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"version": 1', '"version": 2'))
    with pytest.raises(SessionDamaged, match="Update the plugin"):
        load(live.session.path)


def test_two_writers_are_one_too_many(live: Any) -> None:
    with pytest.raises(SessionInUse, match=r"cells\.sa2va is open in this napari already: it"):
        open_session(live.session.path)
    code = (
        "from pathlib import Path; from napari_sa2va.annotation.session import open_session; "
        f"open_session(Path({str(live.session.path)!r}))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "SessionInUse: cells.sa2va is open in another napari (process" in other.stderr
    live.session.close()
    live.session = open_session(live.session.path)


def test_names_that_are_taken_get_a_number(tmp_path: Path, about: About, live: Any) -> None:
    other = create_session(tmp_path, "cells", about)
    assert (live.session.path.name, other.path.name) == ("cells.sa2va", "cells-2.sa2va")
    other.close()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, about: About) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(CannotRecord, match="go on working"):
        create_session(tmp_path / "file", "cells", about)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_session_whose_first_line_is_refused_leaves_nothing(
    tmp_path: Path, about: About, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("napari_sa2va.annotation.session.folder.LogWriter.append", refuse)
    for _ in range(3):
        with pytest.raises(CannotRecord, match="No space left"):
            create_session(tmp_path, "cells", about)
    assert list(tmp_path.iterdir()) == []


def test_a_history_that_a_kill_tore_loses_no_action(
    live: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    live.work()
    path = live.session.path
    monkeypatch.setattr("napari_sa2va.annotation.session.folder.LONG_LOG", 100)
    live.session.fold()
    live.work()
    first = (path / "log.jsonl").read_bytes().splitlines(keepends=True)[0]
    with (path / "history.jsonl").open("ab") as file:
        file.write(first[:-20])  # the first of the next lines to move
    live.session.fold()
    assert [entry.n for entry in read_entries(path)] == list(range(1, live.session.n + 1))


@pytest.mark.parametrize(("torn", "whole"), [(b"", b""), (b"abc", b""), (b"a\nb\ncd", b"a\nb\n")])
def test_a_file_is_cut_to_its_whole_lines(tmp_path: Path, torn: bytes, whole: bytes) -> None:
    path = tmp_path / "history.jsonl"
    path.write_bytes(torn)
    (tmp_path / "log.jsonl").write_bytes(b"e\nf\ng\n")
    append_to_history(tmp_path / "log.jsonl", path, 4)
    assert path.read_bytes() == whole + b"e\nf\n"


def test_patches_across_chunks_fill_an_array_on_disk_as_one_in_memory(
    tmp_path: Path, about: About, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_sa2va.annotation.session.arrays._TILE", 16)
    monkeypatch.setattr("napari_sa2va.annotation.session.arrays._MOST_HELD", 4096)
    create_array(tmp_path / "labels.zarr", about.labels)
    labels = ZarrLabels(tmp_path / "labels.zarr")
    wanted = np.zeros(about.labels.shape, np.int32)
    rng = np.random.default_rng(3)
    for label in range(1, 40):
        corners = [sorted(rng.integers(0, n + 1, 2)) for n in wanted.shape]
        where = tuple(slice(int(a), int(b)) for a, b in corners)
        wanted[where] = label
        labels.write(Patch(where, wanted[where]))
    labels.sync()
    np.testing.assert_array_equal(open_array(tmp_path / "labels.zarr")[...], wanted)


def test_large_labels_are_copied_chunk_by_chunk(live: Any, tmp_path: Path) -> None:
    live.work()
    live.session.fold()
    live.paint(7, slice(0, 4), slice(0, 5), slice(0, 5))
    copy = load(live.session.path).copy_labels(tmp_path / "copy.zarr")
    np.testing.assert_array_equal(copy[...], live.array)
    copy[0, 0, 0] = 99
    assert load(live.session.path).labels()[0, 0, 0] == 7
