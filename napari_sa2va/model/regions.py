"""Regions that a question points at: prompt masks as visual tokens of the last tile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch
import torch.nn.functional as F

from napari_sa2va.annotation.masks import bounding_box
from napari_sa2va.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

# A region of fewer visual tokens is looked at in a crop of its own.
FEWEST_TOKENS: Final = 4
# In pixels: in less there would be nothing to see round a region.
_LEAST_SIDE: Final = 32
_SHRINK: Final = 0.95  # from one size of a crop that is tried to the next


def region_tokens(masks: NDArray[np.bool_], token_side: int) -> list[Tensor]:
    """Find the visual tokens that each region covers.

    Each mask is resized to the token grid with torch's nearest rule, as in the official code. A
    region too small to hit any token there would be described without being seen; it gets the
    token that its centre of mass lies in.

    Parameters
    ----------
    masks : ndarray of bool, shape (n, height, width)
    token_side : int
        Side of a tile's grid of visual tokens.

    Returns
    -------
    list of Tensor of int64
        For each region, indices into the tile's tokens in reading order.

    Raises
    ------
    InvalidInput
        If a region is empty.
    """
    found = []
    for number, mask in enumerate(masks, start=1):
        if not mask.any():
            raise InvalidInput(f"Region {number} is empty. Draw it again, or take it out.")
        indices = torch.from_numpy(np.flatnonzero(_grid(mask, token_side)))
        if not len(indices):
            height, width = mask.shape
            rows, columns = mask.nonzero()
            row = int((rows.mean() + 0.5) / height * token_side)
            column = int((columns.mean() + 0.5) / width * token_side)
            indices = torch.tensor([row * token_side + column])
        found.append(indices)
    return found


def tokens_covered(mask: NDArray[np.bool_], token_side: int) -> int:
    """Count the visual tokens of the last tile that a region covers.

    Unlike in `region_tokens`, a region too small to hit any counts 0.

    Parameters
    ----------
    mask : ndarray of bool, shape (height, width)
    token_side : int
        Side of a tile's grid of visual tokens.
    """
    return int(np.count_nonzero(_grid(mask, token_side)))


def closer_look(masks: NDArray[np.bool_], token_side: int) -> tuple[slice, slice] | None:
    """Return the part of the image to look at instead, for regions too small to be described.

    It is the largest square round all regions in which each covers `FEWEST_TOKENS`: what is
    around helps to tell what something is. (Shown like that, the demo checkpoint tells the shape
    of small cells as often as in the whole image, for three of four; in crops of three times their
    size for one of three. What is large or small can be told in the whole image only.) Where a
    region is too thin to cover so many, or the regions lie too far apart, it is the square in
    which the smallest covers most. At the image's border the crop is moved inwards.

    Parameters
    ----------
    masks : ndarray of bool, shape (n, height, width)
        None of them empty.
    token_side : int
        Side of a tile's grid of visual tokens.

    Returns
    -------
    rows, columns : slice
        Or None where every region covers `FEWEST_TOKENS` or more in the whole image, or the
        smallest covers no more in any crop.

    Raises
    ------
    InvalidInput
        If a region is empty.
    """
    best, crop = fewest_tokens(masks, token_side), None
    spans = _spans(masks)
    least = max(span.stop - span.start for span in spans)
    side = max(masks.shape[1:])
    while best < FEWEST_TOKENS and side > least:
        side = max(int(side * _SHRINK), least)
        rows, columns = (
            _with_margin(span, side, length)
            for span, length in zip(spans, masks.shape[1:], strict=True)
        )
        fewest = fewest_tokens(masks[:, rows, columns], token_side)
        if fewest > best:
            best, crop = fewest, (rows, columns)
    return crop


def crop_round(masks: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return a square part of the image, three times as large as what regions span.

    At least 32 pixels high and wide, and cut off where the image ends.

    Parameters
    ----------
    masks : ndarray of bool, shape (n, height, width)

    Raises
    ------
    InvalidInput
        If a region is empty.
    """
    spans = _spans(masks)
    side = max(_LEAST_SIDE, *(3 * (span.stop - span.start) for span in spans))
    rows, columns = (
        _with_margin(span, side, length)
        for span, length in zip(spans, masks.shape[1:], strict=True)
    )
    return rows, columns


def fewest_tokens(masks: NDArray[np.bool_], token_side: int) -> int:
    """Count the visual tokens of the region that covers the fewest.

    Raises
    ------
    InvalidInput
        If a region is empty.
    """
    for number, mask in enumerate(masks, start=1):
        if not mask.any():
            raise InvalidInput(f"Region {number} is empty. Draw it again, or take it out.")
    return min(tokens_covered(mask, token_side) for mask in masks)


def _spans(masks: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the rows and columns that regions reach over, all together."""
    boxes = [bounding_box(mask) for mask in masks]
    if any(rows.stop == 0 for rows, _ in boxes):
        raise InvalidInput("A region is empty. Draw it again, or take it out.")
    rows, columns = (
        slice(min(side.start for side in sides), max(side.stop for side in sides))
        for sides in zip(*boxes, strict=True)
    )
    return rows, columns


def _with_margin(span: slice, side: int, length: int) -> slice:
    """Widen a span along one axis of the image to a side, as far as there is image."""
    extent = span.stop - span.start
    side = max(extent, min(side, length))
    begin = min(max(span.start - (side - extent) // 2, 0), length - side)
    return slice(begin, begin + side)


def _grid(mask: NDArray[np.bool_], token_side: int) -> NDArray[np.bool_]:
    """Resize a mask to the token grid, with torch's nearest rule.

    That takes single pixels, by row and by column: here, only those are read.
    """
    rows, columns = (
        F.interpolate(
            torch.arange(length, dtype=torch.float32)[None, None], size=token_side, mode="nearest"
        )[0, 0].to(torch.int64)
        for length in mask.shape
    )
    return np.asarray(mask[np.ix_(rows.numpy(), columns.numpy())])
