"""One step on scenes of the richer world: dialogues, masks of what they mean, and clicks."""

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
    from napari_sa2va.model.network import Sa2VANetwork
    from napari_sa2va.training.losses import AuxiliaryHeads
    from napari_sa2va.training.weights import LossWeights
    from napari_sa2va.training.world_batches import WorldBatch


def world_step(
    network: Sa2VANetwork, heads: AuxiliaryHeads, batch: WorldBatch, weights: LossWeights
) -> StepResult:
    """Run a batch of single images; losses come weighted."""
    sequences, images = batch.sequences, len(batch.images)
    per_tile = network.config.tokens_per_tile
    tokens = network.visual_tokens(batch.tiles).reshape(images, -1, _width(network))
    features = encode_images(network, batch.images)
    plain = features.raw["backbone_fpn"][2]
    states, language = run_language(network, sequences, tokens)
    classes = heads.named(heads.token_classes(tokens), batch.token_classes)
    flat = plain.flatten(2).transpose(1, 2)
    classes = classes + heads.named(heads.feature_classes(flat), batch.feature_classes)
    losses = {"language": weights.language * language, "classes": weights.classes * classes}
    # Words point into the last tile, which shows the whole image.
    whole = states[:, sequences.image_at[-per_tile:]]
    if len(sequences.prompt_at):
        image, place = sequences.prompt_at.unbind(1)
        match = heads.prompt_match(states[image, place], whole[image], batch.prompt_masks)
        losses["prompt match"] = weights.prompt_match * match
    found, presence, figures = clicks_step(
        network, features, batch.clicked_image, batch.clicked_masks
    )
    losses["clicks"] = weights.clicks * found
    losses["presence"] = weights.presence * presence
    if len(sequences.seg_at):
        image, place = sequences.seg_at.unbind(1)
        seg, target = states[image, place], batch.seg_masks
        embeddings = network.text_hidden_fcs(seg)
        losses["seg match"] = weights.seg_match * heads.seg_match(seg, whole[image], target)
        match = heads.embedding_match(embeddings, plain[image], target)
        losses["embedding match"] = weights.embedding_match * match
        logits, ious, score = decode_masks(network, features, image, language=embeddings)
        mask, presence = present_mask_loss(logits, ious, score, target)
        losses["mask"] = weights.mask * mask
        losses["presence"] = losses["presence"] + weights.presence * presence
        there = target.flatten(1).amax(1) > 0
        if bool(there.any()):
            figures["mask IoU"] = chosen_iou(logits[there], ious[there], target[there])
        figures["presence right"] = float(((score[:, 0] > 0) == there).float().mean())
    return StepResult(losses, figures)


def _width(network: Sa2VANetwork) -> int:
    return int(network.config.language["hidden_size"])
