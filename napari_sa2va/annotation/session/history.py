"""Lines that the log no longer needs, kept for ever."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK: Final = 1 << 20


def append_to_history(log: Path, history: Path, end: int) -> None:
    """Copy the beginning of a log to the end of the history; it is on the disk when this returns.

    Parameters
    ----------
    log, history : Path
        The history is made if need be. What a kill or a full disk left behind its last whole line
        goes: the log still has it.
    end : int
        Bytes of the log to copy.

    Raises
    ------
    OSError
        The disk refuses.
    """
    with log.open("rb") as source, history.open("a+b") as file:
        file.truncate(_end_of_lines(file))
        left = end
        while left and (block := source.read(min(left, _BLOCK))):
            file.write(block)
            left -= len(block)
        file.flush()
        os.fsync(file.fileno())


def _end_of_lines(file: BinaryIO) -> int:
    """Return the offset after the last end of a line, looked for from the end."""
    at = file.seek(0, os.SEEK_END)
    while at:
        start = max(0, at - _BLOCK)
        file.seek(start)
        found = file.read(at - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        at = start
    return 0
