"""What the steps on images and on clips are made of: forward passes, and what a step returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from torch import Tensor

    from napari_sa2va.model.network import Sa2VANetwork
    from napari_sa2va.training.trees import Sequences


@dataclass(slots=True)
class ImageFeatures:
    """SAM2's features of a batch: stride 16 with the no-memory embedding, stride 4, stride 8."""

    top: Tensor
    s0: Tensor
    s1: Tensor
    raw: dict[str, Any]


def encode_images(network: Sa2VANetwork, images: Tensor) -> ImageFeatures:
    """Run SAM2's image encoder."""
    sam2 = network.sam2
    out = sam2.forward_image(images)
    s0, s1, top = out["backbone_fpn"]
    return ImageFeatures(top + sam2.no_mem_embed.reshape(1, -1, 1, 1), s0, s1, out)


def decode_masks(
    network: Sa2VANetwork, features: ImageFeatures, rows: Tensor, language: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Decode all four masks for language embeddings about the images `rows`.

    Returns
    -------
    logits, ious, object_score : Tensor, shape (n, 4, m, m), (n, 4), (n, 1)
    """
    sam2, n = network.sam2, len(rows)
    empty = -torch.ones(n, 1, dtype=torch.int32, device=rows.device)
    points = (torch.zeros(n, 1, 2, device=rows.device), empty)
    sparse, dense = sam2.sam_prompt_encoder(points=points, boxes=None, masks=None)
    return decode_prompts(
        network, features, rows, torch.cat([sparse, language[:, None]], dim=1), dense
    )


def decode_prompts(
    network: Sa2VANetwork, features: ImageFeatures, rows: Tensor, sparse: Tensor, dense: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Decode all four masks for prompts as SAM2's prompt encoder writes them."""
    sam2 = network.sam2
    logits, ious, _, score = sam2.sam_mask_decoder.predict_masks(
        image_embeddings=features.top[rows],
        image_pe=sam2.sam_prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        repeat_image=False,
        high_res_features=[features.s0[rows], features.s1[rows]],
    )
    return logits, ious, score


def run_language(
    network: Sa2VANetwork, sequences: Sequences, tokens: Tensor
) -> tuple[Tensor, Tensor]:
    """Run the language model over question trees.

    Parameters
    ----------
    tokens : Tensor, shape (b, n, c)
        Visual tokens of each trunk.

    Returns
    -------
    states : Tensor, shape (b, l, c)
        After the final norm.
    loss : Tensor
        Cross entropy of the answers.
    """
    language = network.language_model
    embeddings = language.get_input_embeddings()(sequences.ids)
    tokens = tokens.to(embeddings.dtype)  # autocast computes them in another
    b, count, _ = tokens.shape
    rows = torch.arange(b, device=tokens.device)[:, None].expand(b, count)
    embeddings = embeddings.index_put((rows, sequences.image_at.expand(b, count)), tokens)
    if len(sequences.region_at):
        image, place = sequences.region_at.unbind(1)
        embeddings = embeddings.index_put((image, place), tokens[image, sequences.region_token])
    states = language.model(
        inputs_embeds=embeddings,
        attention_mask=sequences.attention(),
        position_ids=sequences.positions,
        use_cache=False,
    ).last_hidden_state
    asked = sequences.labels >= 0
    loss = F.cross_entropy(language.lm_head(states[asked]), sequences.labels[asked])
    return states, loss


@dataclass(slots=True)
class StepResult:
    """Losses by name, whose sum is minimised, and figures to watch (teacher forced)."""

    losses: dict[str, Tensor]
    figures: dict[str, float]


@torch.no_grad()
def chosen_iou(logits: Tensor, ious: Tensor, target: Tensor) -> float:
    """Mean IoU of the candidates that would be chosen at inference; see `mask_loss`."""
    best = 1 + ious[:, 1:].argmax(1)
    hard = logits[torch.arange(len(best), device=best.device), best].flatten(1) > 0
    true = target.flatten(1) > 0.5
    return float(((hard & true).sum(1) / (hard | true).sum(1).clamp(min=1)).mean())
