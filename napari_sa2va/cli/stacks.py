"""From a file name and options to the stack that is tracked through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames import ArrayFrames, open_image
from napari_sa2va.io.pixel_size import PixelSize, read_pixel_size

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sa2va.cli.images import ImageOptions
    from napari_sa2va.frames import FrameSource


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Planes along one axis of a file.

    Attributes
    ----------
    path : Path
    frames : FrameSource
        One a plane, read when asked for.
    axis : str
        Name of the axis.
    pixel_size : PixelSize or None
        In micrometres, where the file says.
    step : float or None
        From a plane to the next: in micrometres along z, in seconds along t.
    """

    path: Path
    frames: FrameSource
    axis: str
    pixel_size: PixelSize | None
    step: float | None

    @property
    def length(self) -> int:
        """How many planes there are."""
        return len(self.frames)

    @property
    def shown_first(self) -> int:
        """The plane that napari shows on opening the file: the middle, the lower of two.

        So `Dims._go_to_center_step` in napari/components/dims.py, 0.9.2.
        """
        return (self.length - 1) // 2


def open_tracked(path: Path, axis: str | None, options: ImageOptions) -> Stack:
    """Open a file as a stack.

    Parameters
    ----------
    path : Path
    axis : str, optional
        Name or number of the axis; left out, time before depth before others.
    options : ImageOptions
        Its `index` counts the axes that are left.

    Raises
    ------
    InvalidInput
        If the file cannot be read, has no such axis, or a single plane along it.
    """
    image = open_image(path, contrast_limits=options.contrast)
    if not image.axes:
        raise InvalidInput("one plane")
    at = image.axes.index(axis or image.axes[0])
    place = list(image.default_index)
    planes = [
        (*place[:at], i, *place[at + 1 :], None, None) for i in range(image.leading_shape[at])
    ]
    frames = ArrayFrames((image.array,), (image.channel,), planes, rgb=(image.rgb,))
    return Stack(path, frames, image.axes[at], read_pixel_size(path), None)
