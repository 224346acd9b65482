"""How learning rate and mix of steps change over a run, by the share of its time that is spent.

Time rather than steps: the run is bounded by hours, and machines differ in speed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Schedule:
    """One run from nothing.

    Attributes
    ----------
    minutes : float
        The whole run, on the wall clock, interruptions not counted.
    image_share : float
        Share of the run with single images only; after it, clips take every second step.
    learning_rate : float
        Peak, for matrices of every part alike.
    final_share : float
        Learning rate at the end as a share of the peak; a cosine leads there.
    """

    minutes: float = 112.0
    image_share: float = 0.75
    learning_rate: float = 8e-4
    warm_up_steps: int = 120
    final_share: float = 0.03

    def rate(self, step: int, spent: float) -> float:
        """Learning rate after `spent` (0 to 1) of the run."""
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, spent)))
        decay = self.final_share + (1 - self.final_share) * cosine
        return self.learning_rate * decay * min(1.0, (step + 1) / self.warm_up_steps)

    def is_clip_step(self, step: int, spent: float) -> bool:
        """Whether this step trains on clips."""
        return spent >= self.image_share and step % 2 == 1
