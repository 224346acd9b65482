"""Synthetic z-stacks: the cells of a scene as bodies that the planes cut through.

Scenes of one stack list the same cells in the same order, so that masks of a cell are found at the
same place in every plane. (Clips, where cells move instead, are `scenes.make_clip`.)
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_sa2va.samples.scenes import SIDE, Scene, make_scene, render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Shares of the stack: where the middles of cells lie, and how far they reach up and down from it.
_MIDDLES: Final = (0.25, 0.75)
_HALF_HEIGHTS: Final = (0.3, 0.7)
# Bodies lean: their outlines move by up to so many pixels from one plane to the next.
_LEAN: Final = 0.5
# Of the full radius; below it, a cell is out of focus and not drawn.
_THINNEST: Final = 0.3


def make_z_stack(seed: int, planes: int, side: int = SIDE) -> list[Scene]:
    """Draw a z-stack: each cell grows, is widest in its own middle plane, and shrinks again.

    Parameters
    ----------
    seed : int
        Of the scene that holds the cells at their widest.
    planes : int
        How many.

    Returns
    -------
    list of Scene
        One per plane. A cell that a plane does not reach has radius 0 there, and an empty mask.
    """
    widest = make_scene(seed, side)
    rng = np.random.default_rng([seed, 5])
    count = len(widest.cells)
    middles = rng.uniform(*_MIDDLES, count) * (planes - 1)
    heights = rng.uniform(*_HALF_HEIGHTS, count) * (planes - 1)
    lean = rng.uniform(-_LEAN, _LEAN, (count, 2)) * side / SIDE
    stack = []
    for z in range(planes):
        away = z - middles
        # The outline of an ellipsoid at this height.
        shares = np.sqrt(np.clip(1 - (away / np.maximum(heights, 1)) ** 2, 0, None))
        shares[shares < _THINNEST] = 0
        cells = [
            replace(cell, radius=cell.radius * share, x=cell.x + dx * at, y=cell.y + dy * at)
            for cell, share, (dx, dy), at in zip(
                widest.cells, shares.tolist(), lean.tolist(), away.tolist(), strict=True
            )
        ]
        stack.append(Scene(seed, side, tuple(cells)))
    return stack


def render_all(scenes: Sequence[Scene]) -> NDArray[np.uint8]:
    """Draw the frames of a clip or the planes of a stack, shape (n, side, side, 3)."""
    return np.stack([render(scene, number) for number, scene in enumerate(scenes)])
