"""The log: one line of JSON an action, on the disk before anybody sees that the action is done."""

from __future__ import annotations

import errno
import json
import math
import os
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

from napari_sa2va.annotation.conversation import Chip, Turn
from napari_sa2va.annotation.records import ObjectRecord
from napari_sa2va.annotation.session.pixels import unpack_patch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import FileIO
    from pathlib import Path

    from napari_sa2va.annotation.session.pixels import Patch

# A line begins with the checksum of the rest: {"crc":"0123abcd", …
_CRC: Final = b'{"crc":"'
_REST: Final = len(_CRC) + 10
_DEFAULTS: Final = {one.name: one.default for one in fields(ObjectRecord)}
_PLAIN: Final[dict[str, Any]] = {
    one.name: one.default for one in fields(Turn) if isinstance(one.default, str | bool)
}


@dataclass(frozen=True, slots=True, eq=False)
class LogEntry:
    """One action and what was so after it.

    All values are absolute: entries that come twice, in the same order, do no harm.

    Attributes
    ----------
    n : int
        Counts from 1 without a gap.
    time : str
        ISO 8601, as in `ObjectRecord.created`.
    kind, text : str
        As of `Action`.
    labels : tuple of int
        Whom it was about.
    boxes : tuple of mapping
        Labels of all pixels that may have changed, as `pack_patch` has them.
    rows : mapping of int to ObjectRecord or None
        Rows that changed or came; None for one that went.
    turns_from : int
        Which turn of the conversation `turns` begin at; those that were there from it on go.
    turns : tuple of Turn
    detail : mapping
        As of `Action`.
    """

    n: int
    time: str
    kind: str
    text: str = ""
    labels: tuple[int, ...] = ()
    boxes: tuple[Mapping[str, Any], ...] = ()
    rows: Mapping[int, ObjectRecord | None] = field(default_factory=dict)
    turns_from: int = 0
    turns: tuple[Turn, ...] | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)

    def patches(self) -> Iterator[Patch]:
        """Unpack the boxes one by one."""
        return map(unpack_patch, self.boxes)


def to_line(entry: LogEntry) -> bytes:
    """Write an entry as a line, its end included."""
    said: dict[str, Any] = {"n": entry.n, "time": entry.time, "kind": entry.kind}
    if entry.text:
        said["text"] = entry.text
    if entry.labels:
        said["labels"] = [int(label) for label in entry.labels]
    if entry.rows:
        said["rows"] = {
            str(label): None if record is None else record_detail(record)
            for label, record in entry.rows.items()
        }
    if entry.turns is not None:
        said["turns"] = {"from": entry.turns_from, "new": [turn_detail(t) for t in entry.turns]}
    if entry.detail:
        said["detail"] = entry.detail
    if entry.boxes:  # last: whoever looks at the file sees the rest first
        said["boxes"] = list(entry.boxes)
    rest = json_text(said).encode("utf-8", "replace")[1:]
    return _CRC + b'%08x",' % zlib.crc32(rest) + rest + b"\n"


