"""One stage of training: steps, checkpoints to resume from, a log to draw curves from."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import torch
from torch.utils.data import DataLoader

from napari_sa2va.model.checkpoint import save_checkpoint
from napari_sa2va.training.losses import AuxiliaryHeads
from napari_sa2va.training.run import make_optimizer
from napari_sa2va.training.vocabulary import save_tokenizer
from napari_sa2va.training.weights import LossWeights
from napari_sa2va.training.world_batches import ALL_CLASSES, WorldBatches
from napari_sa2va.training.world_clips import ClipBatches, clip_batch_step
from napari_sa2va.training.world_steps import world_step

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_sa2va.training.growing import Start
    from napari_sa2va.training.stages import Stage
    from napari_sa2va.training.steps import StepResult

_log = logging.getLogger(__name__)

_CLIP_SEEDS: Final = 5_000_000
_LOG_EVERY: Final = 20


@dataclass(frozen=True, slots=True)
class Options:
    """How a stage is run; nothing of it changes what is taught.

    Attributes
    ----------
    hours : float
        Of the whole stage on the wall clock, interruptions not counted.
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
    step: int = 0
    seconds: float = 0.0
    skipped: int = 0
    _sums: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.network = self.start.network
        self.heads = AuxiliaryHeads(self.network.config, ALL_CLASSES).to(self.device)
        self.network.to(self.device).train()
        # SAM2 in evaluation mode: no dropout, and tracking as at inference.
        self.network.sam2.eval()
        self.optimizer = make_optimizer([self.network, self.heads], self.stage.memory_factor)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._state = self.folder / "state.pt"
        if self._state.exists():
            self._load(self._state)

    @property
    def spent(self) -> float:
        """Share of the stage's time that is spent."""
        return self.seconds / (3600 * self.options.hours)

    def take_heads(self, state: Path) -> None:
        """Start with the throw-away heads of an earlier stage (its ``state.pt``), where it has any.

        Nothing happens when this stage is resumed.
        """
        if self.step == 0 and state.is_file():
            heads = torch.load(state, map_location=self.device, weights_only=True)["heads"]
            self.heads.load_state_dict(heads)

    def train(self) -> None:
        """Train until the stage's time is spent; an interruption saves first."""
        images = self._loader(
            WorldBatches(
                self.start.tokenizer,
                self.network.config,
                self.options.first_seed + self.options.images * self.step,
                size=self.options.images,
                questions=self.options.questions,
                mix=self.stage.mix,
                tiled=self.stage.tiled,
            )
        )
        clips = self._loader(
            ClipBatches(
                self.start.tokenizer,
                self.network.config,
                self.options.first_seed + _CLIP_SEEDS + self.options.clips * self.step,
                clips=self.options.clips,
                frames=self.stage.clip_frames,
            )
        )
        saved = started = time.monotonic()
        before = self.seconds
        try:
            while self.spent < 1:
                self._one(images, clips)
                self.seconds = before + time.monotonic() - started
                if time.monotonic() - saved > 60 * self.options.save_minutes:
                    self.save()
                    saved = time.monotonic()
        finally:
            self.save()

    def _one(self, images: Iterator[Any], clips: Iterator[Any]) -> None:
        rate = self.stage.rate_at(self.step, self.spent)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        of_clips = self.stage.is_clip_step(self.step)
        run = clip_batch_step if of_clips else world_step
        batch = next(clips if of_clips else images).to(self.device)
        cast = torch.autocast(self.device.type, torch.bfloat16)
        with cast if self.options.autocast else contextlib.nullcontext():
            result: StepResult = run(self.network, self.heads, batch, self.weights)
        total = torch.stack([loss.float() for loss in result.losses.values()]).sum()
        self.step += 1
        if not bool(total.isfinite()):
            self.skipped += 1
            _log.warning("Step %d has no finite loss and is left out.", self.step)
            return
        torch.autograd.backward(total)
        parameters = [p for g in self.optimizer.param_groups for p in g["params"]]
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self._note("clip " if of_clips else "", result)

    def _loader(self, batches: Any) -> Iterator[Any]:
        workers = self.options.workers
        ahead = 4 if workers else None
        loader = DataLoader(batches, batch_size=None, num_workers=workers, prefetch_factor=ahead)
        return iter(loader)

    def save(self) -> None:
        """Write the state and the checkpoint; a broken write leaves the older ones."""
        state = {
            "network": self.network.state_dict(),
            "heads": self.heads.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }
        partial = self._state.with_suffix(".partial")
        torch.save(state, partial)
        os.replace(partial, self._state)
        self.export(self.folder / "checkpoint")

    def export(self, folder: Path) -> None:
        """Write a checkpoint folder in the official format."""
        save_tokenizer(self.start.tokenizer, self.folder)
        save_checkpoint(self.network, self.start.settings, self.folder, folder)

    def _load(self, path: Path) -> None:
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.heads.load_state_dict(state["heads"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]
        _log.info("Resumed at step %d, %.1f minutes in.", self.step, self.seconds / 60)

    def _note(self, prefix: str, result: StepResult) -> None:
        losses = {name: float(value.detach()) for name, value in result.losses.items()}
        for name, value in {**losses, **result.figures}.items():
            self._sums[prefix + name].append(value)
        if self.step % _LOG_EVERY:
            return
        means = {name: sum(values) / len(values) for name, values in self._sums.items()}
        self._sums.clear()
        rate = self.optimizer.param_groups[0]["lr"]
        row = {"step": self.step, "minutes": self.seconds / 60, "rate": rate, **means}
        row = {name: float(f"{value:.5g}") for name, value in row.items()}
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")
        _log.info("%s", json.dumps(row))
