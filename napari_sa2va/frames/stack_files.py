"""Stacks for the command line: one axis of a file or a folder, as frames to track through."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_sa2va.errors import InvalidInput, Sa2VAError
from napari_sa2va.frames.contrast import default_contrast_limits
from napari_sa2va.frames.files import TIFF_SUFFIXES, ImageFile, open_image
from napari_sa2va.frames.image_folder import open_image_folder
from napari_sa2va.frames.movie import MOVIE_SUFFIXES, MovieArray
from napari_sa2va.frames.render import Channel
from napari_sa2va.frames.source import ArrayFrames
from napari_sa2va.frames.steps import tiff_steps
from napari_sa2va.frames.zarr_files import ZarrImage, is_zarr, open_zarr

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sa2va.frames.source import PlaneIndex

# Best first; every other axis comes after these, and channels last.
_USUAL_AXES: Final = ("t", "z")
_CHANNEL_AXIS: Final = "c"


@dataclass(frozen=True, slots=True, eq=False)
class StackFile:
    """Frames along one axis of an opened stack.

    Parameters
    ----------
    frames : ArrayFrames
        One per position on the axis, drawn as napari draws the stack on opening it.
    axis : str
        Its name, such as ``"t"``.
    at : dict of str to int
        Where the other axes stand.
    steps : dict of str to float
        By axis, ``"y"`` and ``"x"`` among them, where the file says so: the distance between two
        positions in micrometres, for ``"t"`` in seconds.
    title : str
        The file and what of it, such as ``cells.tif · along t · z 3``.
    """

    frames: ArrayFrames
    axis: str
    at: dict[str, int]
    steps: dict[str, float]
    title: str

    @property
    def length(self) -> int:
        """Number of frames."""
        return len(self.frames)


def open_stack(
    path: str | Path,
    axis: str | int | None = None,
    at: Mapping[str, int] | None = None,
    *,
    contrast_limits: tuple[float, float] | None = None,
) -> StackFile:
    """Open a stack and lay frames along one of its axes. Pixels are read when asked for.

    Parameters
    ----------
    path : str or Path
        A TIFF (OME, ImageJ), ``.npy``, movie, zarr array, OME-Zarr, or folder of images.
    axis : str or int, optional
        Name of an axis, or its place from 0. Left out: t, else z, else the first longer than 1.
    at : mapping of str to int, optional
        Where other axes stand; the middle, where napari stands on opening, for those left out.
    contrast_limits : tuple of float, optional
        Values drawn black and white. Left out: those that napari would set.

    Raises
    ------
    InvalidInput
        What cannot be read, a single plane, or an axis or position that is not there.
    """
    path = Path(path)
    image, steps = _open(path, contrast_limits)
    image = _named(image, axis)
    place = _choose(image, axis)
    chosen = _positions(image, place, at or {})
    length = image.leading_shape[place]
    planes: list[PlaneIndex] = [
        (*(number if i == place else chosen[i] for i in range(len(chosen))), None, None)
        for number in range(length)
    ]
    frames = ArrayFrames((image.array,), (image.channel,), planes, rgb=(image.rgb,))
    others = {name: chosen[i] for i, name in enumerate(image.axes) if i != place}
    stands = (f"{name} {number}" for name, number in others.items())
    title = " · ".join((path.name, f"along {image.axes[place]}", *stands))
    return StackFile(frames, image.axes[place], others, steps, title)


def _open(
    path: Path, contrast_limits: tuple[float, float] | None
) -> tuple[ImageFile, dict[str, float]]:
    if path.suffix.lower() in MOVIE_SUFFIXES and path.is_file():
        movie = MovieArray(path)
        step = movie.seconds_per_frame
        channel = Channel(contrast_limits or (0.0, 255.0))
        return ImageFile(path, movie, ("t",), True, channel), {"t": step} if step else {}
    if is_zarr(path):
        opened = open_zarr(path)
        channel = Channel(contrast_limits or _limits_of_first(opened, path))
        return ImageFile(path, opened.array, opened.axes, opened.rgb, channel), opened.steps
    if path.is_dir():
        return open_image_folder(path, contrast_limits), {}
    image = open_image(path, contrast_limits=contrast_limits)
    return image, tiff_steps(path) if path.suffix.lower() in TIFF_SUFFIXES else {}


def _limits_of_first(opened: ZarrImage, path: Path) -> tuple[float, float]:
    """Contrast limits of the first plane: napari gives them to what it reads lazily."""
    if opened.array.dtype == np.uint8:
        return default_contrast_limits(opened.array)  # reads nothing
    try:
        first = np.asarray(opened.array[(0,) * len(opened.axes)])
    except (MemoryError, Sa2VAError):
        raise
    # Stores and codecs each fail in ways of their own.
    except Exception as error:
        raise InvalidInput(
            f"The first plane of {path.name} could not be read: "
            f"{(str(error) or type(error).__name__).rstrip('. ')}. Contrast limits are taken from "
            "it: give them yourself, and a range without this plane, or check the file or the "
            "drive it is on."
        ) from error
    return default_contrast_limits(first, rgb=opened.rgb)


def _named(image: ImageFile, axis: str | int | None) -> ImageFile:
    """Take an only axis without a name for what the user calls it."""
    unnamed = len(image.axes) == 1 and image.axes[0].startswith("axis ")
    if not unnamed or not isinstance(axis, str) or axis.isdecimal():
        return image
    return ImageFile(image.path, image.array, (axis.lower(),), image.rgb, image.channel)


def _choose(image: ImageFile, axis: str | int | None) -> int:
    """Place of the axis among the leading ones."""
    name, lengths = image.path.name, image.leading_shape
    long = [i for i, length in enumerate(lengths) if length > 1]
    if not long:
        raise InvalidInput(
            f"{name} is one plane only: there is nothing to track through. Give a stack or a "
            "movie, or segment the plane."
        )
    if axis is None:
        return min(long, key=lambda i: (_rank(image.axes[i]), i))
    there = ", ".join(f"{image.axes[i]} ({lengths[i]} planes)" for i in range(len(lengths)))
    text = str(axis).lower()
    if text in image.axes:
        place = image.axes.index(text)
    elif text.isdecimal() and int(text) < len(lengths):
        place = int(text)
    else:
        raise InvalidInput(
            f"{name} has no axis {text}: it has {there}, numbered from 0 in this order."
        )
    if lengths[place] < 2:
        raise InvalidInput(f"{name} has one plane only along {image.axes[place]}: it has {there}.")
    return place


def _rank(name: str) -> int:
    if name == _CHANNEL_AXIS:
        return len(_USUAL_AXES) + 1
    return _USUAL_AXES.index(name) if name in _USUAL_AXES else len(_USUAL_AXES)


def _positions(image: ImageFile, place: int, at: Mapping[str, int]) -> list[int]:
    positions = list(image.default_index)
    others = [name for i, name in enumerate(image.axes) if i != place]
    for name, number in at.items():
        if name not in others:
            raise InvalidInput(
                f"{image.path.name} has no other axis {name} to stand at: "
                + (f"there are {', '.join(others)}." if others else "there is none.")
            )
        length = image.leading_shape[image.axes.index(name)]
        if not 0 <= number < length:
            raise InvalidInput(
                f"{image.path.name} has no plane {number} along {name}: choose 0 to {length - 1}."
            )
        positions[image.axes.index(name)] = number
    return positions
