"""One cell: what is said of it, and its outline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_sa2va.samples.scenes import COLORS, SHAPES, SIZES

if TYPE_CHECKING:
    from numpy.typing import NDArray

GRAYS: Final = ("bright", "dim")
"""What takes the place of a colour in grey-level scenes."""

TEXTURES: Final = ("smooth", "spotted")

VALUES: Final[dict[str, tuple[str, ...]]] = {
    "size": SIZES,
    "color": (*COLORS, *GRAYS),
    "texture": TEXTURES,
    "shape": SHAPES,
}
"""Attributes in the order in which they are named, and their values."""

STRETCH: Final = (1.5, 0.6)
"""Half axes of an elongated cell, as multiples of its radius."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell; lengths in pixels of the image, angles in radians.

    Attributes
    ----------
    color : str
        A colour, or a value of `GRAYS` in a grey-level scene.
    x, y : float
        Centre (column, row); may lie outside the image in clips.
    radius : float
        Of the circle that the outline was made from; 0 for a cell that is not in this plane.
    wobble : tuple of float
        Amplitude and phase of the second and third harmonic of the outline.
    tint : tuple of float
        What red, green and blue are multiplied with.
    grain : int
        Seed of its spots and its fine structure, which move with it.
    """

    color: str
    size: str
    texture: str
    shape: str
    x: float
    y: float
    radius: float
    angle: float
    wobble: tuple[float, float, float, float]
    tint: tuple[float, float, float]
    grain: int
    vx: float = 0.0
    vy: float = 0.0

    @property
    def reach(self) -> float:
        """Distance from the centre that the cell can reach."""
        return self.radius * (1.55 if self.shape == "elongated" else 1.12)

    @property
    def values(self) -> dict[str, str]:
        """Its attributes by name."""
        return {name: str(getattr(self, name)) for name in VALUES}

    @property
    def description(self) -> str:
        """What the demo model is taught to say of it: "A large red spotted round cell."."""
        return f"A {' '.join(self.values.values())} cell."


@dataclass(frozen=True, slots=True)
class Window:
    """Part of a grid of sample points that a cell can reach, and where its points lie.

    Attributes
    ----------
    rows, columns : slice
        Into the grid.
    u, v : ndarray of float32
        Coordinates in the cell's own frame, in which its outline is near a circle; same shape as
        the window.
    pitch : float
        Distance of two sample points, in pixels of the image.
    """

    rows: slice
    columns: slice
    u: NDArray[np.float32]
    v: NDArray[np.float32]
    pitch: float


def window(cell: Cell, image: tuple[int, int], grid: tuple[int, int]) -> Window | None:
    """Find the part of a grid over the image that a cell reaches; None where it reaches none.

    Parameters
    ----------
    image, grid : tuple of int
        Height and width of the image in pixels; rows and columns of points spread evenly over it.
    """
    if cell.radius <= 0:
        return None
    steps = (image[0] / grid[0], image[1] / grid[1])
    spans = []
    for middle, step, count in zip((cell.y, cell.x), steps, grid, strict=True):
        reach = cell.reach + 2 * step
        first = max(0, int((middle - reach) / step))
        last = min(count, int((middle + reach) / step) + 1)
        if first >= last:
            return None
        spans.append(slice(first, last))
    dy, dx = (
        ((np.arange(span.start, span.stop) + 0.5) * step - middle).astype(np.float32)
        for span, step, middle in zip(spans, steps, (cell.y, cell.x), strict=True)
    )
    cos, sin = np.float32(np.cos(cell.angle)), np.float32(np.sin(cell.angle))
    u = dx[None] * cos + dy[:, None] * sin
    v = dy[:, None] * cos - dx[None] * sin
    if cell.shape == "elongated":
        u, v = u / np.float32(STRETCH[0]), v / np.float32(STRETCH[1])
    return Window(spans[0], spans[1], u, v, (steps[0] + steps[1]) / 2)


def inside(cell: Cell, where: Window, shrink: float = 1.0) -> NDArray[np.float32]:
    """Antialiased indicator (0 to 1) of the outline, shrunk, over a window; rings are filled."""
    distance = np.hypot(where.u, where.v)
    turn = np.arctan2(where.v, where.u)
    a2, p2, a3, p3 = (np.float32(w) for w in cell.wobble)
    outline = 1 + a2 * np.cos(2 * turn + p2) + a3 * np.cos(3 * turn + p3)
    outline *= np.float32(shrink * cell.radius)
    slope = np.float32((STRETCH[1] if cell.shape == "elongated" else 1.0) / where.pitch)
    share: NDArray[np.float32] = np.clip((outline - distance) * slope + np.float32(0.5), 0, 1)
    return share
