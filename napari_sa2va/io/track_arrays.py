"""Labels of a stack as a zarr array: format 3, a chunk a plane, so that a plane is one file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sa2va.io.atomic import replacing_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray


_MOST_BYTE_LABELS: Final = 255


def label_dtype(labels: int) -> np.dtype[Any]:
    """Return the smallest type that holds so many labels."""
    return np.dtype(np.uint8 if labels <= _MOST_BYTE_LABELS else np.uint16)


def create_labels(
    path: Path,
    shape: tuple[int, int, int],
    dtype: np.dtype[Any],
    axes: tuple[str, str, str],
    attributes: Mapping[str, Any] | None = None,
) -> Any:
    """Make an array of zeros at a place where nothing is.

    Returns
    -------
    zarr.Array
        Shape (planes, height, width); planes of zeros take no room.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    import zarr  # takes a third of a second to import

    return zarr.create_array(
        store=path,
        shape=shape,
        dtype=dtype,
        chunks=(1, *shape[1:]),
        fill_value=0,
        zarr_format=3,
        dimension_names=axes,
        attributes=dict(attributes or {}),
    )


def open_labels(path: Path) -> Any:
    """Open what `create_labels` made, to read and to write.

    Raises
    ------
    OSError
        If it is not there, or no array.
    """
    import zarr

    try:
        return zarr.open_array(store=path, mode="r+")
    except (ValueError, KeyError, TypeError) as error:  # its own words for a damaged zarr.json
        raise OSError(f"it is damaged ({error})") from error


def write_zarr(
    path: Path,
    planes: Iterable[NDArray[Any]],
    shape: tuple[int, int, int],
    dtype: np.dtype[Any],
    axes: tuple[str, str, str],
    attributes: Mapping[str, Any],
) -> None:
    """Write labels as a zarr array, which takes the place of an older one when it is whole.

    Parameters
    ----------
    path : Path
        Ends in ``.zarr``.
    planes : iterable of ndarray, shape (height, width)
        As many as `shape` says; read one at a time.
    shape : (int, int, int)
        Planes, height and width.
    dtype : dtype
    axes : tuple of str
        Names of the three axes.
    attributes : mapping
        What is to stand in the array's attributes; of JSON's types.

    Raises
    ------
    InvalidInput
        If it cannot be written, or something else is there.
    """
    with replacing_folder(path, "zarr.json") as new:
        labels = create_labels(new, shape, dtype, axes, attributes)
        for index, plane in enumerate(planes):
            if plane.any():  # planes of zeros are there already
                labels[index] = plane
