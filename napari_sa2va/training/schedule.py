"""How the learning rate changes over a run, by the share of its time that is spent.

Time rather than steps: a run is bounded by hours, and machines differ in speed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cosine:
    """A warm-up of some steps to a peak, then a cosine down to a share of it."""

    peak: float
    final_share: float
    warm_up: int

    def rate_at(self, step: int, spent: float) -> float:
        """Learning rate at a step, when `spent` (0 to 1) of the time is gone."""
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, spent)))
        decay = self.final_share + (1 - self.final_share) * cosine
        return self.peak * decay * min(1.0, (step + 1) / max(1, self.warm_up))
