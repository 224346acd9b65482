"""Training SAM2's decoder on what a user does: a click, a box or paint, then corrections.

Every further click falls into what the last mask got wrong, and goes in with all earlier ones and
the last mask's logits, as `Sa2VA.refine` sends them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
import torch.nn.functional as F

from napari_sa2va.training.losses import present_mask_loss
from napari_sa2va.training.steps import chosen_iou, decode_prompts

if TYPE_CHECKING:
    from torch import Tensor

    from napari_sa2va.model.network import Sa2VANetwork
    from napari_sa2va.training.steps import ImageFeatures

STARTS: Final = ("point", "point", "box", "box", "paint")
ROUNDS: Final = 3
_GREATEST: Final = 32.0  # as `model.sam2_prompts` clamps earlier logits
_INSIDE: Final = 10.0
_SHAKE: Final = 0.06  # of a box's sides, standard deviation


def clicks_step(
    network: Sa2VANetwork,
    features: ImageFeatures,
    rows: Tensor,
    masks: Tensor,
    start: str | None = None,
    rounds: int | None = None,
) -> tuple[Tensor, Tensor, dict[str, float]]:
    """Find cells by one kind of prompt, then correct them click by click.

    Parameters
    ----------
    rows : Tensor of int64, shape (n,)
        The image that each cell is in.
    masks : Tensor, shape (n, m, m)
        True soft masks; none empty.
    start : str, optional
        One of `STARTS`; drawn by default, one for all.
    rounds : int, optional
        Decoder passes, the first one counted; up to `ROUNDS` by default, drawn.

    Returns
    -------
    masks, presence : Tensor
        Losses.
    figures : dict
        IoU after the first and after the last pass.
    """
    if start is None:
        start = STARTS[int(torch.randint(len(STARTS), ()))]
    if rounds is None:
        rounds = 1 + int(torch.randint(ROUNDS, ()))
    scale = network.sam2.image_size / masks.shape[-1]
    previous: Tensor | None = None
    if start == "box":
        points, labels = _boxes(masks, scale), _labels(masks, (2, 3))
    else:
        points, labels = _picked((masks > 0.5).float(), masks, scale), _labels(masks, (1,))
        if start == "paint":
            previous = _painted(masks)
    losses, scores, figures = [], [], {}
    for number in range(rounds):
        logits, ious, score = _decode(network, features, rows, points, labels, previous)
        loss, presence = present_mask_loss(logits, ious, score, masks)
        losses.append(loss)
        scores.append(presence)
        if number == 0:
            figures[f"{start} IoU"] = chosen_iou(logits, ious, masks)
        with torch.no_grad():
            best = 1 + ious[:, 1:].argmax(1)
            # The single mask is what inference takes after the first click.
            taken = logits[torch.arange(len(best), device=best.device), 0 if number else best]
            previous = taken.detach().float().clamp(-_GREATEST, _GREATEST)[:, None]
            more, label = _correcting(previous[:, 0] > 0, masks, scale)
            points = torch.cat([points, more], dim=1)
            labels = torch.cat([labels, label], dim=1)
    if rounds > 1:
        figures["corrected IoU"] = chosen_iou(logits, ious, masks)
    return torch.stack(losses).mean(), torch.stack(scores).mean(), figures


def _decode(
    network: Sa2VANetwork,
    features: ImageFeatures,
    rows: Tensor,
    points: Tensor,
    labels: Tensor,
    previous: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    encode = network.sam2.sam_prompt_encoder
    sparse, dense = encode(points=(points, labels), boxes=None, masks=previous)
    return decode_prompts(network, features, rows, sparse, dense)


def _labels(masks: Tensor, kinds: tuple[int, ...]) -> Tensor:
    return torch.tensor(kinds, dtype=torch.int32, device=masks.device).repeat(len(masks), 1)


def _picked(where: Tensor, fallback: Tensor, scale: float) -> Tensor:
    """Draw a point (x, y) of SAM2's square by the weights (n, m, m), shape (n, 1, 2)."""
    weights = where.flatten(1)
    empty = weights.sum(1) == 0
    if bool(empty.any()):  # a cell smaller than any place
        best = fallback.flatten(1).argmax(1)
        weights[empty] = F.one_hot(best[empty], weights.shape[1]).float()
    at = torch.multinomial(weights, 1)
    side = where.shape[-1]
    inside = torch.rand(len(at), 2, device=at.device)
    x, y = (at % side)[:, 0] + inside[:, 0], (at // side)[:, 0] + inside[:, 1]
    return torch.stack([x, y], dim=1)[:, None] * scale


def _boxes(masks: Tensor, scale: float) -> Tensor:
    """Corners round each mask, a little off, shape (n, 2, 2).

    As fine as soft masks are: boxes of whole places would be a twelfth too small for small cells,
    and a user's would then seem to hold some of what is beside them.
    """
    spans = []
    for axis in (1, 2):  # columns for x, then rows for y
        cover = masks.amax(dim=axis)
        line = (cover > 0).float()
        first, last = line.argmax(1), line.shape[1] - 1 - line.flip(1).argmax(1)
        begin = first + 1 - cover.gather(1, first[:, None])[:, 0]
        end = last + cover.gather(1, last[:, None])[:, 0]
        spans.append(torch.stack([begin, end], dim=1))
    corners = torch.stack(spans, dim=2)
    sides = corners[:, 1:] - corners[:, :1]
    return (corners + torch.randn_like(corners) * _SHAKE * sides) * scale


def _painted(masks: Tensor) -> Tensor:
    """Strokes over part of each mask, as the logits of a mask prompt, shape (n, 1, m, m)."""
    side = masks.shape[-1]
    noise = torch.rand(len(masks), 1, side // 8, side // 8, device=masks.device)
    blotches = F.interpolate(noise, size=(side, side), mode="bilinear")[:, 0]
    kept = (masks > 0.5) & (blotches > 0.35)
    kept |= masks >= masks.flatten(1).amax(1)[:, None, None]
    return (kept.float() * 2 * _INSIDE - _INSIDE)[:, None]


def _correcting(found: Tensor, masks: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Click into what is wrong; into the object where nothing is."""
    true = masks > 0.5
    missed, extra = true & ~found, found & ~true
    wrong = missed | extra
    nothing = ~wrong.flatten(1).any(1)
    where = torch.where(nothing[:, None, None], true, wrong)
    # Rather in the middle of what is wrong, as people click, than at its rim.
    inner = F.avg_pool2d(where[:, None].float(), 3, 1, 1)[:, 0] ** 2
    points = _picked(inner * where, masks, scale)
    places = (points[:, 0] / scale).long().clamp(max=masks.shape[-1] - 1)
    rows = torch.arange(len(masks), device=masks.device)
    label = (~extra[rows, places[:, 1], places[:, 0]]).to(torch.int32)
    return points, label[:, None]