def from_line(line: bytes) -> LogEntry | None:
    """Read a line; None for one that is not as it was written."""
    line = line.rstrip(b"\n")
    if not line.startswith(_CRC) or line[len(_CRC) : _REST] != b'%08x",' % zlib.crc32(line[_REST:]):
        return None
    try:
        said = json.loads(b"{" + line[_REST:])
        turns = said.get("turns")
        return LogEntry(
            n=int(said["n"]),
            time=str(said["time"]),
            kind=str(said["kind"]),
            text=str(said.get("text", "")),
            labels=tuple(said.get("labels", ())),
            boxes=tuple(said.get("boxes", ())),
            rows={
                int(label): None if row is None else record_from(row)
                for label, row in said.get("rows", {}).items()
            },
            turns_from=0 if turns is None else int(turns["from"]),
            turns=None if turns is None else tuple(turn_from(turn) for turn in turns["new"]),
            detail=said.get("detail", {}),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A line of a log.

    Attributes
    ----------
    entry : LogEntry or None
        None where the line is damaged, or was cut off when the process was killed.
    end : int
        Offset of the first byte after it.
    last : bool
        Whether nothing comes after it.
    """

    entry: LogEntry | None
    end: int
    last: bool


def read_lines(path: Path, start: int = 0, end: int | None = None) -> Iterator[Line]:
    """Go through the lines of a log from one offset to another; a file not there has none.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        size = os.fstat(file.fileno()).st_size if end is None else end
        file.seek(start)
        at = start
        while at < size:
            line = file.readline()
            at += len(line)
            whole = line.endswith(b"\n")
            yield Line(from_line(line) if whole else None, at, at >= size)
            if not whole:
                return


class LogWriter:
    """Adds lines to a log.

    Parameters
    ----------
    path : Path
        Made if need be; what comes after `size` is cut off.
    size : int
        Bytes that are good.

    Raises
    ------
    OSError
        If the file cannot be written.
    """

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size
        self._file: FileIO | None = self._opened()

    def append(self, entry: LogEntry) -> None:
        """Write an entry; it is on the disk when this returns.

        Raises
        ------
        OSError
            If the disk refuses. Half a line may be there, which the next call takes off.
        """
        line = to_line(entry)
        if self._file is None:
            self._file = self._opened()
        try:
            if not os.fstat(self._file.fileno()).st_nlink:
                raise FileNotFoundError(errno.ENOENT, "the log was deleted", str(self.path))
            left = memoryview(line)
            while left:  # a disk that is getting full takes a part first
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
        except OSError:
            self.close()
            raise
        self.size += len(line)

    def close(self) -> None:
        """Close the file; the next entry opens it again."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):  # the drive is gone: `append` has said so
                file.close()

    def _opened(self) -> FileIO:
        # Without a buffer: what the disk refused must not be tried again behind our back.
        file = self.path.open("ab", buffering=0)
        try:
            there = os.fstat(file.fileno()).st_size
            if there < self.size:
                raise OSError(errno.EIO, "the log is shorter than it was", str(self.path))
            if there > self.size:
                file.truncate(self.size)
        except BaseException:
            file.close()
            raise
        return file


# --- parts


def record_detail(record: ObjectRecord) -> dict[str, Any]:
    """Return a record as JSON has it: what is as by default is left out."""
    said: dict[str, Any] = {}
    for name, default in _DEFAULTS.items():
        value = getattr(record, name)
        if value != default:
            said[name] = list(value) if isinstance(value, tuple) else value
    return said


def record_from(said: Mapping[str, Any]) -> ObjectRecord:
    """Return the record that `record_detail` told of; fields of later versions are left out."""
    values = {name: value for name, value in said.items() if name in _DEFAULTS}
    for name in ("score", "iou", "area"):
        if values.get(name) is None:
            values[name] = math.nan
    if "flagged" in values:
        values["flagged"] = tuple(values["flagged"])
    return ObjectRecord(**values)


def turn_detail(turn: Turn) -> dict[str, Any]:
    """Return a turn as JSON has it: what is as by default is left out."""
    said: dict[str, Any] = {"speaker": turn.speaker, "text": turn.text}
    for name in ("labels", "regions"):
        if value := getattr(turn, name):
            said[name] = [int(label) for label in value]
    if turn.chips:
        said["chips"] = [
            [int(chip.start), int(chip.stop), [int(label) for label in chip.labels]]
            for chip in turn.chips
        ]
    for name in _PLAIN:
        if value := getattr(turn, name):
            said[name] = value
    return said


def turn_from(said: Mapping[str, Any]) -> Turn:
    """Return the turn that `turn_detail` told of; those of earlier versions say less."""
    text = said["text"]
    chips = (Chip(start, stop, tuple(labels)) for start, stop, labels in said.get("chips", ()))
    return Turn(
        said["speaker"],
        text,
        tuple(said.get("labels", ())),
        tuple(chip for chip in chips if 0 <= chip.start <= chip.stop <= len(text)),
        regions=tuple(said.get("regions", ())),
        **{name: type(default)(said.get(name, default)) for name, default in _PLAIN.items()},
    )


def json_text(said: Any, indent: int | None = None) -> str:
    """Write JSON; numbers that are not known (nan) become null, and numpy's numbers Python's."""
    return json.dumps(
        _without_nan(said),
        ensure_ascii=False,
        allow_nan=False,
        separators=(",", ": " if indent else ":"),
        indent=indent,
        default=_plain,
    )


def _without_nan(said: Any) -> Any:
    if isinstance(said, float):
        return said if math.isfinite(said) else None
    if isinstance(said, dict):
        return {key: _without_nan(value) for key, value in said.items()}
    if isinstance(said, list | tuple):
        return [_without_nan(value) for value in said]
    return said


def _plain(value: Any) -> Any:
    """Give json something that it knows."""
    if isinstance(value, Mapping):
        return _without_nan(dict(value))
    return _without_nan(value.tolist()) if hasattr(value, "tolist") else str(value)
