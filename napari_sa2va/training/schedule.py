"""How the learning rate changes over a run, by the share of its time that is spent.

Time rather than steps: a run is bounded by hours, and machines differ in speed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

_HEADS_RATE: Final = 2e-3


@dataclass(frozen=True, slots=True)
class Cosine:
    """A warm-up of some steps to a peak, then a cosine down to a share of it.

    Attributes
    ----------
    heads_first : int
        Steps before those that train the throw-away heads alone: heads that start at random would
        pull a trained network apart.
    """

    peak: float
    final_share: float
    warm_up: int
    heads_first: int = 0

    def rate_at(self, step: int, spent: float) -> float:
        """Learning rate at a step, when `spent` (0 to 1) of the time is gone."""
        if step < self.heads_first:
            return _HEADS_RATE
        step -= self.heads_first
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, spent)))
        decay = self.final_share + (1 - self.final_share) * cosine
        return self.peak * decay * min(1.0, (step + 1) / max(1, self.warm_up))


def is_due(step: int, share: float) -> bool:
    """Whether a step is one of those that take `share` of all, evenly spread."""
    return math.floor((step + 1) * share) > math.floor(step * share)
