"""Folders that are either whole or not there."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_sa2va.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def replacing_folder(path: Path, mark: str) -> Iterator[Path]:
    """Give an empty folder beside `path`, which replaces `path` when the block ends well.

    Parameters
    ----------
    path : Path
        Where the folder is to be.
    mark : str
        Name of a file that every folder of the kind has: what lacks it is somebody else's, and is
        not replaced.

    Raises
    ------
    InvalidInput
        If something else is there, or the system refuses to write.
    """
    if path.exists() and not (path / mark).exists() and not is_empty(path):
        raise InvalidInput(
            f"{path} is there, and is not a folder that this format writes. Choose another name, "
            "or move it away."
        )
    token = secrets.token_hex(6)
    new, old = (path.with_name(f".{path.name}-{token}-{age}") for age in ("new", "old"))
    try:
        new.mkdir(parents=True)
        yield new
        if path.exists():
            os.replace(path, old)  # a folder takes the place of an empty one only
        try:
            os.replace(new, path)
        except OSError:
            if old.exists():
                os.replace(old, path)
            raise
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise InvalidInput(
            f"{path} could not be written: {error.strerror or error}. "
            "Choose another folder, or free some space."
        ) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def is_empty(path: Path) -> bool:
    """Whether a folder has nothing in it."""
    return path.is_dir() and not any(path.iterdir())
