"""Regions that a question points at: prompt masks as visual tokens of the last tile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from napari_sa2va.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor


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
    grids = F.interpolate(
        torch.from_numpy(masks.astype(np.float32))[None], size=(token_side,) * 2, mode="nearest"
    )[0]
    found = []
    for number, (mask, grid) in enumerate(zip(masks, grids, strict=True), start=1):
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
