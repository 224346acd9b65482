"""One process at a time in a folder; the system lets go when a process ends, however it ends."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_sa2va.annotation.session.lock import lock_file
from napari_sa2va.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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
        file = path.open("ab")
    except OSError as error:
        raise InvalidInput(f"{path} could not be written: {error.strerror or error}.") from error
    with file:
        if not lock_file(file):
            raise InvalidInput(
                f"Another napari-sa2va is at work in {path.parent}. Wait for its end, or "
                "choose another --output."
            )
        yield  # closing the file lets go of it
