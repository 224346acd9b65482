"""Where the pixels of a new Labels layer live: in memory, or on disk if there are too many."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sa2va.errors import Sa2VAError
from napari_sa2va.viewer.preferences import setting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sa2va.annotation.painting import Box
    from napari_sa2va.frames import PlaneIndex

MOST_IN_MEMORY: Final = 1 << 30
"""Bytes of a label array that is kept in memory."""
_TILE: Final = 1024
"""Rows and columns of a chunk, of planes that are larger."""


class CannotWrite(Sa2VAError):
    """Labels cannot be written where they belong: no space, no right, or the disk is gone."""


class LayerLost(Sa2VAError):
    """The layer that a run writes to was deleted, or its data replaced: the run must end."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} was deleted, or its data was replaced, so the run was ended. "
            "Labels written before are in the data as it was."
        )


def large_labels_folder() -> Path:
    """Return the folder of large label arrays: the one in napari's preferences, or in the home."""
    chosen = setting("results", "folder", "")
    return Path(chosen).expanduser() if chosen else Path.home() / "napari-sa2va"


def new_array(
    shape: tuple[int, ...],
    name: str,
    *,
    folder: Path | None = None,
    axis_names: Sequence[str] = (),
    most_in_memory: int = MOST_IN_MEMORY,
) -> Any:
    """Return an array of int32, all 0, for labels.

    Parameters
    ----------
    shape : tuple of int
        The last two axes are rows and columns.
    name : str
        Of the image: its folder on disk is called so.
    folder : Path, optional
        Where arrays on disk go; `large_labels_folder` if left out. Made if need be.
    axis_names : sequence of str
        Written with an array on disk.
    most_in_memory : int
        An array of more bytes becomes a zarr array (format 3, compressed, chunks of one plane) in
        a new folder, whose path is its ``store.root``.

    Raises
    ------
    CannotWrite
        The folder cannot be made.
    """
    dtype = np.dtype(np.int32)
    if int(np.prod(shape, dtype=np.int64)) * dtype.itemsize <= most_in_memory:
        return np.zeros(shape, dtype=dtype)
    import zarr

    place = folder or large_labels_folder()
    try:
        place.mkdir(parents=True, exist_ok=True)
        path = unused_path(place, name)
        return zarr.create_array(
            store=path,
            shape=shape,
            chunks=(*(1 for _ in shape[:-2]), *(min(n, _TILE) for n in shape[-2:])),
            dtype=dtype,
            fill_value=0,
            zarr_format=3,
            dimension_names=list(axis_names) or None,
        )
    except OSError as error:
        raise cannot_write(place, error) from error


def cannot_write(place: object, error: OSError) -> CannotWrite:
    """Say that writing failed, and what to do."""
    reason = error.strerror or str(error) or type(error).__name__
    return CannotWrite(
        f"Labels could not be written to {place} ({reason}). What was written before is kept. "
        "Free some space there, or choose another folder for large results in the settings, and "
        "run again."
    )


def place_of(data: Any) -> str:
    """Return where an array lives, for people."""
    root = getattr(getattr(data, "store", None), "root", None)
    return "memory" if isinstance(data, np.ndarray) else str(root or type(data).__name__)


def whole_chunks(data: Any, plane: PlaneIndex, box: Box) -> Box:
    """Enlarge a box of a plane to whole chunks of an array on disk.

    zarr writes a chunk without reading it first only if all of it is written.
    """
    chunks = getattr(data, "chunks", None)
    if isinstance(data, np.ndarray) or not isinstance(chunks, tuple):
        return box
    axes = [axis for axis, at in enumerate(plane) if at is None]
    rows, columns = (
        slice(
            side.start // chunks[axis] * chunks[axis],
            min(-(-side.stop // chunks[axis]) * chunks[axis], data.shape[axis]),
        )
        for axis, side in zip(axes, box, strict=True)
    )
    return rows, columns


def unused_path(folder: Path, name: str) -> Path:
    """Return a path in a folder that does not exist yet, named like an image."""
    plain = re.sub(r"[^\w.-]+", "_", name).strip("._")[:60] or "image"
    path, number = folder / f"{plain}_labels.zarr", 2
    while path.exists():
        path, number = folder / f"{plain}_labels_{number}.zarr", number + 1
    return path
