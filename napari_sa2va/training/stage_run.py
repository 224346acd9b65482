"""One stage of training the demo checkpoint on the drawn world."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import torch

from napari_sa2va.model.checkpoint import save_checkpoint
from napari_sa2va.training.image_step import image_step
from napari_sa2va.training.loop import Loop, endless
from napari_sa2va.training.losses import AuxiliaryHeads
from napari_sa2va.training.optimizer import make_optimizer
from napari_sa2va.training.vocabulary import save_tokenizer
from napari_sa2va.training.weights import LossWeights
from napari_sa2va.training.world_batches import ALL_CLASSES, WorldBatches
from napari_sa2va.training.world_clips import ClipBatches, clip_batch_step

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sa2va.training.growing import Start
    from napari_sa2va.training.stages import Stage
    from napari_sa2va.training.steps import StepResult

_CLIP_SEEDS: Final = 5_000_000


@dataclass(frozen=True, slots=True)
class Options:
    """How a stage is run; nothing of it changes what is taught.

    Attributes
    ----------
    hours : float
        Of the whole stage on the wall clock, interruptions and saving not counted.
    images, questions : int
        Images in a step, and dialogues about each.
    clips : int
        Clips in a step on memory.
    workers : int
        Processes that draw scenes; with 0 they are drawn between the steps.
    autocast : bool
        Compute in bfloat16 where torch holds it safe.
    save_minutes : float
        From one save to the next.
    first_seed : int
        Of the scenes; stages that follow each other should differ in it.
    """

    hours: float
    images: int = 4
    questions: int = 8
    clips: int = 2
    workers: int = 1
    autocast: bool = False
    save_minutes: float = 4.0
    first_seed: int = 0


@dataclass
class StageRun:
    """A stage in a folder, resumed when the folder holds one.

    Parameters
    ----------
    start : Start
        Network, tokenizer and settings; the network's weights are replaced when resuming.
    folder : Path
        Gets ``state.pt`` (weights, optimiser, clock), ``log.jsonl`` and ``checkpoint/``.
    """

    start: Start
    stage: Stage
    options: Options
    folder: Path
    device: torch.device
    weights: LossWeights = field(default_factory=LossWeights)

    def __post_init__(self) -> None:
        self.network = self.start.network
        self.heads = AuxiliaryHeads(self.network.config, ALL_CLASSES).to(self.device)
        self.network.to(self.device).train()
        # SAM2 in evaluation mode: no dropout, and tracking as at inference.
        self.network.sam2.eval()
        self.loop = Loop(
            self.network,
            self.heads,
            make_optimizer([self.network, self.heads], self.stage.memory_factor),
            self.stage.schedule,
            60 * self.options.hours,
            self.folder,
            self.device,
            lambda: self.export(self.folder / "checkpoint"),
            self.options.autocast,
            self.options.save_minutes,
        )

    def take_up(self, state: Path) -> None:
        """Go on from an earlier stage's ``state.pt``, where there is one.

        Its throw-away heads and, where the network has not grown since, its weights before they
        were rounded and what its optimiser knows of the gradients: without those, the first steps
        pull apart what is trained. Nothing happens when this stage is resumed.
        """
        if self.loop.step or not state.is_file():
            return
        earlier = torch.load(state, map_location=self.device, weights_only=True)
        self.heads.load_state_dict(earlier["heads"])
        weights = self.network.state_dict()
        if all(weights[name].shape == value.shape for name, value in earlier["network"].items()):
            self.network.load_state_dict(earlier["network"])
            groups = self.loop.optimizer.state_dict()["param_groups"]
            self.loop.optimizer.load_state_dict({**earlier["optimizer"], "param_groups": groups})

    def train(self) -> None:
        """Train until the stage's time is spent; an interruption saves first."""
        options, step = self.options, self.loop.step
        images = endless(
            WorldBatches(
                self.start.tokenizer,
                self.network.config,
                options.first_seed + options.images * step,
                size=options.images,
                questions=options.questions,
                mix=self.stage.mix,
                tiled=self.stage.tiled,
            ),
            options.workers,
        )
        clips = endless(
            ClipBatches(
                self.start.tokenizer,
                self.network.config,
                options.first_seed + _CLIP_SEEDS + options.clips * step,
                clips=options.clips,
                frames=self.stage.clip_frames,
            ),
            options.workers,
        )

        def losses(number: int) -> tuple[str, StepResult]:
            if self.stage.is_clip_step(number):
                batch = next(clips).to(self.device)
                return "clip ", clip_batch_step(self.network, batch, self.weights)
            batch = next(images).to(self.device)
            return "", image_step(self.network, self.heads, batch, self.weights)

        self.loop.train(losses)

    def export(self, folder: Path) -> None:
        """Write a checkpoint folder in the official format."""
        save_tokenizer(self.start.tokenizer, self.folder)
        save_checkpoint(self.network, self.start.settings, self.folder, folder)
