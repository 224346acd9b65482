"""From pixels to the patches that Qwen-VL's vision towers take."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from PIL import Image

from napari_sa2va.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sa2va.model.config import Sa2VAConfig

# What the official inference asks for, in pixels: first of qwen_vl_utils' resize, whose unit is 28
# pixels for Qwen3-VL too, then of the checkpoint's image processor.
_UNIT: Final = 28
_FIRST: Final = (4 * _UNIT**2, 16384 * _UNIT**2)
SECOND: Final = (512 * _UNIT**2, 2048 * _UNIT**2)
_LONGEST: Final = 200  # times the shorter side: what both resizes refuse


def image_patches(pixels: NDArray[np.uint8], config: Sa2VAConfig) -> tuple[Tensor, tuple[int, int]]:
    """Resize an image and cut it into normalised patches.

    Both resizes are Pillow's bicubic one, as in the golden runs: torchvision's moves visual tokens
    by up to 6e-3.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)

    Returns
    -------
    patches : Tensor of float32, shape (rows * columns, values)
        Blocks of patches that become one visual token lie together, in reading order. A patch
        holds the image twice: the towers take two frames at a time.
    grid : tuple of int
        Rows and columns of patches.

    Raises
    ------
    InvalidInput
        If the image is longer than 200 times its shorter side.
    """
    vision = config.vision
    merge, frames = int(vision["spatial_merge_size"]), int(vision["temporal_patch_size"])
    patch = config.patch_size
    image = Image.fromarray(pixels)
    for unit, (least, most) in ((_UNIT, _FIRST), (patch * merge, SECOND)):
        height, width = smart_size(image.height, image.width, unit, least, most)
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    values = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float() / 255
    mean, std = (torch.tensor(v)[:, None, None] for v in (config.image_mean, config.image_std))
    rows, columns = image.height // patch, image.width // patch
    blocks = ((values - mean) / std).reshape(
        3, rows // merge, merge, patch, columns // merge, merge, patch
    )
    blocks = blocks.permute(1, 4, 2, 5, 0, 3, 6)[:, :, :, :, :, None]
    blocks = blocks.expand(-1, -1, -1, -1, -1, frames, -1, -1)
    return blocks.reshape(rows * columns, -1), (rows, columns)


def smart_size(height: int, width: int, unit: int, least: int, most: int) -> tuple[int, int]:
    """Choose the size that an image is resized to, as Qwen2-VL does.

    Both sides are multiples of a unit, the area is within bounds, and the shape is kept as far as
    that allows.

    Parameters
    ----------
    height, width : int
        Of the image, in pixels.
    unit : int
        In pixels.
    least, most : int
        Bounds on the area, in square pixels.

    Raises
    ------
    InvalidInput
        If one side is longer than 200 times the other.
    """
    if max(height, width) > _LONGEST * min(height, width):
        raise InvalidInput(
            f"This checkpoint takes no image that is more than {_LONGEST} times as long as wide, "
            f"and this one has {height} by {width} pixels. Look at a part of it."
        )
    sides = [max(unit, round(side / unit) * unit) for side in (height, width)]
    area = sides[0] * sides[1]
    if area > most:
        shrink = math.sqrt(height * width / most)
        sides = [max(unit, math.floor(side / shrink / unit) * unit) for side in (height, width)]
    elif area < least:
        grow = math.sqrt(least / (height * width))
        sides = [math.ceil(side * grow / unit) * unit for side in (height, width)]
    return sides[0], sides[1]
