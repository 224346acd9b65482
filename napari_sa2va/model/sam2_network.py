"""SAM2 inside Sa2VA: the ``sam2`` package's model, with a language token among the prompts.

Two things differ from the package (Sa2VA's inference code):

1. a language embedding may be appended to the sparse prompt tokens, after both padding tokens;
2. the mask of an object judged absent is not overwritten with the no-object score, neither with a
   language token nor while tracking; its object pointer still is.

A Sa2VA-i checkpoint has a second mask decoder, SAM2's original one, for tracking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.nn.functional as F
from sam2.modeling.sam2_base import NO_OBJ_SCORE, SAM2Base
from torch import Tensor, nn

from napari_sa2va.model.sam2_parts import (
    DYNAMIC_MULTIMASK,
    image_encoder,
    mask_decoder,
    memory_attention,
    memory_encoder,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sa2va.model.config import Sam2Config


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


class FrameFeatures(NamedTuple):
    """What the image encoder sees in `n` frames.

    Attributes
    ----------
    top : Tensor, shape (n, d_model, s, s)
        Stride 16, no memory added.
    position : Tensor, shape (1, d_model, s, s)
        Positional encoding of `top`.
    fine : tuple of Tensor, shapes (n, c, 4 s, 4 s) and (n, c', 2 s, 2 s)
        Strides 4 and 8; either as the encoder gives them or, after
        `GroundingSam2.for_decoder`, with the few channels that a mask decoder takes.
    """

    top: Tensor
    position: Tensor
    fine: tuple[Tensor, Tensor]

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return sum(t.nbytes for t in (self.top, self.position, *self.fine))

    def expanded(self, n: int) -> FrameFeatures:
        """Repeat one frame for `n` objects, without copying."""
        top, position, (a, b) = self
        return FrameFeatures(
            top.expand(n, -1, -1, -1),
            position,
            (a.expand(n, -1, -1, -1), b.expand(n, -1, -1, -1)),
        )


class GroundingSam2(SAM2Base):  # type: ignore[misc]  # the package is not typed
    """SAM2 whose mask decoder also takes a language embedding.

    Parameters
    ----------
    config : Sam2Config
        Sizes.
    original_decoder : bool
        Also hold SAM2's original mask decoder (``original_mask_decoder``), as Sa2VA-i does.
    """

    def __init__(self, config: Sam2Config, original_decoder: bool = False) -> None:
        self.config = config
        super().__init__(
            image_encoder=image_encoder(config),
            memory_attention=memory_attention(config),
            memory_encoder=memory_encoder(config),
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
            sam_mask_decoder_extra_args=DYNAMIC_MULTIMASK,
        )
        self.original_mask_decoder = mask_decoder(config) if original_decoder else None

    def _build_sam_heads(self) -> None:
        super()._build_sam_heads()
        self.sam_mask_decoder = mask_decoder(self.config)

    @property
    def tracking_decoder(self) -> nn.Module | None:
        """The decoder that SAM2's memory was trained with, where there is one."""
        if self.original_mask_decoder is None and self.config.shared_decoder:
            shared: nn.Module = self.sam_mask_decoder
            return shared
        return self.original_mask_decoder

    @property
    def dtype(self) -> torch.dtype:
        """The dtype that images are encoded in."""
        weight: Tensor = self.no_mem_embed
        return weight.dtype

    def encode(self, images: Tensor) -> FrameFeatures:
        """Run the image encoder; the result is the same for every mask decoder.

        Parameters
        ----------
        images : Tensor, shape (n, 3, image_size, image_size)
            Normalised frames.
        """
        seen: dict[str, Any] = self.image_encoder(images.to(self.dtype))
        fine_4, fine_8, top = (level.to(self.dtype) for level in seen["backbone_fpn"][-3:])
        position = seen["vision_pos_enc"][-1][:1].to(self.dtype)
        return FrameFeatures(top, position, (fine_4, fine_8))

    def for_decoder(
        self, features: FrameFeatures, decoder: nn.Module | None = None
    ) -> FrameFeatures:
        """Reduce the fine features of `encode` to the channels that a mask decoder takes."""
        chosen: Any = self.sam_mask_decoder if decoder is None else decoder
        fine_4, fine_8 = features.fine
        return features._replace(fine=(chosen.conv_s0(fine_4), chosen.conv_s1(fine_8)))

    def without_memory(self, top: Tensor) -> Tensor:
        """Add the no-memory embedding, as for a single image."""
        embedding: Tensor = self.no_mem_embed
        return top + embedding.reshape(1, -1, 1, 1)

    def heads(
        self,
        features: Tensor,
        high_res_features: Sequence[Tensor] | None,
        *,
        language: Tensor | None = None,
        point_inputs: dict[str, Tensor] | None = None,
        mask_inputs: Tensor | None = None,
        multimask: bool = True,
        decoder: nn.Module | None = None,
        overwrite_absent: bool = False,
    ) -> HeadsOutput:
        """Prompt encoder and mask decoder.

        Parameters
        ----------
        features : Tensor, shape (n, d_model, s, s)
            Stride-16 image features, memory or the no-memory embedding already added.
        high_res_features : sequence of Tensor
            The stride-4 and stride-8 features, reduced for `decoder`.
        language : Tensor, shape (n, k, d_model), optional
            Language embeddings, appended as the last sparse tokens.
        point_inputs : dict, optional
            ``point_coords`` (n, p, 2) in pixels of SAM2's input and ``point_labels`` (n, p).
        mask_inputs : Tensor, shape (n, 1, h, w), optional
            A mask prompt.
        multimask : bool
            Take the best of the decoder's three candidates, else its single-mask token.
        decoder : Module, optional
            The mask decoder; the fine-tuned one by default.
        overwrite_absent : bool
            Overwrite the masks of absent objects with the no-object score, as stock SAM2 does.
        """
        n = features.shape[0]
        if point_inputs is None:
            # SAM2's head pads with one empty point, its prompt encoder with a second one.
            coordinates = features.new_zeros(n, 1, 2, dtype=torch.float32)
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
            points=(coordinates, labels),
            boxes=None,
            masks=None if mask_inputs is None else mask_inputs.to(features.dtype),
        )
        if language is not None:
            sparse = torch.cat([sparse, language.to(sparse.dtype)], dim=1)
        chosen: Any = self.sam_mask_decoder if decoder is None else decoder
        # The positional matrix stays float32 whatever the rest is, so its results are rounded here.
        low, ious, tokens, score = chosen(
            image_embeddings=features,
            image_pe=self.sam_prompt_encoder.get_dense_pe().to(features.dtype),
            sparse_prompt_embeddings=sparse.to(features.dtype),
            dense_prompt_embeddings=dense.to(features.dtype),
            multimask_output=multimask,
            repeat_image=False,
            high_res_features=high_res_features,
        )
        present = score > 0
        if overwrite_absent:
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
