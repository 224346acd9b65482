"""SAM2's memory of some objects: conditioned on a few frames, then followed through others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch
import torch.nn.functional as F

from napari_sa2va.model.sam2_network import HeadsOutput

if TYPE_CHECKING:
    from torch import Tensor, nn

    from napari_sa2va.model.sam2_network import FrameFeatures, GroundingSam2

# How far SAM2 looks back: masks of 6 frames and object pointers of 15 (`num_maskmem`,
# `max_obj_ptrs_in_encoder`).
_MASKS_BACK: Final = 6
_POINTERS_BACK: Final = 15
# Logits that stand for the inside and outside of a mask that is taken as given (SAM2's).
_INSIDE: Final = 10.0


class Memory:
    """What SAM2 remembers of `n` objects while it goes through frames in one direction.

    All frames that it was conditioned on are attended in every frame, those ahead included; object
    pointers come only from frames already passed.

    Parameters
    ----------
    sam2 : GroundingSam2
    frames : int
        Length of the video.
    backward : bool
        Whether frames come in falling order.
    decoder : Module
        The mask decoder that follows objects.
    overwrite_absent : bool
        Overwrite masks of absent objects with the no-object score, as stock SAM2 does.
    """

    def __init__(
        self,
        sam2: GroundingSam2,
        frames: int,
        decoder: nn.Module,
        *,
        backward: bool = False,
        overwrite_absent: bool = False,
    ) -> None:
        self._sam2 = sam2
        self._frames = frames
        self._decoder = decoder
        self._backward = backward
        self._overwrite_absent = overwrite_absent
        self._conditioned: dict[int, dict[str, Any]] = {}
        self._followed: dict[int, dict[str, Any]] = {}

    def reversed(self) -> Memory:
        """Return a memory for the other direction that knows the conditioning frames only."""
        other = Memory(
            self._sam2,
            self._frames,
            self._decoder,
            backward=not self._backward,
            overwrite_absent=self._overwrite_absent,
        )
        # In the order that they would have come in, so that sums round the same way.
        other._conditioned = dict(reversed(self._conditioned.items()))
        return other

    @torch.inference_mode()
    def condition_on_language(
        self, index: int, features: FrameFeatures, language: Tensor
    ) -> HeadsOutput:
        """Find the objects in a frame by their language embeddings, and remember them.

        Parameters
        ----------
        features : FrameFeatures
            Of this frame, for the fine-tuned decoder.
        language : Tensor, shape (n, d_model)
        """
        seen = features.expanded(len(language))
        top = self._sam2.without_memory(seen.top)
        out = self._sam2.heads(top, seen.fine, language=language[:, None])
        self._conditioned[index] = self._remembered(seen, out.high_res_masks, out.object_pointer)
        return out

    @torch.inference_mode()
    def condition_on_masks(self, index: int, features: FrameFeatures, masks: Tensor) -> HeadsOutput:
        """Take masks as the objects' masks in a frame, and remember them.

        Parameters
        ----------
        features : FrameFeatures
            Of this frame, for this memory's decoder.
        masks : Tensor of bool, shape (n, image_size, image_size)
        """
        seen = features.expanded(len(masks))
        out = _as_output(self._sam2, seen, masks, self._decoder)
        self._conditioned[index] = self._remembered(seen, out.high_res_masks, out.object_pointer)
        return out

    @torch.inference_mode()
    def follow(self, index: int, features: FrameFeatures, n: int) -> HeadsOutput:
        """Find the objects in the next frame, and remember them.

        Parameters
        ----------
        index : int
            One more than the last frame's, or one less when going backward.
        features : FrameFeatures
            Of this frame, for this memory's decoder.
        n : int
            Number of objects.
        """
        seen = features.expanded(n)
        flat = seen.top.flatten(2).permute(2, 0, 1)
        position = seen.position.expand(n, -1, -1, -1).flatten(2).permute(2, 0, 1)
        top = self._sam2._prepare_memory_conditioned_features(
            frame_idx=index,
            is_init_cond_frame=False,
            current_vision_feats=[flat],
            current_vision_pos_embeds=[position],
            feat_sizes=[tuple(seen.top.shape[-2:])],
            output_dict={
                "cond_frame_outputs": self._conditioned,
                "non_cond_frame_outputs": self._followed,
            },
            num_frames=self._frames,
            track_in_reverse=self._backward,
        )
        out = self._sam2.heads(
            top, seen.fine, decoder=self._decoder, overwrite_absent=self._overwrite_absent
        )
        self._followed[index] = self._remembered(seen, out.high_res_masks, out.object_pointer)
        self._forget(index)
        return out

    def _remembered(self, seen: FrameFeatures, masks: Tensor, pointer: Tensor) -> dict[str, Any]:
        maps, positions = _encoded(self._sam2, seen.top, masks)
        return {"maskmem_features": maps, "maskmem_pos_enc": [positions], "obj_ptr": pointer}

    def _forget(self, index: int) -> None:
        """Release what no later frame looks back to."""
        for past in list(self._followed):
            if abs(index - past) >= _POINTERS_BACK:
                del self._followed[past]
            elif abs(index - past) >= _MASKS_BACK:
                self._followed[past]["maskmem_features"] = None


def masks_at_sam_size(masks: Tensor, side: int) -> Tensor:
    """Resize masks (n, height, width) to SAM2's square, as Sa2VA-i does: antialiased, from 0.5."""
    resized = F.interpolate(
        masks[:, None].float(),
        size=(side, side),
        mode="bilinear",
        align_corners=False,
        antialias=True,
    )
    return resized[:, 0] >= 0.5


def _encoded(sam2: GroundingSam2, top: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """Turn mask logits (n, 1, S, S) at SAM2's input size into a memory map and its positions."""
    weights = masks.sigmoid() * sam2.sigmoid_scale_for_mem_enc + sam2.sigmoid_bias_for_mem_enc
    out = sam2.memory_encoder(top, weights.to(top.dtype), skip_mask_sigmoid=True)
    # Rounded to bfloat16 by the official code whatever the rest is; stored in one dtype with the
    # pointers, since a memory without any would be all bfloat16 and would not fit the weights.
    return out["vision_features"].bfloat16().to(top.dtype), out["vision_pos_enc"][-1]


def _as_output(
    sam2: GroundingSam2, seen: FrameFeatures, masks: Tensor, decoder: nn.Module
) -> HeadsOutput:
    """Take masks (n, S, S) as what the decoder said; it only gives their object pointers.

    As stock SAM2 does, but that memory is encoded from the low-resolution masks brought back up:
    so did the demonstration code that Sa2VA-i builds on.
    """
    given = masks[:, None].float()
    side = given.shape[-1]
    low = F.interpolate(
        given * 2 * _INSIDE - _INSIDE,
        size=(side // 4, side // 4),
        mode="bilinear",
        align_corners=False,
        antialias=True,
    )
    high = F.interpolate(low, size=(side, side), mode="bilinear", align_corners=False)
    said = sam2.heads(
        seen.top,
        seen.fine,
        mask_inputs=sam2.mask_downsample(given.to(seen.top.dtype)),
        multimask=False,
        decoder=decoder,
    )
    there = masks.flatten(1).any(dim=1, keepdim=True)
    weight = there.to(seen.top.dtype)
    pointer = weight * said.object_pointer + (1 - weight) * sam2.no_obj_ptr
    score = (2 * there.float() - 1) * _INSIDE
    return HeadsOutput(low, high, torch.ones_like(score), low, high, pointer, score)
