"""How well a checkpoint finds what a fine-tuning folder names."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table

from napari_sa2va.model import Sa2VA
from napari_sa2va.model.prompts import segmentation_question
from napari_sa2va.training.overlap import iou

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rich.console import Console

    from napari_sa2va.training.folder import Example


@dataclass(frozen=True, slots=True)
class Asked:
    """One phrase about one image: IoU of all masks together, 0 where there is none."""

    image: str
    text: str
    iou: float
    answered: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """Phrases about a folder's images."""

    asked: tuple[Asked, ...]

    @property
    def iou(self) -> float:
        """Mean over the phrases."""
        return float(np.mean([one.iou for one in self.asked]))

    @property
    def answered(self) -> float:
        """Share of the phrases that got a mask."""
        return float(np.mean([one.answered for one in self.asked]))

    def as_json(self) -> list[dict[str, Any]]:
        """Write as plain values."""
        return [asdict(one) for one in self.asked]

    @classmethod
    def from_json(cls, rows: Iterable[dict[str, Any]]) -> Measured:
        """Read what `as_json` wrote."""
        return cls(tuple(Asked(**row) for row in rows))


def measure_examples(model: Sa2VA, examples: Iterable[Example]) -> Measured:
    """Ask for every phrase of some images, in the words that the dock asks in."""
    asked = []
    for example in examples:
        pixels = example.pixels()
        for text, objects in zip(example.texts, example.meant, strict=True):
            wanted = np.any(example.masks(objects), axis=0)
            segments = model.answer(pixels, segmentation_question(text)).segments
            found = np.zeros_like(wanted)
            for segment in segments:
                found |= segment.mask
            score = iou(found, wanted) if segments else 0.0
            asked.append(Asked(example.image.name, text, score, bool(segments)))
        model.clear_cache()
    return Measured(tuple(asked))


def measure_checkpoint(
    folder: Path, sets: dict[str, list[Example]], device: str
) -> dict[str, Measured]:
    """Load a checkpoint and measure it on several sets of images, by name."""
    model = Sa2VA.from_pretrained(folder, device=device)
    try:
        return {name: measure_examples(model, examples) for name, examples in sets.items()}
    finally:
        model.unload()


def report(found: dict[str, tuple[Measured, Measured]], console: Console) -> None:
    """Print figures before and after as a table."""
    table = Table("images", "phrases", "IoU before", "IoU after", "gained", "answered", box=None)
    for name, (old, new) in found.items():
        table.add_row(
            name,
            str(len(new.asked)),
            f"{old.iou:.3f}",
            f"{new.iou:.3f}",
            f"{new.iou - old.iou:+.3f}",
            f"{old.answered:.0%} → {new.answered:.0%}",
        )
    console.print(table)
