"""Stages of training on the richer world: what each one teaches, and how fast."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from napari_sa2va.errors import InvalidInput
from napari_sa2va.training.lessons import KINDS, MIX
from napari_sa2va.training.schedule import Cosine, is_due

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage, all of it changeable on the command line.

    Attributes
    ----------
    mix : mapping of str to float
        Weights of the kinds of dialogues (`lessons.KINDS`).
    clip_share : float
        Share of the steps that train on clips.
    tiled : float
        Share of the image steps whose images are cut into several tiles.
    rate, final_share : float
        Peak of the learning rate; what is left of it at the end, as a share. A cosine over the
        stage's time leads there.
    warm_up : int
        Steps until the peak.
    heads_first : int
        See `schedule.Cosine`.
    clip_frames : int
        The most frames of a clip that only memory is trained on.
    memory_factor : float
        How much faster than the rest what only tracking uses learns.
    """

    mix: Mapping[str, float] = field(default_factory=lambda: dict(MIX))
    clip_share: float = 0.25
    tiled: float = 0.25
    rate: float = 5e-4
    final_share: float = 0.03
    warm_up: int = 100
    heads_first: int = 0
    clip_frames: int = 4
    memory_factor: float = 2.0

    @property
    def schedule(self) -> Cosine:
        """Of the learning rate."""
        return Cosine(self.rate, self.final_share, self.warm_up, self.heads_first)

    def is_clip_step(self, step: int) -> bool:
        """Whether this step trains on clips: evenly spread, to the stage's share."""
        return is_due(step, self.clip_share)

    def with_mix(self, options: Iterable[str]) -> Stage:
        """Replace weights of kinds by options such as ``"count=0.2"``."""
        mix = dict(self.mix)
        for option in options:
            kind, _, value = option.partition("=")
            if kind not in KINDS:
                raise InvalidInput(f"There is no kind {kind!r}: {', '.join(KINDS)}.")
            try:
                mix[kind] = float(value)
            except ValueError as error:
                raise InvalidInput(f"{option!r} must be like count=0.2.") from error
        return replace(self, mix=mix)


STAGES: Final[Mapping[str, Stage]] = {
    # New looks, new words, all places and superlatives, refusals; tracking is only kept.
    "look": Stage(
        mix={"referring": 0.74, "region": 0.18, "words": 0.06, "unknown": 0.02}, clip_share=0.1
    ),
    # Counts, captions, comparisons and follow-ups come in.
    "talk": Stage(clip_share=0.1),
    # Half of all on clips that leave, return and cross, longer ones at that.
    "follow": Stage(clip_share=0.5, rate=3e-4, clip_frames=7),
    # Everything: what a GPU does in one go, or the last stage on a CPU.
    "all": Stage(clip_frames=6),
}
"""By name; each starts from a checkpoint folder."""
