"""Clips of the richer world as tensors, and steps on them: memory, and words about five frames."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch.utils.data import IterableDataset

from napari_sa2va.model.preprocess import frame_tile, sam2_image
from napari_sa2va.samples.scenes import HELD_OUT_SEED
from napari_sa2va.samples.world.motion import Clip, make_clip, make_z_stack
from napari_sa2va.training.image_batch import mask_side, moved, soft
from napari_sa2va.training.lessons import KINDS
from napari_sa2va.training.losses import present_mask_loss
from napari_sa2va.training.memory import MemoryBank, clip_features, from_language, from_masks
from napari_sa2va.training.steps import StepResult, chosen_iou, run_language
from napari_sa2va.training.trees import TreeBuilder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokenizers import Tokenizer
    from torch import Tensor

    from napari_sa2va.model.config import Sa2VAConfig
    from napari_sa2va.model.network import Sa2VANetwork
    from napari_sa2va.model.sam2_network import HeadsOutput
    from napari_sa2va.samples.world.scenes import Scene
    from napari_sa2va.training.dialogues import Dialogue
    from napari_sa2va.training.memory import ClipFeatures
    from napari_sa2va.training.trees import Sequences
    from napari_sa2va.training.weights import LossWeights

LOOKED_AT: Final = 5
"""Frames that the language model looks at, as in the official way."""

CLIP_LENGTH: Final = 24
CELLS: Final = 3
_STACK_SHARE: Final = 0.2
_MEETING_SHARE: Final = 0.6  # of the clips with a crossing that are shown about that time
# Cells that cross hide each other for a dozen frames: every third frame shows all of it in seven.
_STRIDES: Final = (1, 1, 2, 3)
MOST_FRAMES: Final = (CLIP_LENGTH - 1) // max(_STRIDES) + 1
"""Of a batch for memory: a clip has no more at the longest stride."""


@dataclass(slots=True)
class ClipBatch:
    """Parts of clips; k clips of t frames, all masks of frames squeezed into a square.

    Attributes
    ----------
    images : Tensor, shape (k · t, 3, s, s)
        Clip after clip.
    cells : Tensor, shape (t, k · c, m, m)
        Masks of `CELLS` cells a clip, all there in the first frame; zero where one is gone.
    sequences : Sequences or None
        Questions about the first `LOOKED_AT` frames; with them, there is one clip.
    tiles : Tensor, shape (frames looked at, 3, tile, tile)
    seg_masks : Tensor, shape (t, q, m, m)
    """

    images: Tensor
    cells: Tensor
    sequences: Sequences | None
    tiles: Tensor
    seg_masks: Tensor

    def to(self, device: torch.device) -> ClipBatch:
        """Move all tensors."""
        return ClipBatch(**{f.name: moved(getattr(self, f.name), device) for f in fields(self)})


class ClipBatches(IterableDataset[ClipBatch]):
    """Endless batches of clips: of memory alone or, every third one, of words about one clip.

    Parameters
    ----------
    clips : int
        In a batch for memory.
    frames : int
        The most frames of such a batch; two at least, `MOST_FRAMES` at most, drawn for each.
    questions : int
        About the clip, in a batch with words.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        config: Sa2VAConfig,
        first_seed: int,
        *,
        clips: int,
        frames: int,
        questions: int = 4,
    ) -> None:
        self.config, self.first_seed = config, first_seed
        self.mask_side = mask_side(config)
        self.clips, self.frames, self.questions = clips, frames, questions
        self.builder = TreeBuilder(tokenizer, config, frames=LOOKED_AT)

    def __iter__(self) -> Iterator[ClipBatch]:
        info = torch.utils.data.get_worker_info()
        number, step = (0, 1) if info is None else (info.id, info.num_workers)
        while True:
            first = (self.first_seed + number * self.clips) % (HELD_OUT_SEED - 2 * self.clips)
            yield self.with_words(first) if number % 3 == 2 else self.make(first)
            number += step

    def make(self, seed: int) -> ClipBatch:
        """Make a batch for memory."""
        rng = np.random.default_rng([seed, 23])
        frames = int(rng.integers(2, self.frames + 1))
        images, cells = [], []
        for number in range(seed, seed + self.clips):
            clip = draw_clip(number, rng)
            stride = int(rng.choice(_STRIDES))
            masks, numbers = _part(clip, frames, rng, self.mask_side, stride)
            there = np.flatnonzero(masks[0].flatten(1).amax(1) > 0.5)
            meeting = [i for pair in clip.crossing for i in pair if i in there]
            others = [i for i in rng.permutation(there).tolist() if i not in meeting]
            chosen = np.resize([*meeting, *others], CELLS)
            cells.append(masks[:, chosen])
            shown = clip.images(numbers)
            images += [sam2_image(frame, self.config) for frame in shown]
        nothing = torch.zeros(0)
        return ClipBatch(torch.stack(images), torch.cat(cells, dim=1), None, nothing, nothing)

    def with_words(self, seed: int) -> ClipBatch:
        """Make a batch of one clip with questions about its first frames."""
        rng = np.random.default_rng([seed, 24])
        frames = LOOKED_AT + max(1, self.frames - 2)
        clip = draw_clip(seed, rng)
        masks, numbers = _part(clip, frames, rng, self.mask_side)
        dialogues = self._dialogues(clip, masks, rng)
        tree = self.builder.tree(dialogues, [[] for _ in dialogues])
        targets = [cells for d in dialogues for turn in d.turns for cells in turn.segments]
        shown = clip.images(numbers)
        side = masks.shape[-1]
        seg = [
            masks[:, list(cells)].amax(1) if cells else torch.zeros(frames, side, side)
            for cells in targets
        ]
        return ClipBatch(
            images=torch.stack([sam2_image(frame, self.config) for frame in shown]),
            cells=torch.zeros(frames, 0, side, side),
            sequences=self.builder.batch([tree]),
            tiles=torch.cat([frame_tile(f, self.config)[None] for f in shown[:LOOKED_AT]]),
            seg_masks=torch.stack(seg, dim=1) if seg else torch.zeros(frames, 0, side, side),
        )

    def _dialogues(self, clip: Clip, masks: Tensor, rng: np.random.Generator) -> list[Dialogue]:
        """Questions whose answers hold in the frames looked at: attributes of cells seen there."""
        scene = clip.scenes[0]
        seen = masks[:LOOKED_AT].flatten(2).amax(2).amax(0) > 0.5
        found: list[Dialogue] = []
        for _ in range(30 * self.questions):
            if len(found) == self.questions:
                break
            dialogue = KINDS["referring"](scene, rng)
            if dialogue is None or dialogue in found:
                continue
            turn = dialogue.turns[0]
            if "position" in turn.kind or "superlative" in turn.kind:
                continue
            if all(bool(seen[list(cells)].all()) for cells in turn.segments):
                found.append(dialogue)
        return found


