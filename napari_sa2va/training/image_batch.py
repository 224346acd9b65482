"""Images with dialogues as tensors, wherever they come from: drawn scenes or a lab's own folder."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sa2va.model.config import Sa2VAConfig
    from napari_sa2va.training.trees import Sequences

CLICKED: Final = 4
"""Objects of an image that are found by points, a box or paint."""


@dataclass(slots=True)
class ImageBatch:
    """Images with dialogues, all of as many tiles; masks are of the image squeezed into a square.

    Attributes
    ----------
    tiles : Tensor, shape (b · tiles, 3, tile, tile)
    images : Tensor, shape (b, 3, s, s)
    seg_masks : Tensor, shape (q, m, m)
        What each ``[SEG]`` means; zero where there is no such thing.
    prompt_masks : Tensor, shape (r, m, m)
        What each question is about, zero where that is absent.
    clicked_image : Tensor of int64, shape (p,)
    clicked_masks : Tensor, shape (p, m, m)
        Objects to be found by clicks, and the images they are in.
    token_classes, feature_classes : Tensor of int64, shape (b, kinds, places), or None
        Labels (`world_batches.ALL_CLASSES`) under each visual token and SAM2 feature; -100: ignore.
        None where nobody knows them.
    """

    sequences: Sequences
    tiles: Tensor
    images: Tensor
    seg_masks: Tensor
    prompt_masks: Tensor
    clicked_image: Tensor
    clicked_masks: Tensor
    token_classes: Tensor | None = None
    feature_classes: Tensor | None = None

    def to(self, device: torch.device) -> ImageBatch:
        """Move all tensors."""
        return ImageBatch(**{f.name: moved(getattr(self, f.name), device) for f in fields(self)})


def moved(value: Any, device: torch.device) -> Any:
    """Move a tensor, or the tensors of a dataclass, to a device; None stays None."""
    if value is None:
        return None
    if isinstance(value, torch.Tensor):
        return value.to(device, non_blocking=True)
    parts = {f.name: moved(getattr(value, f.name), device) for f in fields(value)}
    return type(value)(**parts)


def mask_side(config: Sa2VAConfig) -> int:
    """Side of SAM2's masks of low resolution, as soft masks have it."""
    return config.sam2.image_size // 4


def soft(fine: NDArray[np.bool_], side: int) -> Tensor:
    """Average square masks over blocks, to shape (n, side, side)."""
    factor = fine.shape[-1] // side
    blocks = fine.reshape(len(fine), side, factor, side, factor)
    return torch.from_numpy(blocks.mean(axis=(2, 4), dtype=np.float32))


def union(masks: Tensor, targets: Sequence[tuple[int, ...]]) -> Tensor:
    """Join the masks of each group of objects; zero for none."""
    side = masks.shape[-1]
    joined = [masks[list(group)].amax(0) if group else torch.zeros(side, side) for group in targets]
    return torch.stack(joined) if joined else torch.zeros(0, side, side)
