"""One process at a time in a folder; the system lets go when a process ends, however it ends."""

from __future__ import annotations

import errno
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from napari_sa2va.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What POSIX and Windows say where somebody else has it. Anything else: a drive that knows no locks.
_TAKEN: Final = {errno.EAGAIN, errno.EACCES, errno.EDEADLK}


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold a lock file for as long as the block runs; the file stays.

    On a drive without locks nothing is held.

    Raises
    ------
    InvalidInput
        If another process holds it, or the file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except OSError as error:
        raise InvalidInput(f"{path} could not be written: {error.strerror or error}.") from error
    with file:
        try:
            _lock(file.fileno())
        except OSError as error:
            if error.errno in _TAKEN:
                raise InvalidInput(
                    f"Another napari-sa2va is at work in {path.parent}. Wait for its end, or "
                    "choose another --output."
                ) from error
        yield  # closing the file lets go of it


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
