"""One step on images: dialogues, masks of what they mean, and clicks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sa2va.training.clicks import clicks_step
from napari_sa2va.training.losses import present_mask_loss
from napari_sa2va.training.steps import (
    StepResult,
    chosen_iou,
    decode_masks,
    encode_images,
    run_language,
)

if TYPE_CHECKING:
    from torch import Tensor

    from napari_sa2va.model.network import Sa2VANetwork
    from napari_sa2va.training.image_batch import ImageBatch
    from napari_sa2va.training.losses import AuxiliaryHeads
    from napari_sa2va.training.weights import LossWeights


def image_step(
    network: Sa2VANetwork, heads: AuxiliaryHeads | None, batch: ImageBatch, weights: LossWeights
) -> StepResult:
    """Run a batch of single images; losses come weighted.

    Parameters
    ----------
    heads : AuxiliaryHeads, optional
        What a checkpoint that has learnt to see can do without.
    """
    sequences, images = batch.sequences, len(batch.images)
    tokens = network.visual_tokens(batch.tiles).reshape(images, -1, network.config.width)
    features = encode_images(network, batch.images)
    states, language = run_language(network, sequences, tokens)
    losses = {"language": weights.language * language}
    figures: dict[str, float] = {}
    # With two decoders, as Sa2VA-i has them, corrections go through the other one.
    if network.sam2.original_mask_decoder is None:
        found, presence, figures = clicks_step(
            network, features, batch.clicked_image, batch.clicked_masks
        )
        losses["clicks"] = weights.clicks * found
        losses["presence"] = weights.presence * presence
    plain = features.raw["backbone_fpn"][2]
    if heads is not None:
        losses |= _of_heads(network, heads, batch, tokens, plain, states, weights)
    if len(sequences.seg_at):
        image, place = sequences.seg_at.unbind(1)
        seg, target = states[image, place], batch.seg_masks
        embeddings = network.text_hidden_fcs(seg)
        if heads is not None:
            whole = _whole(network, batch, states)
            losses["seg match"] = weights.seg_match * heads.seg_match(seg, whole[image], target)
            match = heads.embedding_match(embeddings, plain[image], target)
            losses["embedding match"] = weights.embedding_match * match
        logits, ious, score = decode_masks(network, features, image, embeddings)
        mask, presence = present_mask_loss(logits, ious, score, target)
        losses["mask"] = weights.mask * mask
        losses["presence"] = losses.get("presence", 0.0) + weights.presence * presence
        there = target.flatten(1).amax(1) > 0
        if bool(there.any()):
            figures["mask IoU"] = chosen_iou(logits[there], ious[there], target[there])
        figures["presence right"] = float(((score[:, 0] > 0) == there).float().mean())
    return StepResult(losses, figures)


def _whole(network: Sa2VANetwork, batch: ImageBatch, states: Tensor) -> Tensor:
    """States at the tokens of the last tile, which shows the whole image: words point into it."""
    return states[:, batch.sequences.image_at[-network.config.tokens_per_tile :]]


def _of_heads(
    network: Sa2VANetwork,
    heads: AuxiliaryHeads,
    batch: ImageBatch,
    tokens: Tensor,
    features: Tensor,
    states: Tensor,
    weights: LossWeights,
) -> dict[str, Tensor]:
    """Losses of the throw-away heads that need no ``[SEG]``."""
    losses = {}
    if batch.token_classes is not None and batch.feature_classes is not None:
        flat = features.flatten(2).transpose(1, 2)
        classes = heads.named(heads.token_classes(tokens), batch.token_classes)
        classes = classes + heads.named(heads.feature_classes(flat), batch.feature_classes)
        losses["classes"] = weights.classes * classes
    if len(batch.sequences.prompt_at):
        image, place = batch.sequences.prompt_at.unbind(1)
        whole = _whole(network, batch, states)
        match = heads.prompt_match(states[image, place], whole[image], batch.prompt_masks)
        losses["prompt match"] = weights.prompt_match * match
    return losses
