"""One training run: steps, checkpoints to resume from, a log to draw curves from."""

from __future__ import annotations

import json
import logging
import os
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import DataLoader

from napari_sa2va.training.batches import SceneBatches
from napari_sa2va.training.clips import clip_step
from napari_sa2va.training.losses import AuxiliaryHeads
from napari_sa2va.training.steps import image_step

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tokenizers import Tokenizer

    from napari_sa2va.model.network import Sa2VANetwork
    from napari_sa2va.training.batches import Batch
    from napari_sa2va.training.schedule import Schedule

_log = logging.getLogger(__name__)

IMAGES, QUESTIONS = 4, 8
CLIPS, CLIP_FRAMES, QUESTION_FRAMES = 1, 8, 5
_CLIP_SEEDS = 5_000_000
_MEMORY_PARTS = ("memory_", "maskmem", "obj_ptr", "mask_downsample.")
_LOG_EVERY = 20
_SAVE_EVERY_SECONDS = 240.0


@dataclass
class Run:
    """A training run in a folder, resumed when the folder holds one.

    Parameters
    ----------
    folder : Path
        Gets ``state.pt`` (weights, optimiser, clock) and ``log.jsonl``.
    workers : int
        Processes that draw scenes; with 0 they are drawn between the steps.
    """

    network: Sa2VANetwork
    tokenizer: Tokenizer
    schedule: Schedule
    folder: Path
    device: torch.device
    workers: int = 1
    step: int = 0
    seconds: float = 0.0
    _sums: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.heads = AuxiliaryHeads(self.network.config)
        self.network.to(self.device).train()
        self.heads.to(self.device)
        # SAM2 in evaluation mode: no dropout, and tracking as at inference.
        self.network.sam2.eval()
        self.optimizer = make_optimizer([self.network, self.heads], 4.0)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._state = self.folder / "state.pt"
        if self._state.exists():
            self._load()

    @property
    def spent(self) -> float:
        """Share of the run's time that is spent."""
        return self.seconds / (60 * self.schedule.minutes)

    def train(self) -> None:
        """Train until the schedule's time is spent."""
        images = self._batches(IMAGES * self.step, IMAGES, 1)
        clips: Iterator[Batch] | None = None
        saved = started = time.monotonic()
        before = self.seconds
        while self.spent < 1:
            rate = self.schedule.rate(self.step, self.spent)
            for group in self.optimizer.param_groups:
                group["lr"] = rate * group["factor"]
            clip = self.schedule.is_clip_step(self.step, self.spent)
            if clip:
                if clips is None:
                    clips = self._batches(_CLIP_SEEDS + self.step, CLIPS, CLIP_FRAMES)
                result = clip_step(self.network, self.heads, next(clips).to(self.device))
            else:
                result = image_step(self.network, self.heads, next(images).to(self.device))
            total = torch.stack(list(result.losses.values())).sum()
            torch.autograd.backward(total)
            parameters = [p for g in self.optimizer.param_groups for p in g["params"]]
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            self.step += 1
            self.seconds = before + time.monotonic() - started
            self._note("clip " if clip else "", result.losses, result.figures)
            if time.monotonic() - saved > _SAVE_EVERY_SECONDS:
                self.save()
                saved = time.monotonic()
        self.save()

    def save(self) -> None:
        """Write the state; a broken write leaves the older one."""
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

    def _load(self) -> None:
        state = torch.load(self._state, map_location=self.device, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.heads.load_state_dict(state["heads"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]
        _log.info("Resumed at step %d, %.1f minutes in.", self.step, self.seconds / 60)

    def _batches(self, first_seed: int, size: int, frames: int) -> Iterator[Batch]:
        batches = SceneBatches(
            self.tokenizer,
            self.network.config,
            first_seed,
            size=size,
            questions=QUESTIONS if frames == 1 else QUESTIONS // 2,
            frames=frames,
            question_frames=1 if frames == 1 else QUESTION_FRAMES,
        )
        ahead = 4 if self.workers else None
        loader = DataLoader(
            batches, batch_size=None, num_workers=self.workers, prefetch_factor=ahead
        )
        return iter(loader)

    def _note(self, prefix: str, losses: dict[str, Any], figures: dict[str, float]) -> None:
        for name, value in {**{n: float(v.detach()) for n, v in losses.items()}, **figures}.items():
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


def make_optimizer(modules: list[torch.nn.Module], memory_factor: float) -> torch.optim.AdamW:
    """AdamW; norms, biases, embeddings and static tokens without weight decay.

    What only tracking uses may learn faster: its turn comes when the rate has fallen.
    """
    decayed: list[torch.nn.Parameter] = []
    plain: list[torch.nn.Parameter] = []
    memory: list[torch.nn.Parameter] = []
    for module in modules:
        for name, weight in module.named_parameters():
            matrix = weight.ndim >= 2 and "embed" not in name and "token" not in name
            if any(part in name for part in _MEMORY_PARTS):
                memory.append(weight)
            else:
                (decayed if matrix else plain).append(weight)
    groups = [
        {"params": decayed, "weight_decay": 0.03, "factor": 1.0},
        {"params": plain, "weight_decay": 0.0, "factor": 1.0},
        {"params": memory, "weight_decay": 0.0, "factor": memory_factor},
    ]
    return torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.98))
