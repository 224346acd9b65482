"""From what a session knows of its images to their pixels."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames import (
    GRAY,
    MOVIE_SUFFIXES,
    Channel,
    MovieArray,
    default_contrast_limits,
    open_image,
)
from napari_sa2va.frames.zarr_files import is_zarr, open_zarr
from napari_sa2va.io.export.pictures import Pictures
from napari_sa2va.io.export.readable import Readable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sa2va.annotation.session import ImageInfo
    from napari_sa2va.frames import ArrayLike

OUR_SAMPLES = "napari-sa2va"


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """An opened image: its array, names of the axes before rows and columns, and if it is RGB."""

    array: ArrayLike
    axes: tuple[str, ...]
    rgb: bool


def pictures_of(
    images: Sequence[ImageInfo], folder: Path, shape: tuple[int, ...]
) -> tuple[Pictures | None, list[str]]:
    """Open the images that a session is about, without reading their pixels.

    Parameters
    ----------
    images : sequence of ImageInfo
    folder : Path
        Of the session: images are also looked for as they lay beside it.
    shape : tuple of int
        Of the labels.

    Returns
    -------
    (Pictures or None, list of str)
        None where one of them is not there or does not fit; then a sentence says which.
    """
    arrays: list[ArrayLike] = []
    of_file = Counter(info.path for info in images)
    taken: Counter[str] = Counter()
    for info in images:
        try:
            opened = open_info(info, folder)
            array = _fitting(opened, info, taken[info.path], of_file[info.path])
            arrays.append(Readable(array, f"the image {info.name}"))
        except InvalidInput as error:
            return None, [f"The image {info.name!r} is not used: {error}"]
        taken[info.path] += 1
    if not arrays:
        return None, []
    pictures = Pictures(
        tuple(info.name for info in images),
        tuple(arrays),
        tuple(
            channel_of(info.shown, array, info.rgb)
            for info, array in zip(images, arrays, strict=True)
        ),
        tuple(info.rgb for info in images),
    )
    if not pictures.fits(shape):
        return None, ["The image is not used: it has another size than the labels."]
    return pictures, []


def picture_file(path: Path, shape: tuple[int, ...]) -> Pictures:
    """Open an image file for labels of a shape.

    Raises
    ------
    InvalidInput
        If it cannot be read, or has another size.
    """
    opened = open_file(path)
    array = Readable(opened.array, f"the image {path.name}")
    channel = Channel(default_contrast_limits(array, rgb=opened.rgb))
    pictures = Pictures((path.stem,), (array,), (channel,), (opened.rgb,))
    if not pictures.fits(shape):
        sizes = " by ".join(map(str, opened.array.shape)), " by ".join(map(str, shape))
        raise InvalidInput(f"{path.name} has {sizes[0]} pixels, the labels {sizes[1]}.")
    return pictures


def channel_of(shown: Mapping[str, Any], array: ArrayLike, rgb: bool) -> Channel:
    """Return how napari drew a layer with these arguments."""
    limits = shown.get("contrast_limits")
    low, high = limits if limits else default_contrast_limits(array, rgb=rgb)
    gamma = float(shown.get("gamma", 1.0))
    lut = GRAY if rgb else colours_of(shown.get("colormap", "gray"))
    return Channel((float(low), float(high)), gamma, lut)


def colours_of(colormap: Any) -> NDArray[np.uint8]:
    """Return the 256 colours of a napari colormap, or of its name; gray where it is not known."""
    if isinstance(colormap, str) and colormap in ("gray", "grey"):
        return GRAY
    from napari.utils.colormaps import ensure_colormap  # takes a second

    try:
        found = ensure_colormap(colormap)
    except (KeyError, TypeError, ValueError):
        return GRAY
    rgba: NDArray[np.float64] = found.map(np.linspace(0, 1, 256))
    return (rgba[:, :3] * 255 + 0.5).astype(np.uint8)


def open_info(info: ImageInfo, folder: Path) -> Opened:
    """Open what an image layer of a session was opened from.

    Parameters
    ----------
    info : ImageInfo
    folder : Path
        Of the session.

    Raises
    ------
    InvalidInput
        If it is not there, or cannot be read.
    """
    if info.sample:
        return Opened(_sample(info.sample), (), info.rgb)
    path = info.found_from(folder)
    if path is None:
        raise InvalidInput(
            f"{info.path} is not there any more."
            if info.path
            else "it was never in a file, so only napari had it."
        )
    return open_file(path)


def open_file(path: Path) -> Opened:
    """Open an image, movie or zarr; pixels are read when asked for.

    Raises
    ------
    InvalidInput
        If it cannot be read.
    """
    if is_zarr(path):
        zarr = open_zarr(path)
        return Opened(zarr.array, zarr.axes, zarr.rgb)
    if path.suffix.lower() in MOVIE_SUFFIXES:
        return Opened(MovieArray(path), ("t",), True)
    # The limits are found later, where nobody says them.
    image = open_image(path, contrast_limits=(0.0, 1.0))
    return Opened(image.array, image.axes, image.rgb)


def _sample(sample: tuple[str, ...]) -> ArrayLike:
    from napari_sa2va import samples

    plugin, key = (*sample, "", "")[:2]
    make = getattr(samples, key, None) if plugin == OUR_SAMPLES and key.isidentifier() else None
    if make is None:
        raise InvalidInput(f"it is the sample {key!r} of {plugin}, which cannot be opened here.")
    data: ArrayLike = make()[0][0]
    return data


def _fitting(opened: Opened, info: ImageInfo, number: int, count: int) -> ArrayLike:
    """Take the part of a file that one layer showed: all of it, or one of its channels.

    `number` says which of the `count` images of that file it is.
    """
    shape = tuple(int(n) for n in opened.array.shape)
    if not info.shape or shape == info.shape:
        return opened.array
    if "c" in opened.axes:
        axis = opened.axes.index("c")
        if (*shape[:axis], *shape[axis + 1 :]) == info.shape:
            if count != shape[axis]:  # one was not looked at: they cannot be told by their order
                raise InvalidInput(
                    f"the file has {shape[axis]} channels, and the session does not say which of "
                    "them it is. Export from napari, or give a file of that channel with --image."
                )
            return OneChannel(opened.array, axis, number)
    raise InvalidInput("the file has another size now.")


class OneChannel:
    """An array at one position of one of its axes."""

    def __init__(self, array: ArrayLike, axis: int, at: int) -> None:
        self._array, self._axis, self._at = array, axis, at
        self.shape = tuple(n for i, n in enumerate(array.shape) if i != axis)
        self.dtype = array.dtype
        self.ndim = len(self.shape)
        self.size = int(np.prod(self.shape))

    def __getitem__(self, index: Any, /) -> NDArray[Any]:
        wanted = index if isinstance(index, tuple) else (index,)
        wanted += (slice(None),) * (self.ndim - len(wanted))
        return np.asarray(self._array[(*wanted[: self._axis], self._at, *wanted[self._axis :])])
