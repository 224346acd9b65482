"""What checkpoints of the InternVL family call their parameters.

transformers' InternVL vision model renames InternViT's layers and holds q, k and v apart where the
checkpoint has them fused. An InternLM2 is run as a Llama: its ``wqkv`` packs, for every key-value
head, the query heads that share it, then its key and its value.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from napari_sa2va.model.names import Stored

if TYPE_CHECKING:
    from napari_sa2va.model.names import Naming

_VISION: Final = "vision_model."
_LANGUAGE: Final = "language_model."

# official, ours; no entry's left or right side is part of another's on the same side
_VISION_NAMES: Final = (
    ("embeddings.class_embedding", "embeddings.cls_token"),
    ("embeddings.position_embedding", "embeddings.position_embeddings"),
    ("embeddings.patch_embedding.", "embeddings.patch_embeddings.projection."),
    ("encoder.layers.", "encoder.layer."),
    (".ls1", ".lambda_1"),
    (".ls2", ".lambda_2"),
    (".norm1.", ".layernorm_before."),
    (".norm2.", ".layernorm_after."),
    (".attn.proj.", ".attention.projection_layer."),
    (".attn.q_norm.", ".attention.q_norm."),
    (".attn.k_norm.", ".attention.k_norm."),
)
_FUSED: Final = ".attn.qkv."
_PARTS: Final = (".attention.q_proj.", ".attention.k_proj.", ".attention.v_proj.")

_INTERNLM2_NAMES: Final = (
    (".tok_embeddings.", ".embed_tokens."),
    (".attention.wo.", ".self_attn.o_proj."),
    (".feed_forward.w1.", ".mlp.gate_proj."),
    (".feed_forward.w3.", ".mlp.up_proj."),
    (".feed_forward.w2.", ".mlp.down_proj."),
    (".attention_norm.", ".input_layernorm."),
    (".ffn_norm.", ".post_attention_layernorm."),
    ("language_model.output.", "language_model.lm_head."),
)
_PACKED: Final = ".attention.wqkv."


def naming(heads_per_group: int = 0, groups: int = 0) -> Naming:
    """Return what tells where a checkpoint keeps a parameter of the backbone.

    Parameters
    ----------
    heads_per_group, groups : int
        Of an InternLM2: query heads that share a key-value head, and key-value heads. 0 for
        language models whose names are transformers' own.

    Examples
    --------
    >>> naming()("vision_model.encoder.layer.3.attention.k_proj.bias")
    Stored(name='vision_model.encoder.layers.3.attn.qkv.bias', start=1, stop=2, parts=3, groups=1)
    """
    parts = heads_per_group + 2
    projections = {
        ".self_attn.q_proj.": Stored("", 0, heads_per_group, parts, groups),
        ".self_attn.k_proj.": Stored("", heads_per_group, heads_per_group + 1, parts, groups),
        ".self_attn.v_proj.": Stored("", heads_per_group + 1, parts, parts, groups),
    }

    def stored_as(ours: str) -> Stored:
        if ours.startswith(_VISION):
            return _stored_vision(ours)
        if not groups or not ours.startswith(_LANGUAGE):
            return Stored(ours)
        for projection, place in projections.items():
            if projection in ours:
                return replace(place, name=ours.replace(projection, _PACKED))
        for official, renamed in _INTERNLM2_NAMES:
            ours = ours.replace(renamed, official)
        return Stored(ours)

    return stored_as


def _stored_vision(ours: str) -> Stored:
    place = Stored("")
    for index, name in enumerate(_PARTS):
        if name in ours:
            place = Stored("", index, index + 1, len(_PARTS))
            ours = ours.replace(name, _FUSED)
    for official, renamed in _VISION_NAMES:
        ours = ours.replace(renamed, official)
    return replace(place, name=ours)