def draw_clip(seed: int, rng: np.random.Generator) -> Clip:
    """Draw a clip or, now and then, a z-stack, of at most 384 pixels a side."""
    short = int(rng.integers(128, 320))
    size = (short, short) if rng.random() < 0.6 else (short, min(384, short * 4 // 3))
    if rng.random() < _STACK_SHARE:
        return make_z_stack(seed, CLIP_LENGTH, size)
    return make_clip(seed, CLIP_LENGTH, size)


def _part(
    clip: Clip, frames: int, rng: np.random.Generator, side: int, stride: int = 1
) -> tuple[Tensor, range]:
    """Choose frames, `stride` apart, the first with a cell in it; their masks (t, cells, m, m)."""
    span = (frames - 1) * stride + 1
    starts = rng.permutation(len(clip.scenes) - span + 1).tolist()
    if clip.crossing and rng.random() < _MEETING_SHARE:
        i, j = clip.crossing[0]
        pairs = [(scene.cells[i], scene.cells[j]) for scene in clip.scenes]
        meeting = int(np.argmin([np.hypot(a.x - b.x, a.y - b.y) for a, b in pairs]))
        starts.insert(0, int(np.clip(meeting - span // 2, 0, len(clip.scenes) - span)))
    for first in starts:
        opening = _soft_masks(clip.scenes[first], side)
        if bool((opening.flatten(1).amax(1) > 0.5).any()):
            break
    numbers = range(first, first + span, stride)
    rest = [_soft_masks(clip.scenes[number], side) for number in numbers[1:]]
    return torch.stack([opening, *rest]), numbers


def _soft_masks(scene: Scene, side: int) -> Tensor:
    return soft(scene.masks((4 * side, 4 * side)), side)


@dataclass(slots=True)
class RowFeatures:
    """SAM2's features of several clips, a row for each object; see `memory.ClipFeatures`."""

    whole: ClipFeatures
    frames: int
    clip_of_row: Tensor

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Of the feature maps."""
        return self.whole.sizes

    def frame(self, index: int, n: int) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Features, positions and high-resolution maps of one frame, for each of n objects."""
        at = self.clip_of_row * self.frames + index
        feats = [x[:, at] for x in self.whole.feats]
        positions = [x[:, at] for x in self.whole.positions]
        maps = [
            x.permute(1, 2, 0).reshape(n, -1, *size)
            for x, size in zip(feats[:-1], self.sizes[:-1], strict=True)
        ]
        return feats, positions, maps


def clip_batch_step(network: Sa2VANetwork, batch: ClipBatch, weights: LossWeights) -> StepResult:
    """Run clips; both vision encoders stay as the image steps left them (no gradient)."""
    with torch.no_grad():
        whole = clip_features(network.sam2, batch.images)
    if batch.sequences is None:
        return _memory_step(network, whole, batch, weights)
    return _words_step(network, whole, batch, weights)


def _memory_step(
    network: Sa2VANetwork, whole: ClipFeatures, batch: ClipBatch, weights: LossWeights
) -> StepResult:
    frames, rows = batch.cells.shape[:2]
    clips = len(batch.images) // frames
    owner = torch.arange(clips, device=batch.images.device).repeat_interleave(rows // clips)
    features = RowFeatures(whole, frames, owner)
    bank = MemoryBank(network.sam2, features, frames)
    given = from_masks(network.sam2, features, 0, batch.cells[0])
    bank.remember(0, given, conditioning=True)
    return _followed(bank, batch.cells, 1, weights, "IoU from masks", {})


def _words_step(
    network: Sa2VANetwork, whole: ClipFeatures, batch: ClipBatch, weights: LossWeights
) -> StepResult:
    sequences, sam2 = batch.sequences, network.sam2
    assert sequences is not None
    with torch.no_grad():
        tokens = network.visual_tokens(batch.tiles).flatten(0, 1)[None]
    states, language = run_language(network, sequences, tokens)
    losses = {"language": weights.language * language}
    if not len(sequences.seg_at):
        return StepResult(losses, {})
    image, place = sequences.seg_at.unbind(1)
    embeddings = network.text_hidden_fcs(states[image, place])
    frames = batch.seg_masks.shape[0]
    bank = MemoryBank(sam2, whole, frames)
    masks, scores = [], []
    for index in range(LOOKED_AT):
        output = from_language(sam2, whole, index, embeddings)
        mask, presence = _loss(output, batch.seg_masks[index])
        masks.append(mask)
        scores.append(presence)
        bank.remember(index, output, conditioning=True)
    losses["mask"] = weights.mask * torch.stack(masks).mean()
    losses["presence"] = weights.presence * torch.stack(scores).mean()
    return _followed(bank, batch.seg_masks, LOOKED_AT, weights, "IoU from words", losses)


def _followed(
    bank: MemoryBank,
    targets: Tensor,
    first: int,
    weights: LossWeights,
    name: str,
    losses: dict[str, Tensor],
) -> StepResult:
    """Follow objects from frame `first` on; add what that costs to the losses."""
    tracked, scores, figures = [], [], {}
    for index in range(first, len(targets)):
        output = bank.track(index, targets.shape[1])
        bank.remember(index, output, conditioning=False)
        mask, presence = _loss(output, targets[index])
        tracked.append(mask)
        scores.append(presence)
    there = targets[-1].flatten(1).amax(1) > 0
    if bool(there.any()):
        logits, ious = _four(output)
        figures[name] = chosen_iou(logits[there], ious[there], targets[-1][there])
    right = (output.object_score_logits[:, 0] > 0) == there
    figures["presence right"] = float(right.float().mean())
    losses["track"] = weights.track * torch.stack(tracked).mean()
    presence = weights.presence * torch.stack(scores).mean()
    losses["presence"] = losses["presence"] + presence if "presence" in losses else presence
    return StepResult(losses, figures)


def _four(output: HeadsOutput) -> tuple[Tensor, Tensor]:
    """Put the chosen mask in front of the three candidates: losses take four."""
    best = output.ious.amax(1, keepdim=True)
    logits = torch.cat([output.low_res_masks, output.low_res_multimasks], dim=1)
    return logits, torch.cat([best, output.ious], dim=1)


def _loss(output: HeadsOutput, target: Tensor) -> tuple[Tensor, Tensor]:
    logits, ious = _four(output)
    return present_mask_loss(logits, ious, output.object_score_logits, target)
