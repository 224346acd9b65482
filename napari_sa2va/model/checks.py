"""Refusing what cannot be asked, before anything is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from napari_sa2va.errors import InvalidInput, Sa2VAError, UnreadablePlane
from napari_sa2va.model.prompts import IMAGE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


class Frames(Protocol):
    """Frames of one size, read when asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> NDArray[np.uint8]: ...


def check_question(
    image: NDArray[np.uint8] | None, text: str, regions: NDArray[np.bool_] | None
) -> None:
    """Raise `InvalidInput` unless a question can be asked as given."""
    if not text.replace(IMAGE, "").strip():
        raise InvalidInput("The question is empty. Type what to look for.")
    if image is None:
        if regions is not None:
            raise InvalidInput("Regions need an image. Choose one.")
        return
    check_image(image)
    if regions is not None and (
        regions.dtype != np.bool_ or regions.shape[1:] != image.shape[:2] or not len(regions)
    ):
        raise InvalidInput(
            f"Regions must be boolean masks of the image's size {image.shape[:2]}, not "
            f"{regions.dtype} of shape {regions.shape}."
        )


def check_image(image: object) -> None:
    """Raise `InvalidInput` unless this is an array that holds an RGB image."""
    if not isinstance(image, np.ndarray):
        raise InvalidInput(
            f"An image must be a numpy array, not {type(image).__name__}: try numpy.asarray(image)."
        )
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise InvalidInput(
            "An image must be RGB in 8 bits, shape (height, width, 3), not "
            f"{image.dtype} of shape {image.shape}."
        )


def read_frame(
    frames: Frames, index: int, size: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Read a frame.

    Parameters
    ----------
    size : tuple of int, optional
        Height and width that it must have, since the others have.

    Raises
    ------
    UnreadablePlane
        Whatever a lazy array raised but errors of ours and a lack of memory; or if the size is
        another.
    InvalidInput
        If it is no RGB image.
    """
    try:
        frame = frames[index]
    except (Sa2VAError, MemoryError):
        raise
    # Behind a lazy array may be any reader, and each has errors of its own.
    except Exception as error:
        raise UnreadablePlane(index, str(error) or type(error).__name__) from error
    check_image(frame)
    if size is not None and frame.shape[:2] != size:
        height, width = frame.shape[:2]
        raise UnreadablePlane(
            index, f"it has {height} by {width} pixels, the others {size[0]} by {size[1]}"
        )
    return frame


def checked_range(frames: Frames, within: tuple[int, int] | None) -> tuple[int, int]:
    """Return a range of frames, the whole stack by default; raise `InvalidInput` if it is none."""
    if not len(frames):
        raise InvalidInput("There are no frames to look at.")
    start, stop = (0, len(frames)) if within is None else within
    if not 0 <= start < stop <= len(frames):
        raise InvalidInput(
            f"The range must lie within 0 to {len(frames)} and hold a frame, not go from {start} "
            f"up to {stop}: the frame at its end is left out."
        )
    return int(start), int(stop)


def check_keys(within: tuple[int, int], keys: Sequence[int]) -> None:
    """Raise `InvalidInput` unless there are frames to start from, all within the range."""
    start, stop = within
    wrong = [key for key in keys if not start <= key < stop]
    if wrong or not keys:
        raise InvalidInput(
            f"The frames to look at must be among {start} to {stop - 1}"
            + (f", not {wrong[0]}." if wrong else "; none is given.")
        )


def check_masks(frames: Frames, masks: Mapping[int, NDArray[np.bool_]]) -> None:
    """Raise `InvalidInput` unless masks fit their frames and each other."""
    counts = {len(given) for given in masks.values()}
    for index, given in masks.items():
        size = read_frame(frames, index).shape[:2]
        if given.dtype != np.bool_ or given.ndim != 3 or given.shape[1:] != size or not len(given):
            raise InvalidInput(
                f"The masks of frame {index} must be boolean, of shape (objects, {size[0]}, "
                f"{size[1]}), not {given.dtype} of shape {given.shape}."
            )
    if len(counts) > 1:
        raise InvalidInput("Every frame must have masks of the same objects, in the same order.")


def check_checks(check_every: int, texts: Sequence[str]) -> None:
    """Raise `InvalidInput` unless expressions can be asked again so often."""
    if check_every < 0:
        raise InvalidInput(f"Checking every {check_every} frames is not possible; 0 is never.")
    if check_every and not texts:
        raise InvalidInput(
            "Objects tracked from masks have no expression that could be asked again. Turn the "
            "checks off."
        )
