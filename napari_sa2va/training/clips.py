"""Training on clips: the five-frame prompt, and SAM2's memory.

Both vision encoders stay as the image steps left them (no gradient): what is new here is a trunk
of five frames for the language model, and everything behind SAM2's image features.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import torch
import torch.nn.functional as F

from napari_sa2va.model.sam2_network import HeadsOutput
from napari_sa2va.training.losses import mask_loss
from napari_sa2va.training.steps import StepResult, chosen_iou, run_language

if TYPE_CHECKING:
    from torch import Tensor

    from napari_sa2va.model.network import Sa2VANetwork
    from napari_sa2va.model.sam2_network import GroundingSam2
    from napari_sa2va.training.batches import Batch
    from napari_sa2va.training.losses import AuxiliaryHeads

_TRACKED_FRAMES = 5
_MASK_PROMPTED = 0.6
"""Share of clips whose first frame is conditioned by true masks, else by language."""


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


def clip_step(network: Sa2VANetwork, heads: AuxiliaryHeads, batch: Batch) -> StepResult:
    """Run one clip: its questions over five frames, and its cells through memory."""
    sam2, sequences = network.sam2, batch.sequences
    with torch.no_grad():
        tokens = network.visual_tokens(batch.tiles).flatten(0, 1)[None]
        features = clip_features(sam2, batch.images)
    states, language_loss = run_language(network, sequences, tokens)
    losses, figures = {"language": language_loss}, {}
    frames = len(batch.images)
    looked = len(batch.tiles)
    bank = MemoryBank(sam2, features, frames)
    image, place = sequences.seg_at.unbind(1)
    embeddings = network.text_hidden_fcs(states[image, place])
    true_masks = bool(torch.rand(()) < _MASK_PROMPTED) or not len(embeddings)
    if len(embeddings):
        chosen = torch.randperm(looked)[:2].tolist() if true_masks else range(looked)
        outputs = {f: from_language(sam2, features, f, embeddings) for f in chosen}
        losses["mask"] = torch.stack(
            [
                mask_loss(o.low_res_multimasks, o.ious, batch.seg_masks[:, f])
                for f, o in outputs.items()
            ]
        ).mean()
    if true_masks:
        targets, first = batch.cells[0], 1
        bank.remember(0, from_masks(sam2, features, 0, targets[0]), conditioning=True)
    else:
        targets, first = batch.seg_masks.transpose(0, 1), looked
        for index, output in outputs.items():
            bank.remember(index, output, conditioning=True)
    tracked = []
    for index in range(first, min(frames, first + _TRACKED_FRAMES)):
        output = bank.track(index, targets.shape[1])
        bank.remember(index, output, conditioning=False)
        tracked.append(mask_loss(output.low_res_multimasks, output.ious, targets[index]))
    losses["track"] = torch.stack(tracked).mean()
    losses["presence"] = 0.05 * F.softplus(-output.object_score_logits).mean()
    name = "IoU from masks" if true_masks else "IoU from words"
    figures[name] = chosen_iou(
        F.pad(output.low_res_multimasks, (0, 0, 0, 0, 1, 0)),
        F.pad(output.ious, (1, 0)),
        targets[index],
    )
    return StepResult(losses, figures)


def from_language(
    sam2: GroundingSam2, features: FrameRows, index: int, embeddings: Tensor
) -> HeadsOutput:
    """Find objects in a frame by their language embeddings (n, d_model), without memory."""
    n = len(embeddings)
    feats, _, maps = features.frame(index, n)
    top = (feats[-1] + sam2.no_mem_embed).permute(1, 2, 0).reshape(n, -1, *features.sizes[-1])
    return sam2.heads(top, maps, language=embeddings[:, None])
