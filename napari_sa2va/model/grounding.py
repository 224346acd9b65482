"""From language embeddings to masks of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from napari_sa2va.model.sam2_network import FrameFeatures, GroundingSam2

# Objects decoded in one pass; more would take memory and no longer be faster.
OBJECTS_AT_ONCE: Final = 8


class Mask(NamedTuple):
    """A mask and what SAM2 thinks of it; see `results.Segment`."""

    logits: NDArray[np.float32]
    mask: NDArray[np.bool_]
    iou: float
    mean_probability: float
    present: float


@torch.inference_mode()
def see(
    sam2: GroundingSam2, image: Tensor, original: nn.Module | None = None
) -> tuple[FrameFeatures, FrameFeatures]:
    """Encode an image once, for any number of objects.

    Parameters
    ----------
    image : Tensor, shape (3, image_size, image_size)
        Resized and normalised.
    original : Module, optional
        SAM2's original mask decoder.

    Returns
    -------
    The features reduced for the fine-tuned decoder, and for the original one.
    """
    seen = sam2.encode(image[None].to(sam2.device))
    tuned = sam2.for_decoder(seen)
    if original is None or original is sam2.sam_mask_decoder:
        return tuned, tuned
    return tuned, sam2.for_decoder(seen, original)


def masks(
    sam2: GroundingSam2, features: FrameFeatures, language: Tensor, size: tuple[int, int]
) -> Iterator[Mask]:
    """Decode the mask of every object.

    Parameters
    ----------
    features : FrameFeatures
        Of one image, from `see`.
    language : Tensor, shape (n, d_model)
        Language embeddings.
    size : tuple of int
        Height and width of the image.
    """
    for some in torch.split(language, OBJECTS_AT_ONCE):
        for decoded in _decode(sam2, features, some):
            yield finished(*decoded, size)


@torch.inference_mode()
def _decode(
    sam2: GroundingSam2, features: FrameFeatures, language: Tensor
) -> list[tuple[Tensor, Tensor, float, float]]:
    n = len(language)
    out = sam2.heads(
        sam2.without_memory(features.top).expand(n, -1, -1, -1),
        features.expanded(n).fine,
        language=language[:, None],
    )
    ious = out.ious.float().amax(dim=-1).tolist()
    present = out.object_score_logits.float().sigmoid()[:, 0].tolist()
    return list(zip(out.low_res_masks[:, 0], out.high_res_masks[:, 0], ious, present, strict=True))


@torch.inference_mode()
def finished(low: Tensor, high: Tensor, iou: float, present: float, size: tuple[int, int]) -> Mask:
    """Bring a mask from SAM2's resolution to the image's.

    Parameters
    ----------
    low, high : Tensor of float32, shapes (s, s) and (S, S)
        Logits at SAM2's low resolution and at its input size.
    size : tuple of int
        Height and width of the image.
    """
    logits = F.interpolate(high[None, None], size=size, mode="bilinear", align_corners=False)[0, 0]
    mask = logits > 0  # probability over 0.5
    inside = logits[mask]
    mean = float(inside.sigmoid().mean()) if len(inside) else float("nan")
    return Mask(low.cpu().numpy(), mask.cpu().numpy(), float(iou), mean, float(present))
