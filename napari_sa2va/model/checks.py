"""Refusing what cannot be asked, before anything is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sa2va.errors import InvalidInput
from napari_sa2va.model.prompts import IMAGE

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
