"""SAM2's memory in training: features of clips, and what is remembered of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import torch.nn.functional as F

from napari_sa2va.model.sam2_network import HeadsOutput

if TYPE_CHECKING:
    from torch import Tensor

    from napari_sa2va.model.sam2_network import GroundingSam2


class FrameRows(Protocol):
    """What gives SAM2's features of a frame, a row for each of n objects."""

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Of the feature maps."""

    def frame(self, index: int, n: int) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Features, positions and high-resolution maps."""


@dataclass(slots=True)
class ClipFeatures:
    """SAM2's features of one clip, in the flattened layout that its memory code takes."""

    feats: list[Tensor]
    positions: list[Tensor]
    sizes: list[tuple[int, int]]

    def frame(self, index: int, n: int) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Features, positions and high-resolution maps of one frame, repeated for n objects."""
        feats = [x[:, index : index + 1].expand(-1, n, -1) for x in self.feats]
        positions = [x[:, index : index + 1].expand(-1, n, -1) for x in self.positions]
        maps = [
            x.permute(1, 2, 0).reshape(n, -1, *size)
            for x, size in zip(feats[:-1], self.sizes[:-1], strict=True)
        ]
        return feats, positions, maps


@dataclass(slots=True)
class MemoryBank:
    """What SAM2 remembers of n objects, frame by frame."""

    sam2: GroundingSam2
    features: FrameRows
    frames: int
    outputs: dict[str, dict[int, dict[str, Any]]] = field(
        default_factory=lambda: {"cond_frame_outputs": {}, "non_cond_frame_outputs": {}}
    )

    def remember(self, index: int, output: HeadsOutput, *, conditioning: bool) -> None:
        """Encode a frame's masks into memory."""
        n = len(output.low_res_masks)
        feats, _, _ = self.features.frame(index, n)
        memory, encoding = self.sam2._encode_new_memory(
            current_vision_feats=feats,
            feat_sizes=self.features.sizes,
            pred_masks_high_res=output.high_res_masks,
            object_score_logits=output.object_score_logits,
            is_mask_from_pts=False,
        )
        kind = "cond_frame_outputs" if conditioning else "non_cond_frame_outputs"
        self.outputs[kind][index] = {
            "maskmem_features": memory,
            "maskmem_pos_enc": encoding,
            "obj_ptr": output.object_pointer,
        }

    def track(self, index: int, n: int) -> HeadsOutput:
        """Find the objects in a frame from memory alone."""
        feats, positions, maps = self.features.frame(index, n)
        conditioned = self.sam2._prepare_memory_conditioned_features(
            frame_idx=index,
            is_init_cond_frame=False,
            current_vision_feats=feats[-1:],
            current_vision_pos_embeds=positions[-1:],
            feat_sizes=self.features.sizes[-1:],
            output_dict=self.outputs,
            num_frames=self.frames,
        )
        return self.sam2.heads(conditioned, maps)


def clip_features(sam2: GroundingSam2, images: Tensor) -> ClipFeatures:
    """Encode the frames (t, 3, s, s) of a clip."""
    _, feats, positions, sizes = sam2._prepare_backbone_features(sam2.forward_image(images))
    return ClipFeatures(feats, positions, sizes)


def from_masks(sam2: GroundingSam2, features: FrameRows, index: int, masks: Tensor) -> HeadsOutput:
    """Take true masks (n, m, m) as the output of a frame, as a mask prompt does."""
    n, side = len(masks), sam2.image_size
    feats, _, maps = features.frame(index, n)
    top = feats[-1].permute(1, 2, 0).reshape(n, -1, *features.sizes[-1])
    full = F.interpolate(masks[:, None], size=(side, side), mode="bilinear") > 0.5
    output = HeadsOutput(*sam2._use_mask_as_output(top, maps, full.float()))
    # Sa2VA-i encodes memory from the low-resolution mask brought back up.
    high = F.interpolate(output.low_res_masks, size=(side, side), mode="bilinear")
    return output._replace(high_res_masks=high)


def from_language(
    sam2: GroundingSam2, features: FrameRows, index: int, embeddings: Tensor
) -> HeadsOutput:
    """Find objects in a frame by their language embeddings (n, d_model), without memory."""
    n = len(embeddings)
    feats, _, maps = features.frame(index, n)
    top = (feats[-1] + sam2.no_mem_embed).permute(1, 2, 0).reshape(n, -1, *features.sizes[-1])
    return sam2.heads(top, maps, language=embeddings[:, None])
