"""SAM2's parts, built from the ``sam2`` package's modules at a checkpoint's sizes.

The settings are those of ``sam2_hiera_l.yaml`` plus the decoder's dynamic multimask arguments, as
the official Sa2VA builds them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from sam2.modeling.backbones.hieradet import Hiera
from sam2.modeling.backbones.image_encoder import FpnNeck, ImageEncoder
from sam2.modeling.memory_attention import MemoryAttention, MemoryAttentionLayer
from sam2.modeling.memory_encoder import CXBlock, Fuser, MaskDownSampler, MemoryEncoder
from sam2.modeling.position_encoding import PositionEmbeddingSine
from sam2.modeling.sam.mask_decoder import MaskDecoder
from sam2.modeling.sam.transformer import RoPEAttention, TwoWayTransformer

if TYPE_CHECKING:
    from napari_sa2va.model.config import Sam2Config

DYNAMIC_MULTIMASK: Final = {
    "dynamic_multimask_via_stability": True,
    "dynamic_multimask_stability_delta": 0.05,
    "dynamic_multimask_stability_thresh": 0.98,
}


def image_encoder(config: Sam2Config) -> ImageEncoder:
    """Build Hiera and its neck."""
    return ImageEncoder(
        scalp=1,
        trunk=Hiera(
            embed_dim=config.embed_dim,
            num_heads=config.num_heads,
            stages=config.stages,
            global_att_blocks=config.global_att_blocks,
            window_pos_embed_bkg_spatial_size=config.window_pos_embed_bkg_spatial_size,
            window_spec=config.window_spec,
        ),
        neck=FpnNeck(
            position_encoding=PositionEmbeddingSine(num_pos_feats=config.d_model),
            d_model=config.d_model,
            backbone_channel_list=list(config.backbone_channel_list),
            fpn_top_down_levels=[2, 3],
            fpn_interp_model="nearest",
        ),
    )


def memory_attention(config: Sam2Config) -> MemoryAttention:
    """Build the attention from a frame to the memory."""
    attention = partial(
        RoPEAttention,
        rope_theta=10000.0,
        feat_sizes=(config.feature_side, config.feature_side),
        embedding_dim=config.d_model,
        num_heads=1,
        downsample_rate=1,
        dropout=0.1,
    )
    return MemoryAttention(
        d_model=config.d_model,
        pos_enc_at_input=True,
        num_layers=config.memory_layers,
        layer=MemoryAttentionLayer(
            activation="relu",
            d_model=config.d_model,
            dim_feedforward=config.memory_feedforward,
            dropout=0.1,
            pos_enc_at_attn=False,
            pos_enc_at_cross_attn_keys=True,
            pos_enc_at_cross_attn_queries=False,
            self_attention=attention(),
            cross_attention=attention(rope_k_repeat=True, kv_in_dim=config.memory_dimension),
        ),
    )


def memory_encoder(config: Sam2Config) -> MemoryEncoder:
    """Build what turns a mask into a memory map."""
    return MemoryEncoder(
        in_dim=config.d_model,
        out_dim=config.memory_dimension,
        position_encoding=PositionEmbeddingSine(num_pos_feats=config.memory_dimension),
        mask_downsampler=MaskDownSampler(
            embed_dim=config.d_model, kernel_size=3, stride=2, padding=1
        ),
        fuser=Fuser(CXBlock(dim=config.d_model, kernel_size=7, padding=3), num_layers=2),
    )


def mask_decoder(config: Sam2Config) -> MaskDecoder:
    """Build a mask decoder; the package fixes two widths that a small model cannot afford."""
    return MaskDecoder(
        num_multimask_outputs=3,
        transformer=TwoWayTransformer(
            depth=2,
            embedding_dim=config.d_model,
            mlp_dim=config.decoder_feedforward,
            num_heads=8,
        ),
        transformer_dim=config.d_model,
        iou_head_depth=3,
        iou_head_hidden_dim=config.decoder_iou_hidden,
        use_high_res_features=True,
        iou_prediction_use_sigmoid=True,
        pred_obj_scores=True,
        pred_obj_scores_mlp=True,
        use_multimask_token_for_obj_ptr=True,
        **DYNAMIC_MULTIMASK,
    )
