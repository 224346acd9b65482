"""The loop of a run: steps until its time is spent, a state to resume from, a log for curves."""

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

from napari_sa2va.errors import CheckpointError, EngineError, NotEnoughMemory
from napari_sa2va.model.full_memory import is_out_of_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from torch import Tensor, nn

    from napari_sa2va.training.schedule import Cosine
    from napari_sa2va.training.steps import StepResult

_log = logging.getLogger(__name__)

LOG: Final = "log.jsonl"
STATE: Final = "state.pt"
_LOG_EVERY: Final = 20
_MOST_LEFT_OUT: Final = 50  # steps in a row


@dataclass
class Loop:
    """Steps of a run in a folder, resumed when the folder holds a state.

    Parameters
    ----------
    network, heads : Module
        Saved with the state: of a network that is trained in parts, those parts alone.
    optimizer : AdamW
        See `optimizer.make_optimizer`.
    minutes : float
        Of the whole run on the wall clock, interruptions and saving not counted.
    folder : Path
        Gets ``state.pt`` (weights, optimiser, clock) and ``log.jsonl``.
    export : callable
        Writes the checkpoint; called after each save of the state.
    autocast : bool
        Compute in bfloat16 where torch holds it safe.
    save_minutes : float
        From one save to the next.
    """

    network: nn.Module
    heads: nn.Module
    optimizer: torch.optim.AdamW
    schedule: Cosine
    minutes: float
    folder: Path
    device: torch.device
    export: Callable[[], None]
    autocast: bool = False
    save_minutes: float = 4.0
    step: int = 0
    seconds: float = 0.0
    _left_out: int = 0
    _sums: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self._whole = all(p.requires_grad for p in self.network.parameters())
        self.folder.mkdir(parents=True, exist_ok=True)
        if (self.folder / STATE).exists():
            self._load()

    @property
    def spent(self) -> float:
        """Share of the run's time that is spent."""
        return self.seconds / (60 * self.minutes)

    def train(self, losses: Callable[[int], tuple[str, StepResult]]) -> None:
        """Train until the time is spent; an interruption saves first.

        Parameters
        ----------
        losses : callable
            Runs the step of a number forward; returns a prefix for its names in the log, and its
            losses, weighted.

        Raises
        ------
        NotEnoughMemory
        EngineError
            If step after step has no finite loss.
        """
        begun, full = self.step, False
        saved = time.monotonic()
        started = saved - self.seconds
        try:
            while self.spent < 1:
                self._one(losses)
                now = time.monotonic()
                self.seconds = now - started
                if now - saved > 60 * self.save_minutes:
                    self.save()
                    saved = time.monotonic()
                    started += saved - now  # saving is no training
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            # Raised below, when its traceback no longer holds what the failed step computed:
            # merging LoRA for the checkpoint needs room.
            full = True
            self.optimizer.zero_grad(set_to_none=True)
        finally:
            # Where the first step failed, nothing is new. A run that was finished before writes
            # its checkpoint again: the last time may have been cut off between state and it.
            if self.step > begun or self.spent >= 1:
                self.save()
        if full:
            raise _no_memory(saved=self.step > 0)

    def _one(self, losses: Callable[[int], tuple[str, StepResult]]) -> None:
        rate = self.schedule.rate_at(self.step, self.spent)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        cast = torch.autocast(self.device.type, torch.bfloat16)
        with cast if self.autocast else contextlib.nullcontext():
            prefix, result = losses(self.step)
        total = torch.stack([loss.float() for loss in result.losses.values()]).sum()
        learnt = self._learn(total)
        self.step += 1  # only now: a step that ran out of memory going back is none
        self._left_out = 0 if learnt else self._left_out + 1
        if learnt:
            self._note(prefix, result)
        elif self._left_out == _MOST_LEFT_OUT:
            raise EngineError(
                f"{_MOST_LEFT_OUT} steps in a row had no finite loss or gradient: this run learns "
                "nothing more. Start another, in another --folder, at a lower --rate."
            )

    def _learn(self, total: Tensor) -> bool:
        """Change the weights by one step's loss, unless that would make them not a number."""
        if not bool(total.isfinite()):
            _log.warning("Step %d has no finite loss and is left out.", self.step + 1)
            return False
        torch.autograd.backward(total)
        if self.step < self.schedule.heads_first:
            self.network.zero_grad(set_to_none=True)
        parameters = [p for g in self.optimizer.param_groups for p in g["params"]]
        norm = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        finite = bool(norm.isfinite())
        if finite:
            self.optimizer.step()
        else:
            _log.warning("Step %d has no finite gradient and is left out.", self.step + 1)
        self.optimizer.zero_grad(set_to_none=True)
        return finite

    def save(self) -> None:
        """Write the state and the checkpoint; a broken write leaves the older ones.

        Raises
        ------
        CheckpointError
            If they cannot be written.
        """
        state = {
            "network": self._weights(),
            "heads": self.heads.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }
        partial = (self.folder / STATE).with_suffix(".partial")
        try:
            torch.save(state, partial)
            os.replace(partial, self.folder / STATE)
            self.export()
        except (OSError, RuntimeError) as error:  # torch's where the disk is full
            partial.unlink(missing_ok=True)
            if is_out_of_memory(error):
                raise
            raise CheckpointError(
                f"The run in {self.folder} could not be saved: {error}. Free some space if the "
                "disk is full, then start the same command again: it goes on from the last save."
            ) from error

    def _weights(self) -> dict[str, Any]:
        if self._whole:
            return self.network.state_dict()
        return {n: p.detach() for n, p in self.network.named_parameters() if p.requires_grad}

    def _load(self) -> None:
        path = self.folder / STATE
        state = torch.load(path, map_location=self.device, weights_only=True)
        wrong = self._weights().keys() ^ state["network"].keys()
        if wrong:
            raise CheckpointError(
                f"{path} is of another run: it trains other weights, such as {min(wrong)}. Start "
                "with the options of that run, or in another folder."
            )
        self.network.load_state_dict(state["network"], strict=self._whole)
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
        try:
            with (self.folder / LOG).open("a", encoding="utf-8") as log:
                log.write(json.dumps(row) + "\n")
        except OSError as error:  # the next save ends a run whose disk stays full
            _log.warning("%s cannot be written: %s.", LOG, error)
        _log.info("%s", json.dumps(row))


@contextlib.contextmanager
def memory_told() -> Iterator[None]:
    """Say what to do where memory runs out.

    Raises
    ------
    NotEnoughMemory
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise _no_memory(saved=False) from error


def _no_memory(*, saved: bool) -> NotEnoughMemory:
    return NotEnoughMemory(
        "The memory of the device was full while training. Close other programs, and use "
        f"--images 1 or --train parts.{' What was learnt before is saved.' if saved else ''}"
    )


def endless(batches: Any, workers: int) -> Iterator[Any]:
    """Draw batches, in processes of their own if there are workers."""
    ahead = 4 if workers else None
    loader = DataLoader(batches, batch_size=None, num_workers=workers, prefetch_factor=ahead)
    return iter(loader)
