"""Points, boxes and painted masks as SAM2 takes them, and the masks that its decoder answers with.

All of it is as in the image predictor of the ``sam2`` package (`SAM2ImagePredictor`), with which
the tests compare it: a box is two points in front of the others, with labels 2 and 3; the prompt
encoder adds half a pixel of SAM2's square and an empty point with label -1; without points there
are no sparse tokens at all; and earlier logits are clamped to ±32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from napari_sa2va.model.sam2_network import FrameFeatures, GroundingSam2

# How far earlier logits may go when they are sent along (the package's predictor).
_GREATEST: Final = 32.0
# Logits that stand for the inside and outside of a mask that is taken as given (SAM2's).
_INSIDE: Final = 10.0
_BOX_LABELS: Final = (2, 3)


class Prompts(NamedTuple):
    """What SAM2's prompt encoder takes, for one object.

    Attributes
    ----------
    points : tuple of Tensor, or None
        Coordinates (1, p, 2) of float32, x before y, in pixels of SAM2's square, and labels (1, p)
        of int32: 1 inside, 0 outside, 2 and 3 the corners of a box.
    mask : Tensor of float32, shape (1, 1, s, s), or None
        Logits at SAM2's low resolution.
    """

    points: tuple[Tensor, Tensor] | None
    mask: Tensor | None

    @property
    def ambiguous(self) -> bool:
        """Whether it is one click alone, which a part and the whole both fit."""
        return self.mask is None and self.points is not None and self.points[1].shape[1] == 1


class Decoded(NamedTuple):
    """Candidate masks: the chosen one first, then the others by their predicted IoU.

    Attributes
    ----------
    logits : Tensor of float32, shape (n, s, s)
    ious : list of float
    present : float
        Probability that there is an object at all.
    """

    logits: Tensor
    ious: list[float]
    present: float


def points_prompt(
    points: Sequence[tuple[float, float]],
    labels: Sequence[int],
    box: tuple[float, float, float, float] | None,
    size: tuple[int, int],
    side: int,
) -> tuple[Tensor, Tensor] | None:
    """Write points and a box as the prompt encoder takes them.

    Parameters
    ----------
    points : sequence of (row, column)
        In pixels of the image, whose centres are whole numbers.
    labels : sequence of int
        1 or 0 for each.
    box : (top, left, bottom, right), optional
    size : tuple of int
        Height and width of the image.
    side : int
        Of SAM2's square.
    """
    corners = [] if box is None else [(box[0], box[1]), (box[2], box[3])]
    every = [*corners, *points]
    if not every:
        return None
    height, width = size
    at = torch.tensor([[(float(column), float(row)) for row, column in every]])
    # The package scales whole-number centres so too, and then adds half a pixel of the square.
    at = at / torch.tensor([float(width), float(height)]) * side
    kinds = [*(_BOX_LABELS if corners else ()), *(int(label) for label in labels)]
    return at, torch.tensor([kinds], dtype=torch.int32)


def mask_prompt(
    mask: NDArray[np.bool_] | None, previous: NDArray[np.float32] | None, side: int
) -> Tensor | None:
    """Write a painted mask and earlier logits as one mask prompt.

    What is painted counts as inside, with SAM2's ±10 logits. With earlier logits it is added to
    them, and outside of it they stay. A stroke so thin that it would be lost at low resolution is
    widened to every place that it touches.

    Parameters
    ----------
    mask : ndarray of bool, shape (height, width), optional
    previous : ndarray of float32, shape (side, side), optional
    side : int
        Of SAM2's low resolution.

    Returns
    -------
    Tensor of float32, shape (1, 1, side, side), or None
    """
    earlier = None
    if previous is not None:
        earlier = torch.from_numpy(previous.astype(np.float32)).clamp(-_GREATEST, _GREATEST)
        earlier = earlier[None, None]
    if mask is None:
        return earlier
    painted = torch.from_numpy(mask.astype(np.float32))[None, None]
    cover = F.interpolate(
        painted, size=(side, side), mode="bilinear", align_corners=False, antialias=True
    )
    if not bool((cover > 0.5).any()):
        cover = F.adaptive_max_pool2d(painted, side)
    given = cover * 2 * _INSIDE - _INSIDE
    return given if earlier is None else torch.where(given > 0, earlier.maximum(given), earlier)


@torch.inference_mode()
def decode(
    sam2: GroundingSam2, decoder: nn.Module, features: FrameFeatures, prompts: Prompts
) -> Decoded:
    """Ask a mask decoder for one object.

    One click alone gets the best of the three candidates for ambiguous prompts; anything more the
    single mask that is trained for it, or the best candidate where that mask is unstable (its area
    depends on the threshold), which is the package's own rule. The candidates not chosen are there
    either way.

    Parameters
    ----------
    decoder : Module
        One of `sam2`'s mask decoders.
    features : FrameFeatures
        Of one image, reduced for this decoder.
    """
    top, device = sam2.without_memory(features.top), features.top.device
    points = prompts.points and (prompts.points[0].to(device), prompts.points[1].to(device))
    mask = None if prompts.mask is None else prompts.mask.to(device, top.dtype)
    sparse, dense = sam2.sam_prompt_encoder(points=points, boxes=None, masks=mask)
    network: Any = decoder
    # The positional matrix stays float32 whatever the rest is, so its results are rounded here.
    masks, ious, _, score = network.predict_masks(
        image_embeddings=top,
        image_pe=sam2.sam_prompt_encoder.get_dense_pe().to(top.dtype),
        sparse_prompt_embeddings=sparse.to(top.dtype),
        dense_prompt_embeddings=dense.to(top.dtype),
        repeat_image=False,
        high_res_features=list(features.fine),
    )
    rated = ious[0].float().tolist()
    order = sorted((1, 2, 3), key=lambda token: -rated[token])
    if not prompts.ambiguous:
        stability = float(network._get_stability_scores(masks[:, :1])[0, 0])
        if stability >= network.dynamic_multimask_stability_thresh:
            order = [0, *order]
    logits = masks[0, order].float()
    return Decoded(logits, [rated[token] for token in order], float(score.float().sigmoid()[0, 0]))
