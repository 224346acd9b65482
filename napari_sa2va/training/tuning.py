"""One fine-tuning run: a folder of examples, a checkpoint to start from, and what is trained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import torch

from napari_sa2va.errors import InvalidInput
from napari_sa2va.model.prompts import segmentation_question
from napari_sa2va.training.checking import CHECKPOINT, check, check_finished, keep, texts_of
from napari_sa2va.training.folder_batches import FolderBatches
from napari_sa2va.training.image_step import image_step
from napari_sa2va.training.lessons import MIX
from napari_sa2va.training.loop import Loop, endless, memory_told
from napari_sa2va.training.optimizer import make_optimizer
from napari_sa2va.training.schedule import Cosine, is_due
from napari_sa2va.training.starting import open_checkpoint
from napari_sa2va.training.trained_parts import Parts, choose_trained
from napari_sa2va.training.weights import LossWeights
from napari_sa2va.training.world_batches import WorldBatches

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from napari_sa2va.training.folder import Example
    from napari_sa2va.training.steps import StepResult

_REHEARSED_SEED: Final = 8_000_000
# The official fine-tuning's rate; a network as small as the demo's takes, and needs, more. Twenty
# steps at 3e-4 without rehearsal cost the first demo two thirds of its IoU on its own world.
_RATE: Final = 4e-5
_DEMO_RATE: Final = 2e-4


@dataclass(frozen=True, slots=True)
class Tuning:
    """What can be chosen.

    Attributes
    ----------
    start, folder : Path
        The checkpoint, which stays as it is; where the run goes.
    minutes : float
        Of training on the wall clock, measuring before and after it, and saving, not counted.
    train, lora : str, int
        See `trained_parts.choose_trained`.
    rate : float, optional
        Peak of the learning rate; by default by the kind of checkpoint.
    warm_up : int
        Steps until the peak.
    final_share : float
        What is left of the rate at the end.
    images, questions : int
        Images in a step, and the most phrases asked for of each.
    rehearsed : float
        Share of the steps on what is not to be forgotten: other examples or, for a demo
        checkpoint, its own drawn world.
    mix : mapping of str to float
        Kinds of dialogues about that world (`lessons.KINDS`).
    varied : bool
        See `FolderBatches`.
    """

    start: Path
    folder: Path
    minutes: float = 10.0
    train: Parts = "all"
    lora: int = 0
    rate: float | None = None
    warm_up: int = 40
    final_share: float = 0.05
    images: int = 4
    questions: int = 6
    rehearsed: float = 0.0
    mix: Mapping[str, float] = field(default_factory=lambda: dict(MIX))
    varied: bool = True
    seed: int = 0
    workers: int = 1
    autocast: bool = False
    save_minutes: float = 4.0
    weights: LossWeights = field(default_factory=LossWeights)

    def __post_init__(self) -> None:
        if self.train == "all" and self.lora:
            raise InvalidInput(
                "LoRA spares training the language model, which --train all trains. Use --train "
                "parts, or --lora 0."
            )


class TuningRun:
    """A run in a folder, resumed when the folder holds one.

    Parameters
    ----------
    examples : sequence of Example
        To train on.
    others : sequence of Example
        To rehearse; none for a demo's own world.

    Raises
    ------
    CheckpointError, InvalidInput, NotEnoughMemory
    """

    def __init__(
        self,
        tuning: Tuning,
        examples: Sequence[Example],
        others: Sequence[Example],
        device: torch.device,
    ) -> None:
        self.tuning, self.examples, self.others, self.device = tuning, examples, others, device
        check(tuning, examples, others)
        torch.manual_seed(tuning.seed)
        texts = texts_of((*examples, *others))
        opened = open_checkpoint(tuning.start, [segmentation_question(text) for text in texts])
        network = opened.start.network
        choose_trained(network, tuning.train, tuning.lora, words=opened.new_words)
        rate = tuning.rate or (_DEMO_RATE if opened.demo else _RATE)
        self.opened, self.network = opened, network
        with memory_told():
            network.to(device).train()
            network.sam2.eval()  # as at inference: no dropout
            self.loop = Loop(
                network,
                torch.nn.Identity(),  # no throw-away heads: a checkpoint can see
                make_optimizer([network]),
                Cosine(rate, tuning.final_share, tuning.warm_up),
                tuning.minutes,
                tuning.folder,
                device,
                lambda: opened.export(tuning.folder / CHECKPOINT, tuning.folder),
                tuning.autocast,
                tuning.save_minutes,
            )
        if self.loop.spent >= 1:
            check_finished(tuning)
        keep(tuning, examples, others)

    def train(self) -> None:
        """Train until the time is spent; an interruption saves first.

        Raises
        ------
        NotEnoughMemory
        """
        tuning, step = self.tuning, self.loop.step
        batches = endless(self._batches(self.examples, step), tuning.workers)
        rehearsed = None
        if tuning.rehearsed:
            rehearsed = endless(
                self._batches(self.others, step) if self.others else self._world(step),
                tuning.workers,
            )

        def losses(number: int) -> tuple[str, StepResult]:
            if rehearsed is not None and is_due(number, tuning.rehearsed):
                prefix, source = "rehearsed ", rehearsed
            else:
                prefix, source = "", batches
            batch = next(source).to(self.device)
            return prefix, image_step(self.network, None, batch, tuning.weights)

        with memory_told():
            self.loop.train(losses)

    def _batches(self, examples: Sequence[Example], step: int) -> FolderBatches:
        return FolderBatches(
            self.opened.start.tokenizer,
            self.network.config,
            examples,
            size=self.tuning.images,
            questions=self.tuning.questions,
            first=step,
            seed=self.tuning.seed,
            varied=self.tuning.varied,
        )

    def _world(self, step: int) -> WorldBatches:
        return WorldBatches(
            self.opened.start.tokenizer,
            self.network.config,
            _REHEARSED_SEED + self.tuning.images * step,
            size=self.tuning.images,
            questions=self.tuning.questions,
            mix=self.tuning.mix,
            tiled=0.1,
        )
