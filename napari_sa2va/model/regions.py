"""Regions that a question points at: prompt masks as visual tokens of the last tile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch
import torch.nn.functional as F

from napari_sa2va.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

# A region of fewer visual tokens is looked at in a crop of its own.
FEWEST_TOKENS: Final = 4
# A crop is not made smaller than that, in pixels, as long as the region still gets its tokens.
_LEAST_SIDE: Final = 32


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
    for number, (mask, grid) in enumerate(
        zip(masks, _grids(masks, token_side), strict=True), start=1
    ):
        if not mask.any():
            raise InvalidInput(f"Region {number} is empty. Draw it again, or take it out.")
        indices = grid.flatten().nonzero()[:, 0]
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
    return int(_grids(mask[None], token_side).count_nonzero())


def closer_look(mask: NDArray[np.bool_], token_side: int) -> tuple[slice, slice] | None:
    """Return the part of the image to look at instead, for a region too small to be described.

    The crop is three times as high and as wide as the region, a margin of the region's own size on
    every side, and at least 32 pixels; but never larger than what leaves the region two rows and
    two columns of tokens, which are `FEWEST_TOKENS` for a solid one. At the image's border it is
    moved inwards. A thin, slanting region may cover fewer in the crop as well; `region_tokens`
    then gives it the one that it lies in.

    Parameters
    ----------
    mask : ndarray of bool, shape (height, width)
        Not empty.
    token_side : int
        Side of a tile's grid of visual tokens.

    Returns
    -------
    rows, columns : slice
        Or None where the region covers `FEWEST_TOKENS` or more, or where the crop would be the
        whole image.

    Raises
    ------
    InvalidInput
        If the region is empty.
    """
    if not mask.any():
        raise InvalidInput("The region is empty. Draw it again, or take it out.")
    if tokens_covered(mask, token_side) >= FEWEST_TOKENS:
        return None
    found_rows, found_columns = mask.nonzero()
    rows = _with_margin(found_rows, mask.shape[0], token_side)
    columns = _with_margin(found_columns, mask.shape[1], token_side)
    if (rows.stop - rows.start, columns.stop - columns.start) == mask.shape:
        return None
    return rows, columns


def _with_margin(found: NDArray[np.intp], length: int, token_side: int) -> slice:
    """Widen the extent of a region along one axis of the image."""
    start, stop = int(found.min()), int(found.max()) + 1
    extent = stop - start
    side = max(extent, min(max(3 * extent, _LEAST_SIDE), extent * token_side // 2))
    side = min(side, length)
    begin = min(max(start - (side - extent) // 2, 0), length - side)
    return slice(begin, begin + side)


def _grids(masks: NDArray[np.bool_], token_side: int) -> Tensor:
    """Resize masks (n, height, width) to the token grid, with torch's nearest rule."""
    return F.interpolate(
        torch.from_numpy(masks.astype(np.float32))[None], size=(token_side,) * 2, mode="nearest"
    )[0]
