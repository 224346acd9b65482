"""A TIFF series as an array that reads its pages when they are asked for."""

from __future__ import annotations

import itertools
import math
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from napari_sa2va.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sa2va.frames.source import ArrayLike


@dataclass(frozen=True, slots=True)
class TiffImage:
    """The first series of a TIFF file: what napari's reader shows.

    Parameters
    ----------
    array : array-like
        Memory-mapped, read page by page, or read whole where the file allows neither.
    axes : str
        One letter per axis, as tifffile finds them in the metadata: T, Z, C, Y, X; S for the
        components of a colour, Q or I where nothing is known.
    """

    array: ArrayLike
    axes: str


def open_tiff(path: Path) -> TiffImage:
    """Open the first series of a TIFF file without reading its pixels, if possible.

    Parameters
    ----------
    path : Path
        A TIFF, OME-TIFF, ImageJ hyperstack, LSM or STK file.
    """
    file = tifffile.TiffFile(path)
    try:
        series = file.series[0]
        axes = series.axes
        if series.dataoffset is not None:
            array: ArrayLike = tifffile.memmap(path, series=0, mode="r")
            file.close()
        elif _has_whole_pages(series):
            array = _PagedArray(path, file, series)
        else:
            array = series.asarray()
            file.close()
    except BaseException:
        file.close()
        raise
    return TiffImage(array, axes)


def _has_whole_pages(series: Any) -> bool:
    """Whether every page is one block of the last axes, so that a page can be found by number."""
    page = tuple(series.keyframe.shape)
    leading = series.shape[: len(series.shape) - len(page)]
    return (
        tuple(series.shape[len(leading) :]) == page and math.prod(leading) == len(series.pages) > 1
    )


class _PagedArray:
    """Array over the pages of one series; a page is read whole, then cut."""

    def __init__(self, path: Path, file: tifffile.TiffFile, series: Any) -> None:
        self._path = path
        self._series = series
        self.shape: tuple[int, ...] = tuple(series.shape)
        self.dtype: np.dtype[Any] = series.dtype
        self.ndim = len(self.shape)
        self.size = math.prod(self.shape)
        self._leading = self.ndim - len(series.keyframe.shape)
        weakref.finalize(self, file.close)

    def __getitem__(self, index: Any, /) -> NDArray[Any]:
        wanted = index if isinstance(index, tuple) else (index,)
        wanted += (slice(None),) * (self.ndim - len(wanted))
        outer, inner = wanted[: self._leading], wanted[self._leading :]
        positions = [
            [at] if isinstance(at, int) else list(range(*at.indices(length)))
            for at, length in zip(outer, self.shape, strict=False)
        ]
        pages = [self._page(at)[inner] for at in itertools.product(*positions)]
        kept = [
            len(found)
            for at, found in zip(outer, positions, strict=True)
            if not isinstance(at, int)
        ]
        return np.stack(pages).reshape(*kept, *pages[0].shape)

    def _page(self, position: tuple[int, ...]) -> NDArray[Any]:
        number = int(np.ravel_multi_index(position, self.shape[: self._leading]))
        page = self._series[number]
        if page is None:  # a plane that was never written: tifffile, too, reads it as zeros
            return np.zeros(self.shape[self._leading :], self.dtype)
        try:
            return np.asarray(page.asarray())
        # Each decoder has errors of its own (zlib's is not even a ValueError).
        except Exception as error:
            raise InvalidInput(
                f"Page {number} of {self._path.name} cannot be read: {error}. If the file opens in "
                "Fiji, save it from there as an uncompressed TIFF."
            ) from error
