"""Files that are either whole or not there."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager, suppress
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from napari_sa2va.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, which replaces `path` when the block ends well.

    Missing folders are made. When the block raises, the temporary file goes and an older file at
    `path` stays as it was.

    Parameters
    ----------
    path : Path
        Where the file is to be; the temporary one, in the same folder, has the same suffix.

    Raises
    ------
    InvalidInput
        If the system refuses to write there.
    """
    # Not tempfile.mkstemp: its files are readable by their owner alone, and would stay so.
    temporary = path.with_name(f".{path.stem}-{secrets.token_hex(6)}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise _refused(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def check_folder(folder: Path) -> None:
    """Make a folder unless it is there, and try to write into it: before hours of work, not after.

    Raises
    ------
    InvalidInput
        If the system refuses.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _refused(folder, error) from error


def _refused(path: Path, error: OSError) -> InvalidInput:
    return InvalidInput(
        f"{path} could not be written: {error.strerror or error}. "
        "Choose another folder, or free some space."
    )
