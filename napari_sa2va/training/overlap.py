"""How well two masks agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def iou(found: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> float:
    """Intersection over union; 1 when both are empty."""
    union = np.count_nonzero(found | wanted)
    return np.count_nonzero(found & wanted) / union if union else 1.0
