"""The frame of requests that look at one plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames import read_single_frame

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_sa2va.frames.source import FrameSource


def only_frame(frames: FrameSource) -> NDArray[np.uint8]:
    """Read the frame of a source that has one.

    Raises
    ------
    InvalidInput
        If there are more, or it cannot be read.
    """
    if len(frames) != 1:
        raise InvalidInput(
            f"There are {len(frames)} frames, and a question looks at one plane. Choose one plane, "
            "or follow what you look for through all of them."
        )
    return read_single_frame(frames)
