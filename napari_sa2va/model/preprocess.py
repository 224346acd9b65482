"""From pixels to the tensors that both vision towers take.

The official inference resizes with Pillow, and which filter it uses where is part of the model:
torchvision's resize moves thousands of mask pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sa2va.model.config import Sa2VAConfig

IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)


def tile_grid(height: int, width: int, config: Sa2VAConfig) -> tuple[int, int]:
    """Choose InternVL's grid of tiles for an image.

    The grid whose aspect ratio is closest wins; on a tie a grid of more tiles wins only when the
    image's area exceeds half of that grid's pixel area.

    Returns
    -------
    columns, rows : int
    """
    grids = sorted(
        {
            (columns, rows)
            for columns in range(1, config.max_tiles + 1)
            for rows in range(1, config.max_tiles + 1)
            if config.min_tiles <= columns * rows <= config.max_tiles
        },
        # The official code sorts a set of pairs by tile count alone; pairs of equal count keep
        # the set's order there, which cannot matter: their aspect ratios differ.
        key=lambda grid: (grid[0] * grid[1], grid),
    )
    ratio = width / height
    best, best_difference = (1, 1), float("inf")
    for columns, rows in grids:
        difference = abs(ratio - columns / rows)
        if difference < best_difference:
            best, best_difference = (columns, rows), difference
        elif difference == best_difference:
            if width * height > 0.5 * config.tile_size**2 * columns * rows:
                best = (columns, rows)
    return best


def image_tiles(pixels: NDArray[np.uint8], config: Sa2VAConfig) -> Tensor:
    """Cut an image into normalised tiles, with a thumbnail last when there are several.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)

    Returns
    -------
    Tensor of float32, shape (tiles, 3, tile, tile)
    """
    image = Image.fromarray(pixels)
    columns, rows = tile_grid(pixels.shape[0], pixels.shape[1], config)
    side = config.tile_size
    resized = image.resize((side * columns, side * rows))  # Pillow's default filter: bicubic
    tiles = [
        resized.crop((c * side, r * side, (c + 1) * side, (r + 1) * side))
        for r in range(rows)
        for c in range(columns)
    ]
    if config.use_thumbnail and len(tiles) > 1:
        tiles.append(image.resize((side, side)))
    return torch.stack([_normalised(np.asarray(tile)) for tile in tiles])


def frame_tile(pixels: NDArray[np.uint8], config: Sa2VAConfig) -> Tensor:
    """Squeeze a video frame into one normalised tile, shape (3, tile, tile)."""
    side = config.tile_size
    return _normalised(
        np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC))
    )


def sam2_image(pixels: NDArray[np.uint8], config: Sa2VAConfig) -> Tensor:
    """Resize an image to SAM2's square and normalise it.

    Mean and standard deviation are rounded to bfloat16, as in the official code.

    Returns
    -------
    Tensor of float32, shape (3, image_size, image_size)
    """
    side = config.sam2.image_size
    resized = np.asarray(Image.fromarray(pixels).resize((side, side)))
    values = torch.from_numpy(resized.copy()).permute(2, 0, 1).float() / 255
    mean = torch.tensor(IMAGENET_MEAN).bfloat16().float()[:, None, None]
    std = torch.tensor(IMAGENET_STD).bfloat16().float()[:, None, None]
    return (values - mean) / std


def _normalised(tile: NDArray[np.uint8]) -> Tensor:
    values = torch.from_numpy(tile.copy()).permute(2, 0, 1).float() / 255
    mean = torch.tensor(IMAGENET_MEAN)[:, None, None]
    std = torch.tensor(IMAGENET_STD)[:, None, None]
    return (values - mean) / std
