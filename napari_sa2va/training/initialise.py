"""How a small Sa2VA starts, when it learns from nothing.

With the packages' default initialisation the mask decoder sat on "no cell" or "all cells" for
hundreds of steps; the three priors here are what got a prototype off that plateau.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from napari_sa2va.model.network import Sa2VANetwork
    from napari_sa2va.model.sam2_network import GroundingSam2


@torch.no_grad()
def initialise(network: Sa2VANetwork) -> None:
    """Initialise all parts for training from scratch, from torch's current random state."""
    for module in (network.vision_model, network.mlp1):
        for layer in module.modules():
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=1 / math.sqrt(layer.in_features))
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
    embeddings = network.vision_model.embeddings
    nn.init.trunc_normal_(embeddings.position_embeddings, std=0.2)
    nn.init.trunc_normal_(embeddings.cls_token, std=0.2)
    block: Any
    for block in network.vision_model.encoder.layer:
        block.lambda_1.fill_(0.7)
        block.lambda_2.fill_(0.7)
    language = network.language_model
    depth = 2 * language.config.num_hidden_layers
    for name, weight in language.named_parameters():
        if weight.ndim == 2:
            std = 0.5 if "embed_tokens" in name else 1 / math.sqrt(weight.shape[1])
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                std /= math.sqrt(depth)
            nn.init.normal_(weight, std=std)
    to_prompt = network.text_hidden_fcs[2]
    assert isinstance(to_prompt, nn.Linear)
    nn.init.normal_(to_prompt.weight, std=2 / math.sqrt(256))
    nn.init.zeros_(to_prompt.bias)
    _mask_decoder(network.sam2)
    _memory(network.sam2)


def _mask_decoder(sam2: GroundingSam2) -> None:
    """Let attention start local in position and similar in content; keep static tokens small."""
    decoder = sam2.sam_mask_decoder
    crosses = [decoder.transformer.final_attn_token_to_image]
    for layer in decoder.transformer.layers:
        crosses += [layer.cross_attn_token_to_image, layer.cross_attn_image_to_token]
    for cross in crosses:
        cross.q_proj.weight.mul_(2.5)
        cross.k_proj.weight.copy_(cross.q_proj.weight)
        cross.q_proj.bias.zero_()
        cross.k_proj.bias.zero_()
    prompt = sam2.sam_prompt_encoder
    static = [decoder.iou_token, decoder.mask_tokens, decoder.obj_score_token]
    static += [*prompt.point_embeddings, prompt.not_a_point_embed, prompt.no_mask_embed]
    for embedding in static:
        nn.init.normal_(embedding.weight, std=0.3)


def _memory(sam2: GroundingSam2) -> None:
    """Let attention to memory start as a kernel around the same place.

    Constant query and key biases on the fastest rotary pairs of each axis make the attention
    score a function of the distance alone, highest at distance zero.
    """
    for layer in sam2.memory_encoder.fuser.layers:
        layer.gamma.fill_(0.1)
    for layer in sam2.memory_attention.layers:
        cross = layer.cross_attn_image
        cross.q_proj.bias.zero_()
        cross.k_proj.bias.zero_()
        # Rotary pairs are interleaved channels; the first half serves x, the second y, each from
        # the fastest frequency down (sam2.modeling.position_encoding.compute_axial_cis).
        pairs = cross.internal_dim // 4
        for axis in (0, 1):
            first = axis * 2 * pairs
            for bias in (cross.q_proj.bias, cross.k_proj.bias):
                bias[first : first + 2 * min(10, pairs) : 2] = 2.0
