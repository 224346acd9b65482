"""Reading one frame of a stack whose planes come from files, networks or a user's own code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sa2va.errors import Cancelled, InvalidInput, NotEnoughMemory, UnreadablePlane

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sa2va.frames.source import FrameSource


def read_frame(frames: FrameSource, index: int) -> NDArray[np.uint8]:
    """Read one frame, and say which one it was where that fails.

    Parameters
    ----------
    frames : FrameSource
    index : int
        Position in the stack, from 0.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)

    Raises
    ------
    UnreadablePlane
        Whatever the array behind it raised, or a plane of no pixels or of another size than the
        stack announces.
    MemoryError, NotEnoughMemory, Cancelled
        As they are: the plane is not to blame.
    IndexError
        There is no such frame.
    """
    if not 0 <= index < len(frames):
        raise IndexError(f"there are frames 0 to {len(frames) - 1}, not {index}")
    try:
        frame = frames[index]
        _check(frame, frames.shape)
    except (MemoryError, NotEnoughMemory, Cancelled):
        raise
    # Behind a lazy array may be any reader, and each has errors of its own.
    except Exception as error:
        raise UnreadablePlane(index, str(error) or type(error).__name__) from error
    return frame


def read_single_frame(frames: FrameSource) -> NDArray[np.uint8]:
    """Read the frame of a source that has one, whose number there says nothing to a user.

    Raises
    ------
    InvalidInput
        If it cannot be read, or there is nothing to see in it.
    MemoryError, NotEnoughMemory, Cancelled
        As in `read_frame`.
    """
    try:
        return read_frame(frames, 0)
    except UnreadablePlane as error:
        cause = error.__cause__
        if isinstance(cause, InvalidInput):  # says itself what is wrong, and what to do
            raise cause from None
        reason = (str(cause) or type(cause).__name__).rstrip(". ")
        raise InvalidInput(
            f"The plane could not be read: {reason}. Check the file or the drive it is on, or "
            "choose another plane."
        ) from error


def _check(frame: NDArray[np.uint8], size: tuple[int, int]) -> None:
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise ValueError(
            f"it is {frame.dtype} of shape {frame.shape}, where 8-bit RGB was expected"
        )
    if frame.size == 0:
        raise ValueError("it has no pixels")
    if frame.shape[:2] != tuple(size):
        height, width = frame.shape[:2]
        raise ValueError(f"it has {height} by {width} pixels, the stack {size[0]} by {size[1]}")
