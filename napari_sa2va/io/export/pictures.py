"""The image that was annotated: its planes as pictures, and its own numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sa2va.frames import ArrayFrames

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_sa2va.frames import ArrayLike, Channel


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Arrays with the axes of the labels, one per channel, and how they are drawn.

    Attributes
    ----------
    names : tuple of str
        Of the channels.
    arrays : tuple of array-likes
        With a last axis of colour components where `rgb` says so. Read a plane at a time.
    channels : tuple of Channel
    rgb : tuple of bool
    """

    names: tuple[str, ...]
    arrays: tuple[ArrayLike, ...]
    channels: tuple[Channel, ...]
    rgb: tuple[bool, ...]

    def plane(self, place: tuple[int, ...]) -> NDArray[np.uint8]:
        """Draw a plane as it was looked at: (height, width, 3)."""
        frames = ArrayFrames(self.arrays, self.channels, [(*place, None, None)], rgb=self.rgb)
        return frames[0]

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether all arrays have the axes of labels of this shape."""
        return all(
            tuple(array.shape[:-1] if rgb else array.shape) == shape
            for array, rgb in zip(self.arrays, self.rgb, strict=True)
        )
