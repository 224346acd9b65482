"""Parameter names: what official checkpoints call them, and what our network does.

Three things differ. transformers' InternVL vision model renames InternViT's layers and holds q, k
and v apart where the checkpoint has them fused. sam2 calls ``gamma`` what the checkpoint stores as
``g_weight``. A Sa2VA-i checkpoint holds two mask decoders: its ``sam_mask_decoder`` is SAM2's
original one and ``sam_mask_decoder_modified`` the fine-tuned one, which is our ``sam_mask_decoder``
in every checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_VISION: Final = "vision_model."
_SAM2: Final = "grounding_encoder.sam2_model."
_TUNED: Final = _SAM2 + "sam_mask_decoder_modified."
_DECODER: Final = _SAM2 + "sam_mask_decoder."
_ORIGINAL: Final = _SAM2 + "original_mask_decoder."

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


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a parameter of ours lies in a checkpoint.

    Attributes
    ----------
    name : str
        The official name.
    part, parts : int
        It is this one of so many equal slices of the stored tensor's first axis.
    """

    name: str
    part: int = 0
    parts: int = 1


def has_two_decoders(official: Iterable[str]) -> bool:
    """Tell from its names whether a checkpoint is a Sa2VA-i one."""
    return any(name.startswith(_TUNED) for name in official)


def stored_as(ours: str, two_decoders: bool = False) -> Stored:
    """Return where the checkpoint keeps the parameter that our network calls `ours`.

    Parameters
    ----------
    ours : str
        A key of ``Sa2VANetwork.state_dict()``.
    two_decoders : bool
        Whether the checkpoint is a Sa2VA-i one.

    Examples
    --------
    >>> stored_as("vision_model.encoder.layer.3.attention.k_proj.bias")
    Stored(name='vision_model.encoder.layers.3.attn.qkv.bias', part=1, parts=3)
    """
    if ours.startswith(_VISION):
        return _stored_vision(ours)
    if two_decoders and ours.startswith(_DECODER):
        return Stored(_TUNED + ours.removeprefix(_DECODER))
    if two_decoders and ours.startswith(_ORIGINAL):
        return Stored(_DECODER + ours.removeprefix(_ORIGINAL))
    if ours.startswith(_SAM2) and ours.endswith(".gamma"):
        return Stored(ours.removesuffix("gamma") + "g_weight")
    return Stored(ours)


def _stored_vision(ours: str) -> Stored:
    part, parts = 0, 1
    for index, name in enumerate(_PARTS):
        if name in ours:
            part, parts = index, len(_PARTS)
            ours = ours.replace(name, _FUSED)
    for official, renamed in _VISION_NAMES:
        ours = ours.replace(renamed, official)
    return Stored(ours, part, parts)
