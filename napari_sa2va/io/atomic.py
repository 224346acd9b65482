"""Files and folders that are either whole or not there."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import contextmanager, suppress
from os.path import abspath, realpath
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Final

from napari_sa2va.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_BYTES: Final = 160


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
    with replacing_all(path) as (temporary,):
        yield temporary


@contextmanager
def replacing_all(*paths: Path) -> Iterator[tuple[Path, ...]]:
    """Do as `replacing` with files that belong together: none is replaced before all are written.

    Raises
    ------
    InvalidInput
        If the system refuses to write one of them.
    """
    # Not tempfile.mkstemp: its files are readable by their owner alone, and would stay so.
    temporary = tuple(
        path.with_name(f".{path.stem}-{secrets.token_hex(6)}{path.suffix}") for path in paths
    )
    at = paths[0]
    try:
        for at in paths:
            at.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        for at, written in zip(paths, temporary, strict=True):
            os.replace(written, at)
    except OSError as error:
        raise _refused(at, error) from error
    finally:
        for one in temporary:
            with suppress(OSError):
                one.unlink()


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
    path = Path(abspath(path))  # "." has no name to put another in the place of
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
        raise _refused(path, error) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def cut(name: str, most: int = _MOST_BYTES) -> str:
    """Shorten the beginning of a name to a number of bytes: systems count 255 of them, not letters.

    Endings, numbers of planes and what a temporary name has beside it need some room more.
    """
    return name.encode("utf-8", "replace")[:most].decode("utf-8", "ignore")


def place_of(path: Path) -> str:
    """Return what two spellings of a path have in common, also where case makes no difference."""
    return realpath(path).casefold()


def is_empty(path: Path) -> bool:
    """Whether a path is a folder with nothing in it."""
    return path.is_dir() and not any(path.iterdir())


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
