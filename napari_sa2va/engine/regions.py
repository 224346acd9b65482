"""How the model gets to see the regions of a question: in the whole image, or from closer by.

torch is imported when it is needed: docks and commands import this package before the model.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from napari_sa2va.annotation.masks import resize_bilinear
from napari_sa2va.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sa2va.engine.request import Question

# Told apart by people and models, and by name.
_OUTLINES: Final = {
    "yellow": (255, 255, 0),
    "cyan": (0, 255, 255),
    "magenta": (255, 0, 255),
    "white": (255, 255, 255),
    "orange": (255, 140, 0),
    "blue": (0, 0, 255),
}
_PIXELS_A_LINE: Final = 128  # an outline is one pixel wide for so many of the picture
_OUTSIDE: Final = -32.0  # a logit: not there, as far as 32-bit numbers can tell


class View(NamedTuple):
    """What a question is asked about.

    Attributes
    ----------
    image : ndarray of uint8, shape (height, width, 3)
        The frame, or a part of it.
    regions : ndarray of bool, shape (n, height, width), or None
        Of that image.
    text : str
        The question, in words that fit the image.
    box : tuple of slice, or None
        Rows and columns of the frame that the image is; None for all of it.
    looked : str
        How the model looked, for people; empty where it looked at the whole frame.
    """

    image: NDArray[np.uint8]
    regions: NDArray[np.bool_] | None
    text: str
    box: tuple[slice, slice] | None = None
    looked: str = ""


def view_of(
    image: NDArray[np.uint8],
    question: Question,
    *,
    takes_regions: bool,
    token_side: int,
    closer: bool = True,
) -> View:
    """Choose what a model is to look at.

    A region of fewer than four visual tokens could not be told from its surroundings: the model
    gets a crop round the regions instead, where that helps. A checkpoint that takes no regions
    gets a crop in which they are outlined, and the question speaks of the outlines.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width, 3)
    question : Question
    takes_regions : bool
        Whether the checkpoint was trained with regions.
    token_side : int
        Side of a tile's grid of visual tokens.
    closer : bool
        False where the model must see the whole image, such as to go on talking about it.

    Raises
    ------
    InvalidInput
        If a region is empty or of another size than the image, or there are too many to outline.
    """
    if not question.regions:
        return View(image, None, question.text)
    size = image.shape[:2]
    for number, region in enumerate(question.regions, start=1):
        if region.shape != size:
            raise InvalidInput(
                f"Region {number} is of {region.shape[0]} by {region.shape[1]} pixels, the image "
                f"of {size[0]} by {size[1]}. Draw it on this image."
            )
        if not region.area:
            raise InvalidInput(f"Region {number} is empty. Draw it again, or take it out.")
    masks = np.stack([region.unpack() for region in question.regions])
    if takes_regions:
        return _pointed_out(image, masks, question.text, token_side, closer=closer)
    return _outlined(image, masks, question.text, closer=closer)


def in_words_for(text: str, count: int, *, takes_regions: bool) -> str:
    """Return an earlier question about so many regions in the words of its `View`."""
    return text if takes_regions or not count else _spoken_of(text, count)


def in_frame(
    view: View, size: tuple[int, int], mask: NDArray[np.bool_], logits: NDArray[np.float32]
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Return a mask found in a view as one of the frame.

    Parameters
    ----------
    view : View
    size : tuple of int
        Height and width of the frame.
    mask : ndarray of bool, at the size of the view's image
    logits : ndarray of float32, shape (s, s)

    Returns
    -------
    mask : ndarray of bool, of the frame's size
    logits : ndarray of float32
        As they were; of a crop of the frame, at the frame's size.
    """
    if view.box is None:
        return mask, logits
    whole, soft = np.zeros(size, bool), np.full(size, _OUTSIDE, np.float32)
    whole[view.box] = mask
    soft[view.box] = resize_bilinear(logits, (mask.shape[0], mask.shape[1]))
    return whole, soft


def _pointed_out(
    image: NDArray[np.uint8],
    masks: NDArray[np.bool_],
    text: str,
    token_side: int,
    *,
    closer: bool,
) -> View:
    from napari_sa2va.model.regions import FEWEST_TOKENS, closer_look, fewest_tokens

    box = closer_look(masks, token_side) if closer else None
    if box is not None:
        inside = masks[(slice(None), *box)]
        return View(image[box], inside, text, box, _crop_in_words(inside))
    if fewest_tokens(masks, token_side) >= FEWEST_TOKENS:
        return View(image, masks, text)
    return View(image, masks, text, None, "whole image, in which it is very small")


def _outlined(
    image: NDArray[np.uint8], masks: NDArray[np.bool_], text: str, *, closer: bool
) -> View:
    """Draw what a checkpoint that takes no regions cannot be told otherwise."""
    from napari_sa2va.model.regions import crop_round

    if len(masks) > len(_OUTLINES):
        raise InvalidInput(
            f"This checkpoint takes no regions, and no more than {len(_OUTLINES)} can be outlined "
            f"for it at a time, not {len(masks)}. Ask about fewer, or choose another model."
        )
    box = crop_round(masks) if closer else (slice(0, masks.shape[1]), slice(0, masks.shape[2]))
    inside = masks[(slice(None), *box)]
    drawn = image[box].copy()
    for mask, colour in zip(inside, _OUTLINES.values(), strict=False):
        drawn[_outline(mask)] = colour
    how = "outlined, since the checkpoint takes no regions"
    asked = _spoken_of(text, len(masks))
    if inside.shape == masks.shape:
        return View(drawn, None, asked, None, f"whole image, {how}")
    return View(drawn, None, asked, box, f"{_crop_in_words(inside)}, {how}")


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels just outside a region, so that all of the region stays to be seen."""
    from scipy import ndimage  # type: ignore[import-untyped]

    width = max(1, round(max(mask.shape) / _PIXELS_A_LINE))
    grown = ndimage.binary_dilation(mask, np.ones((3, 3), bool), iterations=width)
    return np.asarray(grown & ~mask)


def _spoken_of(text: str, count: int) -> str:
    """Speak of outlines where a question speaks of regions."""
    names = [f"the object outlined in {colour}" for colour in list(_OUTLINES)[:count]]
    left_out = []
    for number, name in enumerate(names, start=1):
        text, found = re.subn(rf"\b(?:the )?region\s?{number}\b", name, text, flags=re.IGNORECASE)
        if not found:
            left_out.append(name)
    return f"Look at {' and '.join(left_out)}. {text}" if left_out else text


def _crop_in_words(inside: NDArray[np.bool_]) -> str:
    count, height, width = inside.shape
    return f"crop of {width} × {height} pixels round {'it' if count == 1 else 'them'}"  # noqa: RUF001
