"""SAM2 inside Sa2VA: the ``sam2`` package's modules, with a language token among the prompts.

The settings are those of ``sam2_hiera_l.yaml`` plus the decoder's dynamic multimask arguments, as
the official Sa2VA builds them. Two things differ from the package (Sa2VA's inference code):

1. a language embedding may be appended to the sparse prompt tokens, after both padding tokens;
2. the mask of an object judged absent is not overwritten with the no-object score, neither with a
   language token nor while tracking; its object pointer still is.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from sam2.modeling.backbones.hieradet import Hiera
from sam2.modeling.backbones.image_encoder import FpnNeck, ImageEncoder
from sam2.modeling.memory_attention import MemoryAttention, MemoryAttentionLayer
from sam2.modeling.memory_encoder import CXBlock, Fuser, MaskDownSampler, MemoryEncoder
from sam2.modeling.position_encoding import PositionEmbeddingSine
from sam2.modeling.sam2_base import NO_OBJ_SCORE, SAM2Base
from sam2.modeling.sam.mask_decoder import MaskDecoder
from sam2.modeling.sam.transformer import RoPEAttention, TwoWayTransformer
from torch import Tensor, nn

if TYPE_CHECKING:
    from napari_sa2va.model.config import Sam2Config

_DYNAMIC_MULTIMASK = {
    "dynamic_multimask_via_stability": True,
    "dynamic_multimask_stability_delta": 0.05,
    "dynamic_multimask_stability_thresh": 0.98,
}


class HeadsOutput(NamedTuple):
    """What SAM2's heads return, in the order that the package's tracking code expects.

    ``(n, 3, s, s)`` and ``(n, 3, S, S)`` candidate logits, ``(n, 3)`` predicted IoUs, the best
    candidate at both resolutions, the object pointer and the object score logit.
    """

    low_res_multimasks: Tensor
    high_res_multimasks: Tensor
    ious: Tensor
    low_res_masks: Tensor
    high_res_masks: Tensor
    object_pointer: Tensor
    object_score_logits: Tensor


def _image_encoder(config: Sam2Config) -> ImageEncoder:
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


def _memory_attention(config: Sam2Config) -> MemoryAttention:
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


def _memory_encoder(config: Sam2Config) -> MemoryEncoder:
    return MemoryEncoder(
        in_dim=config.d_model,
        out_dim=config.memory_dimension,
        position_encoding=PositionEmbeddingSine(num_pos_feats=config.memory_dimension),
        mask_downsampler=MaskDownSampler(
            embed_dim=config.d_model, kernel_size=3, stride=2, padding=1
        ),
        fuser=Fuser(CXBlock(dim=config.d_model, kernel_size=7, padding=3), num_layers=2),
    )


class GroundingSam2(SAM2Base):  # type: ignore[misc]  # the package is not typed
    """SAM2 whose mask decoder also takes a language embedding.

    Parameters
    ----------
    config : Sam2Config
        Sizes.
    """

    def __init__(self, config: Sam2Config) -> None:
        self.config = config
        # Tracking with language tokens leaves absent objects' masks as they are; the stock
        # behaviour is what Sa2VA-i's mask-prompted tracking wants.
        self.overwrite_absent = False
        super().__init__(
            image_encoder=_image_encoder(config),
            memory_attention=_memory_attention(config),
            memory_encoder=_memory_encoder(config),
            num_maskmem=7,
            image_size=config.image_size,
            sigmoid_scale_for_mem_enc=20.0,
            sigmoid_bias_for_mem_enc=-10.0,
            use_mask_input_as_output_without_sam=True,
            directly_add_no_mem_embed=True,
            use_high_res_features_in_sam=True,
            multimask_output_in_sam=True,
            multimask_min_pt_num=0,
            multimask_max_pt_num=1,
            multimask_output_for_tracking=True,
            use_multimask_token_for_obj_ptr=True,
            iou_prediction_use_sigmoid=True,
            use_obj_ptrs_in_encoder=True,
            add_tpos_enc_to_obj_ptrs=False,
            only_obj_ptrs_in_the_past_for_eval=True,
            pred_obj_scores=True,
            pred_obj_scores_mlp=True,
            fixed_no_obj_ptr=True,
            use_mlp_for_obj_ptr_proj=True,
            sam_mask_decoder_extra_args=_DYNAMIC_MULTIMASK,
        )

    def _build_sam_heads(self) -> None:
        super()._build_sam_heads()
        # The package fixes these two widths; a small model cannot afford them.
        self.sam_mask_decoder = MaskDecoder(
            num_multimask_outputs=3,
            transformer=TwoWayTransformer(
                depth=2,
                embedding_dim=self.config.d_model,
                mlp_dim=self.config.decoder_feedforward,
                num_heads=8,
            ),
            transformer_dim=self.config.d_model,
            iou_head_depth=3,
            iou_head_hidden_dim=self.config.decoder_iou_hidden,
            use_high_res_features=True,
            iou_prediction_use_sigmoid=True,
            pred_obj_scores=True,
            pred_obj_scores_mlp=True,
            use_multimask_token_for_obj_ptr=True,
            **_DYNAMIC_MULTIMASK,
        )

    def heads(
        self,
        features: Tensor,
        high_res_features: list[Tensor] | None,
        *,
        language: Tensor | None = None,
        point_inputs: dict[str, Tensor] | None = None,
        mask_inputs: Tensor | None = None,
        multimask: bool = True,
    ) -> HeadsOutput:
        """Prompt encoder and mask decoder.

        Parameters
        ----------
        features : Tensor, shape (n, d_model, s, s)
            Stride-16 image features, memory or the no-memory embedding already added.
        high_res_features : list of Tensor
            The stride-4 and stride-8 features.
        language : Tensor, shape (n, k, d_model), optional
            Language embeddings, appended as the last sparse tokens.
        point_inputs : dict, optional
            ``point_coords`` (n, p, 2) in pixels of SAM2's input and ``point_labels`` (n, p).
        mask_inputs : Tensor, shape (n, 1, h, w), optional
            A mask prompt.
        multimask : bool
            Take the best of the decoder's three candidates, else its single-mask token.
        """
        n = features.shape[0]
        if point_inputs is None:
            # SAM2's head pads with one empty point, its prompt encoder with a second one.
            coordinates = features.new_zeros(n, 1, 2)
            labels = -torch.ones(n, 1, dtype=torch.int32, device=features.device)
        else:
            coordinates = point_inputs["point_coords"]
            labels = point_inputs["point_labels"]
        prompt_size = self.sam_prompt_encoder.mask_input_size
        if mask_inputs is not None and mask_inputs.shape[-2:] != prompt_size:
            mask_inputs = F.interpolate(
                mask_inputs.float(),
                size=prompt_size,
                mode="bilinear",
                align_corners=False,
                antialias=True,
            )
        sparse, dense = self.sam_prompt_encoder(
            points=(coordinates, labels), boxes=None, masks=mask_inputs
        )
        if language is not None:
            sparse = torch.cat([sparse, language.to(sparse.dtype)], dim=1)
        low, ious, tokens, score = self.sam_mask_decoder(
            image_embeddings=features,
            image_pe=self.sam_prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=multimask,
            repeat_image=False,
            high_res_features=high_res_features,
        )
        present = score > 0
        if self.overwrite_absent and language is None:
            low = torch.where(present[:, None, None], low, NO_OBJ_SCORE)
        low = low.float()
        high = F.interpolate(
            low, size=(self.image_size, self.image_size), mode="bilinear", align_corners=False
        )
        best = ious.argmax(dim=-1)
        rows = torch.arange(n, device=low.device)
        token = tokens[rows, best if tokens.shape[1] > 1 else 0]
        pointer = self.obj_ptr_proj(token)
        there = present.to(pointer.dtype)
        pointer = there * pointer + (1 - there) * self.no_obj_ptr
        return HeadsOutput(
            low, high, ious, low[rows, best, None], high[rows, best, None], pointer, score
        )

    def _forward_sam_heads(
        self,
        backbone_features: Tensor,
        point_inputs: dict[str, Tensor] | None = None,
        mask_inputs: Tensor | None = None,
        high_res_features: list[Tensor] | None = None,
        multimask_output: bool = False,
    ) -> HeadsOutput:
        return self.heads(
            backbone_features,
            high_res_features,
            point_inputs=point_inputs,
            mask_inputs=mask_inputs,
            multimask=multimask_output,
        )


def grounding_module(sam2: GroundingSam2) -> nn.Module:
    """Nest SAM2 as ``sam2_model``, which gives its parameters their official prefix."""
    wrapper = nn.Module()
    wrapper.add_module("sam2_model", sam2)
    return wrapper
