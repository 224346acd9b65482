"""SAM2's steps through a video: a frame and a memory in, masks and what to remember out."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import torch
import torch.nn.functional as F

from napari_sa2va.model.memory import Remembered
from napari_sa2va.model.outcome import Outcome
from napari_sa2va.model.sam2_network import HeadsOutput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from napari_sa2va.model.memory import Memory
    from napari_sa2va.model.sam2_network import FrameFeatures, GroundingSam2

# Logits that stand for the inside and outside of a mask that is taken as given (SAM2's).
_INSIDE: Final = 10.0


class Follower:
    """Finds objects in frames and follows them; it keeps no memory itself.

    Parameters
    ----------
    sam2 : GroundingSam2
    consistent : bool
        Follow with SAM2's original decoder where there is one, else with the fine-tuned one.
    """

    def __init__(self, sam2: GroundingSam2, *, consistent: bool) -> None:
        decoder = sam2.tracking_decoder if consistent else None
        self._sam2 = sam2
        self._consistent = consistent
        self._decoder = sam2.sam_mask_decoder if decoder is None else decoder
        # Stock SAM2 overwrites the masks of absent objects; Sa2VA's own decoder never does.
        self._overwrite_absent = self._decoder is not sam2.sam_mask_decoder

    @property
    def side(self) -> int:
        """Side of SAM2's input, in pixels."""
        return int(self._sam2.image_size)

    @torch.inference_mode()
    def find(self, features: FrameFeatures, language: Tensor) -> HeadsOutput:
        """Find objects by their language embeddings (n, d_model), without any memory."""
        seen = self._sam2.for_decoder(features).expanded(len(language))
        top = self._sam2.without_memory(seen.top)
        return self._sam2.heads(top, seen.fine, language=language[:, None])

    @torch.inference_mode()
    def condition_on_language(
        self, features: FrameFeatures, language: Tensor, size: tuple[int, int]
    ) -> tuple[Outcome, Remembered]:
        """Condition on a frame in which language embeddings point objects out.

        In the official way the memory is of what the fine-tuned decoder finds; in the consistent
        way its masks, at the frame's size, are taken as given.

        Parameters
        ----------
        features : FrameFeatures
            As the encoder gives them.
        language : Tensor, shape (n, d_model)
        size : tuple of int
            Height and width of the frame.
        """
        found = self.find(features, language)
        if not self._consistent:
            return Outcome.of(found), self._remembered(features, found)
        at_frame = F.interpolate(
            found.low_res_masks, size=size, mode="bilinear", align_corners=False
        )
        return self.condition_on_masks(features, at_frame[:, 0] > 0)

    @torch.inference_mode()
    def condition_on_masks(
        self, features: FrameFeatures, masks: Tensor
    ) -> tuple[Outcome, Remembered]:
        """Condition on a frame with given masks of bool, shape (n, height, width)."""
        given = masks_at_sam_size(masks.to(self._sam2.device), self._sam2.image_size)
        out = self._as_output(features, given)
        return Outcome.of(out), self._remembered(features, out)

    @torch.inference_mode()
    def follow(
        self, index: int, features: FrameFeatures, memory: Memory, *, backward: bool
    ) -> tuple[Outcome, Remembered]:
        """Find the objects of a memory in the next frame.

        Parameters
        ----------
        index : int
            One more than the last frame's, or one less when going backward.
        features : FrameFeatures
            As the encoder gives them.
        """
        n = len(next(iter(memory.seeds.values())).pointer)
        seen = self._sam2.for_decoder(features, self._decoder).expanded(n)
        flat = seen.top.flatten(2).permute(2, 0, 1)
        position = seen.position.expand(n, -1, -1, -1).flatten(2).permute(2, 0, 1)
        positions = self._map_positions(seen.top, n)
        top = self._sam2._prepare_memory_conditioned_features(
            frame_idx=index,
            is_init_cond_frame=False,
            current_vision_feats=[flat],
            current_vision_pos_embeds=[position],
            feat_sizes=[tuple(seen.top.shape[-2:])],
            output_dict={
                "cond_frame_outputs": _as_sam2(memory.conditioned, positions),
                "non_cond_frame_outputs": _as_sam2(memory.followed, positions),
            },
            # Only says where to stop looking for pointers that are not there anyway.
            num_frames=sys.maxsize,
            track_in_reverse=backward,
        )
        out = self._sam2.heads(
            top, seen.fine, decoder=self._decoder, overwrite_absent=self._overwrite_absent
        )
        return Outcome.of(out), self._remembered(features, out)

    def _map_positions(self, top: Tensor, n: int) -> Tensor:
        """Positional encoding of a memory map; the same for every frame."""
        encode: Any = self._sam2.memory_encoder.position_encoding
        like = top.new_empty(n, 1, *top.shape[-2:])
        positions: Tensor = encode(like).to(top.dtype)
        return positions

    def _remembered(self, features: FrameFeatures, out: HeadsOutput) -> Remembered:
        """Encode the masks (n, 1, S, S) that were found into a memory map."""
        sam2, masks = self._sam2, out.high_res_masks
        top = features.top.expand(len(masks), -1, -1, -1)
        weights = masks.sigmoid() * sam2.sigmoid_scale_for_mem_enc + sam2.sigmoid_bias_for_mem_enc
        encoded = sam2.memory_encoder(top, weights.to(top.dtype), skip_mask_sigmoid=True)
        return Remembered(
            encoded["vision_features"].bfloat16().contiguous(), out.object_pointer.contiguous()
        )

    def _as_output(self, features: FrameFeatures, masks: Tensor) -> HeadsOutput:
        """Take masks (n, S, S) as what the decoder said; it only gives their object pointers.

        As stock SAM2 does, but that memory is encoded from the low-resolution masks brought back
        up: so did the demonstration code that Sa2VA-i builds on.
        """
        sam2 = self._sam2
        seen = sam2.for_decoder(features, self._decoder).expanded(len(masks))
        given = masks[:, None].float()
        side = given.shape[-1]
        low = F.interpolate(
            given * 2 * _INSIDE - _INSIDE,
            size=(side // 4, side // 4),
            mode="bilinear",
            align_corners=False,
            antialias=True,
        )
        lost = _lost(low[:, 0] > 0, masks)
        if bool(lost.any()):
            low[lost] = _touched(masks[lost], side // 4)[:, None] * 2 * _INSIDE - _INSIDE
        high = F.interpolate(low, size=(side, side), mode="bilinear", align_corners=False)
        said = sam2.heads(
            seen.top,
            seen.fine,
            mask_inputs=sam2.mask_downsample(given.to(seen.top.dtype)),
            multimask=False,
            decoder=self._decoder,
        )
        there = masks.flatten(1).any(dim=1, keepdim=True)
        weight = there.to(seen.top.dtype)
        pointer = weight * said.object_pointer + (1 - weight) * sam2.no_obj_ptr
        score = (2 * there.float() - 1) * _INSIDE
        return HeadsOutput(low, high, torch.ones_like(score), low, high, pointer, score)


def masks_at_sam_size(masks: Tensor, side: int) -> Tensor:
    """Resize masks (n, height, width) to SAM2's square, as Sa2VA-i does: antialiased, from 0.5.

    A mask so thin that nothing would be left of it is widened to every place that it touches:
    SAM2 would take it for an object that is not there.
    """
    resized = F.interpolate(
        masks[:, None].float(),
        size=(side, side),
        mode="bilinear",
        align_corners=False,
        antialias=True,
    )
    inside = resized[:, 0] >= 0.5
    lost = _lost(inside, masks)
    if bool(lost.any()):
        inside[lost] = _touched(masks[lost], side) > 0
    return inside


def _lost(smaller: Tensor, masks: Tensor) -> Tensor:
    """Tell which masks (n, height, width) have pixels, but none at another size."""
    return masks.flatten(1).any(dim=1) & ~smaller.flatten(1).any(dim=1)


def _touched(masks: Tensor, side: int) -> Tensor:
    """Return 1 where masks (n, height, width) touch a place of a square (n, side, side), else 0."""
    # On the processor: on Apple's GPUs the result is wrong where no size divides the other (issue
    # 190064 of pytorch).
    pooled: Tensor = F.adaptive_max_pool2d(masks[:, None].cpu().float(), side)
    return pooled[:, 0].to(masks.device)


def _as_sam2(kept: Mapping[int, Remembered], positions: Tensor) -> dict[int, dict[str, Any]]:
    """Write frames as the package's code reads them.

    The map goes back to the dtype of the rest: a memory without any pointer would otherwise be all
    bfloat16 and not fit the weights.
    """
    return {
        index: {
            "maskmem_features": None if seen.map is None else seen.map.to(positions.dtype),
            "maskmem_pos_enc": [positions],
            "obj_ptr": seen.pointer.to(positions.dtype),
        }
        for index, seen in kept.items()
    }
