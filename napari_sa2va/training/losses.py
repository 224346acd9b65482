"""Losses, and the throw-away heads that teach a small model what to look for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sa2va.model.config import Sa2VAConfig


def mask_loss(logits: Tensor, ious: Tensor, target: Tensor) -> Tensor:
    """BCE and dice on all four of the decoder's masks, and its IoU prediction.

    Parameters
    ----------
    logits : Tensor, shape (n, 4, m, m)
    ious : Tensor, shape (n, 4)
    target : Tensor, shape (n, m, m)
        Soft masks: the share of each place that is covered, which keeps sub-pixel borders.
    """
    wanted = target[:, None].expand_as(logits)
    bce = F.binary_cross_entropy_with_logits(logits, wanted)
    found = logits.sigmoid().flatten(2)
    flat = wanted.flatten(2)
    dice = 1 - (2 * (found * flat).sum(-1) + 1) / (found.sum(-1) + flat.sum(-1) + 1)
    with torch.no_grad():
        hard, true = logits.flatten(2) > 0, flat > 0.5
        iou = (hard & true).sum(-1) / (hard | true).sum(-1).clamp(min=1)
    return 5 * bce + dice.mean() + 0.2 * F.mse_loss(ious, iou)


def present_mask_loss(
    logits: Tensor, ious: Tensor, scores: Tensor, target: Tensor
) -> tuple[Tensor, Tensor]:
    """Masks where objects are present, empty ones where not, and telling which.

    Parameters
    ----------
    logits : Tensor, shape (n, 4, m, m)
    ious, scores : Tensor, shape (n, 4), (n, 1)
        Predicted IoUs; logits of the object being there.
    target : Tensor, shape (n, m, m)
        Zero everywhere where it is not.

    Returns
    -------
    masks, presence : Tensor
        The loss of the masks (`mask_loss` of the present ones, BCE of the others), and of the
        object scores.
    """
    # Under autocast they come in bfloat16, whose sums are too coarse for an overlap.
    logits, ious, scores = logits.float(), ious.float(), scores.float()
    there = target.flatten(1).amax(1) > 0
    loss = logits.new_zeros(())
    if bool(there.any()):
        loss = mask_loss(logits[there], ious[there], target[there]) * there.float().mean()
    if not bool(there.all()):
        empty = F.softplus(logits[~there]).mean()
        loss = loss + (~there).float().mean() * (5 * empty + 0.2 * ious[~there].square().mean())
    presence = F.binary_cross_entropy_with_logits(scores[:, 0], there.float())
    return loss, presence


class AuxiliaryHeads(nn.Module):
    """Heads that are dropped from the checkpoint.

    They name the cell under every visual token and every SAM2 feature, and point from words to
    places. Without the match between language embedding and SAM2 features the mask decoder has
    nothing to follow while it is still blind (a prototype's finding).
    """

    def __init__(self, config: Sa2VAConfig, classes: Sequence[int]) -> None:
        super().__init__()
        self.sizes = list(classes)
        width, sam = int(config.language["hidden_size"]), config.sam2.d_model
        self.token_classes = nn.Linear(width, sum(classes))
        self.feature_classes = nn.Linear(sam, sum(classes))
        self.seg_query, self.seg_key = nn.Linear(width, 64), nn.Linear(width, 64)
        self.prompt_query, self.prompt_key = nn.Linear(width, 64), nn.Linear(width, 64)
        self.bias = nn.Parameter(torch.full((3,), -3.0))

    def named(self, scores: Tensor, wanted: Tensor) -> Tensor:
        """Compare scores (b, places, sum of classes) with labels (b, kinds, places)."""
        total = scores.new_zeros(())
        for number, part in enumerate(torch.split(scores, self.sizes, dim=-1)):
            labels = wanted[:, number]
            if number and bool((labels < 0).all()):
                continue
            total = total + F.cross_entropy(part.flatten(0, 1), labels.flatten())
        return total

    def seg_match(self, states: Tensor, tokens: Tensor, target: Tensor) -> Tensor:
        """Point from the state at ``[SEG]`` (n, c) to visual tokens (n, t, c)."""
        return self._match(self.seg_query(states), self.seg_key(tokens), 0, target)

    def prompt_match(self, states: Tensor, tokens: Tensor, target: Tensor) -> Tensor:
        """Point from the prompt's last token; an absent object points nowhere."""
        return self._match(self.prompt_query(states), self.prompt_key(tokens), 1, target)

    def embedding_match(self, embeddings: Tensor, features: Tensor, target: Tensor) -> Tensor:
        """Point from the language embedding (n, d) to SAM2's features (n, d, s, s)."""
        return self._match(embeddings, features.flatten(2).transpose(1, 2), 2, target)

    def _match(self, query: Tensor, keys: Tensor, which: int, target: Tensor) -> Tensor:
        scores = torch.einsum("nc,ntc->nt", query, keys) / math.sqrt(query.shape[-1])
        side = round(keys.shape[1] ** 0.5)
        cover = F.adaptive_avg_pool2d(target[:, None], side).flatten(1)
        wanted = (cover / 0.35).clamp(max=1)
        return F.binary_cross_entropy_with_logits(scores + self.bias[which], wanted)
