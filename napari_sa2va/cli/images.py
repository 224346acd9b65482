"""From a file name and options to the plane that the model looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames import open_image

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sa2va.frames import FrameSource, ImageFile

_CHANNEL_AXIS: Final = "c"


@dataclass(frozen=True, slots=True)
class ImageOptions:
    """How an image file is looked at.

    Attributes
    ----------
    contrast : (float, float) or None
        Values drawn black and white; None for those that napari would set.
    index : tuple of int or None
        Position on each axis before rows and columns; None for the plane that napari shows first.
    channel : int or None
        Position on the channel axis; `index` then has one number less.
    """

    contrast: tuple[float, float] | None = None
    index: tuple[int, ...] | None = None
    channel: int | None = None


def open_plane(path: Path, options: ImageOptions) -> FrameSource:
    """Open an image file and choose its plane.

    Raises
    ------
    InvalidInput
        If the file is no image, or has no such plane.
    """
    image = open_image(path, contrast_limits=options.contrast)
    return image.frames(plane_index(image, options))


def plane_index(image: ImageFile, options: ImageOptions) -> tuple[int, ...] | None:
    """Return the plane of an opened file that options choose; None for the default.

    Raises
    ------
    InvalidInput
        If a channel is chosen, and no axis is named so.
    """
    if options.channel is None:
        return options.index
    if _CHANNEL_AXIS not in image.axes:
        axes = f"its axes are {', '.join(image.axes)}" if image.axes else "it is a single plane"
        raise InvalidInput(
            f"{image.path.name} has no channel axis that is named so ({axes}). "
            "Choose the plane with --index."
        )
    at = image.axes.index(_CHANNEL_AXIS)
    default = image.default_index
    others = options.index or (default[:at] + default[at + 1 :])
    return (*others[:at], options.channel, *others[at:])
