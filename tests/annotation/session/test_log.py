"""Lines that are whole or not there, and disks that refuse."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_sa2va.annotation import ObjectRecord, Turn
from napari_sa2va.annotation.session import pixels
from napari_sa2va.annotation.session.log import (
    LogEntry,
    LogWriter,
    from_line,
    read_lines,
    to_line,
)
from napari_sa2va.annotation.session.pixels import joined, pack_boxes, pack_patch, unpack_patch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_sa2va.annotation.actions import Where


def entry(n: int, text: str = "Paint 1") -> LogEntry:
    return LogEntry(n, "2026-11-23T05:00:00+01:00", "paint", text)


def test_an_entry_comes_back_with_all_it_says() -> None:
    values = np.arange(12, dtype=np.int32).reshape(1, 3, 4)
    box = pack_patch((slice(2, 3), slice(5, 8), slice(0, 4)), values)
    record = ObjectRecord(
        7, "“ä” 分裂", "", float("nan"), 0.25, 3.0, "pixel", "demo", "now", flagged=(1, 2)
    )
    before = LogEntry(
        n=3,
        time="2026-11-23T05:00:00+01:00",
        kind="run",
        text="Segment “ä”",
        labels=(7, 8),
        boxes=(box,),
        rows={7: record, 8: None},
        turns_from=4,
        turns=(Turn("demo", "Sure, ■ 7.", (7,)),),
        detail={"score": np.float32(0.5), "keys": (1, 2), "unknown": float("nan")},
    )
    after = from_line(to_line(before))
    assert after is not None
    assert repr(after.rows) == repr(before.rows), "nan is not equal to itself"
    for name in ("n", "time", "kind", "text", "labels", "turns_from", "turns"):
        assert getattr(after, name) == getattr(before, name)
    assert after.detail == {"score": 0.5, "keys": [1, 2], "unknown": None}
    (patch,) = after.patches()
    assert patch.where == (slice(2, 3), slice(5, 8), slice(0, 4))
    assert patch.values.dtype == np.int32
    np.testing.assert_array_equal(patch.values, values)


def test_a_line_with_one_wrong_byte_is_no_entry() -> None:
    line = to_line(entry(1))
    assert from_line(line) is not None
    for at in range(len(line) - 1):
        broken = line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]
        assert from_line(broken) is None, at


def test_a_line_that_was_cut_off_is_left_out_and_written_over(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    writer = LogWriter(path, 0)
    writer.append(entry(1))
    writer.append(entry(2))
    writer.close()
    with path.open("ab") as file:
        file.write(to_line(entry(3))[:30])
    lines = list(read_lines(path))
    assert [line.entry and line.entry.n for line in lines] == [1, 2, None]
    assert lines[-1].last
    writer = LogWriter(path, lines[1].end)
    writer.append(entry(3, "again"))
    writer.close()
    assert [line.entry and line.entry.text for line in read_lines(path)][-1] == "again"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/dev/full is Linux's")
def test_a_full_disk_is_told_and_the_log_goes_on_when_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.symlink_to("/dev/full")
    writer = LogWriter(path, 0)
    for _ in range(2):
        with pytest.raises(OSError, match="No space left"):
            writer.append(entry(1))
    path.unlink()
    writer.append(entry(1, "now"))
    writer.close()
    assert [line.entry and line.entry.text for line in read_lines(path)] == ["now"]


def test_a_log_that_became_shorter_is_not_written_on(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    writer = LogWriter(path, 0)
    writer.append(entry(1))
    writer.close()
    path.write_bytes(b"")
    with pytest.raises(OSError, match="shorter"):
        writer.append(entry(2))


def test_boxes_that_overlap_are_written_once() -> None:
    stroke = [(slice(0, 1), slice(at, at + 5), slice(at, at + 5)) for at in range(0, 20, 3)]
    far = (slice(2, 3), slice(0, 4), slice(0, 4))
    nothing = (slice(1, 1), slice(0, 4), slice(0, 4))
    boxes = joined([*stroke[::2], far, nothing, *stroke[1::2]])
    assert sorted(boxes, key=str) == sorted(
        [(slice(0, 1), slice(0, 23), slice(0, 23)), far], key=str
    )


def test_a_track_of_thousands_of_planes_takes_a_look_at_each_box(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared = 0
    join = pixels._joined_alike

    def counting(boxes: Sequence[Where]) -> list[Where]:
        nonlocal compared
        compared += len(boxes) ** 2
        return join(boxes)

    monkeypatch.setattr(pixels, "_joined_alike", counting)
    track = [(slice(at, at + 1), slice(3, 9), slice(at, at + 7)) for at in range(5000)]
    assert joined([*track, track[7]]) == track
    assert compared < 5010, "each box with all others would be 25 million"


def test_thousands_of_objects_of_one_plane_are_joined_in_a_moment() -> None:
    apart = [(slice(10 * at, 10 * at + 9), slice(5, 9)) for at in range(3000)]
    before = time.perf_counter()
    assert joined(apart) == apart
    assert time.perf_counter() - before < 5, "0.1 s; one by one takes 20"


def test_boxes_that_a_later_one_links_become_one() -> None:
    row = [(slice(at, at + 4), slice(0, 4)) for at in range(0, 50, 5)]
    assert joined([*row, (slice(2, 48), slice(3, 4))]) == [(slice(0, 49), slice(0, 4))]
    grown = [(slice(0, 2), slice(0, 6)), (slice(4, 6), slice(4, 6)), (slice(1, 5), slice(0, 2))]
    assert joined(grown) == [(slice(0, 6), slice(0, 6))], "the second is met once both are one"


def test_large_boxes_are_cut_into_planes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_sa2va.annotation.session.pixels.MOST_AT_ONCE", 4 * 20)
    data = np.arange(2 * 3 * 4 * 5, dtype=np.int32).reshape(2, 3, 4, 5)
    again = np.zeros_like(data)
    parts = list(pack_boxes(data, [tuple(slice(0, n) for n in data.shape)]))
    assert len(parts) == 6
    for part in parts:
        patch = unpack_patch(part)
        again[patch.where] = patch.values
    np.testing.assert_array_equal(again, data)
