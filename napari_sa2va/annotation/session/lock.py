"""One writer a session; the system lets go when a process ends, however it ends."""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, Final

from napari_sa2va.annotation.records import now
from napari_sa2va.annotation.session.errors import SessionInUse

if TYPE_CHECKING:
    from pathlib import Path

# What POSIX and Windows say where somebody else has it. Anything else: a drive that knows no locks.
_TAKEN: Final = {errno.EAGAIN, errno.EACCES, errno.EDEADLK}
# Windows lets nobody read what is locked: a byte far behind the text.
_LOCKED_BYTE: Final = 1 << 20


class SessionLock:
    """Held from now on, until `release` or the end of the process.

    While it is held the file says by whom. A clean end empties it: text in a file that nobody
    holds is the mark of a crash. On a drive without locks nothing keeps others out.

    Parameters
    ----------
    path : Path
        The file; made if need be.

    Raises
    ------
    SessionInUse
        Somebody else holds it.
    OSError
        The file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO = path.open("a+b")
        try:
            if not lock_file(self._file):
                raise SessionInUse(
                    f"{path.parent.name} is open in {_holder(path)}: it is shown here as it was "
                    "saved last, and not written to."
                )
            self._file.truncate(0)
            who = {"process": os.getpid(), "host": socket.gethostname(), "since": now()}
            self._file.write(json.dumps(who).encode())
            self._file.flush()
        except BaseException:
            self._file.close()
            raise

    def release(self, *, badly: bool = False) -> None:
        """Let go.

        Parameters
        ----------
        badly : bool
            Leave the mark of a crash.
        """
        if not badly:
            with suppress(OSError):  # the drive is gone: it will look like a crash, which it was
                self._file.truncate(0)
        with suppress(OSError):
            self._file.close()


def ended_badly(path: Path) -> bool:
    """Whether a lock file is one that a crash left: it says who, and nobody holds it."""
    try:
        with path.open("r+b") as file:
            return bool(file.read(1)) and lock_file(file)
    except OSError:
        return False


def is_held(path: Path) -> bool:
    """Whether somebody, this process included, holds a lock file."""
    try:
        with path.open("r+b") as file:
            return not lock_file(file)
    except OSError:
        return False


def _holder(path: Path) -> str:
    try:
        who = json.loads(path.read_text(encoding="utf-8"))
        if (who["process"], who["host"]) == (os.getpid(), socket.gethostname()):
            return "this napari already"
        return f"another napari (process {who['process']} on {who['host']}, since {who['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another napari"


def lock_file(file: BinaryIO) -> bool:
    """Lock a file until it is closed; False where somebody else has it.

    On a drive without locks nothing is held, and this is True.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(_LOCKED_BYTE)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _TAKEN
    return True
