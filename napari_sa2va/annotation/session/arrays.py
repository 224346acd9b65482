"""The label array of a session: zarr format 3, of which a chunk at a time is in memory.

zarr's LocalStore (3.1) writes a chunk to a file beside and then renames it: a process that is
killed leaves each chunk as it was or as it should be. It does not call fsync, so a power failure
may leave an empty file under the right name: `sync_chunks` calls it, before anything says that the
chunks are there.
"""

from __future__ import annotations

import itertools
import os
import sys
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sa2va.annotation.session.about import LabelsInfo
    from napari_sa2va.annotation.session.pixels import Patch

    Chunk = tuple[int, ...]

_TILE: Final = 1024
_MOST_HELD: Final = 1 << 27


class ArrayDamaged(OSError):
    """What is on the disk is not as it was written."""


class MemoryLabels:
    """An array in memory that patches are written into."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array

    def write(self, patch: Patch) -> None:
        """Write a patch."""
        self.array[patch.where] = patch.values


class ZarrLabels:
    """An array on the disk that patches are written into.

    Parameters
    ----------
    path : Path
        As `create_array` made it.

    Raises
    ------
    ArrayDamaged
        It is not as it was written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.array = open_array(path, mode="r+")
        self._held: dict[Chunk, NDArray[Any]] = {}
        self._bytes = 0
        self._unsynced: set[Chunk] = set()

    def write(self, patch: Patch) -> None:
        """Write a patch; it is on the disk after `sync`."""
        for chunk in self._chunks(patch.where):
            held = self._chunk(chunk)
            into, of = [], []
            for side, at, size in zip(patch.where, chunk, self.array.chunks, strict=True):
                first, end = max(side.start, at * size), min(side.stop, (at + 1) * size)
                into.append(slice(first - at * size, end - at * size))
                of.append(slice(first - side.start, end - side.start))
            held[tuple(into)] = patch.values[tuple(of)]

    def sync(self) -> None:
        """Have the system put all that was written on the disk."""
        self._flush()
        sync_chunks(self.path, self._unsynced)
        self._unsynced.clear()

    def _chunks(self, where: tuple[slice, ...]) -> Iterator[Chunk]:
        ranges = (
            range(side.start // size, -(-side.stop // size))
            for side, size in zip(where, self.array.chunks, strict=True)
        )
        return itertools.product(*ranges)

    def _chunk(self, chunk: Chunk) -> NDArray[Any]:
        held = self._held.get(chunk)
        if held is None:
            if self._bytes > _MOST_HELD:
                self._flush()
            held = self._held[chunk] = np.array(read(self.array, _place(self.array, chunk)))
            self._bytes += held.nbytes
        return held

    def _flush(self) -> None:
        for chunk, values in self._held.items():
            self.array[_place(self.array, chunk)] = values
        self._unsynced.update(self._held)
        self._held.clear()
        self._bytes = 0


def create_array(path: Path, labels: LabelsInfo) -> None:
    """Make an array of zeros, which take no room on the disk.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    import zarr  # takes a third of a second to import

    shape = labels.shape
    names = [str(name) for name in labels.shown.get("axis_labels", ())]
    zarr.create_array(
        store=path,
        shape=shape,
        dtype=np.dtype(labels.dtype),
        chunks=(*(1 for _ in shape[:-2]), *(max(1, min(n, _TILE)) for n in shape[-2:])),
        fill_value=0,
        zarr_format=3,
        dimension_names=names if len(names) == len(shape) else None,
    )


def open_array(path: Path, mode: Any = "r") -> Any:
    """Open what `create_array` made.

    Raises
    ------
    ArrayDamaged
        If it is not there, or not as it was written.
    """
    import zarr

    try:
        return zarr.open_array(store=path, mode=mode)
    except (OSError, ValueError, KeyError, TypeError) as error:  # zarr's own words for all that
        raise ArrayDamaged(f"{path} cannot be opened ({error!r})") from error


def read(array: Any, where: Any) -> NDArray[Any]:
    """Read a part of what `open_array` opened.

    Raises
    ------
    ArrayDamaged
        A chunk cannot be read.
    """
    try:
        return np.asarray(array[where])
    except MemoryError:  # it may be quite whole
        raise
    except Exception as error:  # each of zarr's codecs has its own
        raise ArrayDamaged(f"{array.store} cannot be read ({error!r})") from error


def read_through(array: Any) -> None:
    """Read all of what `open_array` opened, a chunk at a time, to see that it can be read.

    Raises
    ------
    ArrayDamaged
        A chunk cannot be read.
    """
    counts = (-(-n // size) for n, size in zip(array.shape, array.chunks, strict=True))
    for chunk in itertools.product(*map(range, counts)):
        read(array, _place(array, chunk))


def sync_chunks(path: Path, chunks: Iterable[Chunk]) -> None:
    """Have the system put chunks of an array on the disk, and the folders that lead to them.

    Parameters
    ----------
    path : Path
        An array of zarr's format 3, which names its chunks as is the default.
    chunks : iterable of tuple of int
        Those of zeros have no file, which is no error.

    Raises
    ------
    OSError
        The disk refuses.
    """
    folders = {path}
    for chunk in chunks:
        names = ("c", *map(str, chunk))
        _fsync(path.joinpath(*names))
        folders.update(path.joinpath(*names[:end]) for end in range(1, len(names)))
    _fsync(path / "zarr.json")
    if sys.platform != "win32":  # where folders cannot be opened
        for folder in folders:
            _fsync(folder)


def _place(array: Any, chunk: Chunk) -> tuple[slice, ...]:
    sizes = zip(chunk, array.chunks, array.shape, strict=True)
    return tuple(slice(at * size, min((at + 1) * size, end)) for at, size, end in sizes)


def _fsync(path: Path) -> None:
    # Windows puts only on the disk what may be written to; POSIX opens folders for reading alone.
    how = os.O_RDONLY if path.is_dir() else os.O_RDWR
    try:
        descriptor = os.open(path, how)
    except FileNotFoundError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
