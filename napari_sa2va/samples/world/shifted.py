"""A domain that the demo checkpoint has never seen: dark grains on bright ground, with words anew.

Contrast is inverted, as in transmitted light; shapes, colours and most words differ from those of
the other scenes here. It is what fine-tuning is tried on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.ndimage import gaussian_filter  # type: ignore[import-untyped]

from napari_sa2va.samples.world.scenes import UNIT_SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLORS: Final[dict[str, tuple[int, int, int]]] = {
    "brown": (130, 80, 45),
    "purple": (120, 60, 160),
    "black": (45, 45, 50),
}
SHAPES: Final = {"square": "squares", "star": "stars", "crescent": "crescents"}
"""Nouns, and their plurals."""

ANY: Final = ("grain", "grains")
_SIZES: Final = {"small": (12.0, 16.0), "large": (23.0, 29.0)}
_SIDES: Final = (192, 320)


@dataclass(frozen=True, slots=True)
class Grain:
    """One grain; lengths in pixels, angles in radians."""

    color: str
    shape: str
    size: str
    x: float
    y: float
    radius: float
    angle: float

    def inside(self, height: int, width: int) -> NDArray[np.bool_]:
        """Mask of it alone, shape (height, width)."""
        dy = np.arange(height)[:, None] + 0.5 - self.y
        dx = np.arange(width)[None] + 0.5 - self.x
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        u, v = (dx * cos + dy * sin) / self.radius, (dy * cos - dx * sin) / self.radius
        mask: NDArray[np.bool_]
        if self.shape == "square":
            mask = np.maximum(abs(u), abs(v)) < 0.8
        elif self.shape == "star":
            mask = np.hypot(u, v) < 0.74 + 0.26 * np.cos(5 * np.arctan2(v, u))
        else:
            mask = (np.hypot(u, v) < 1) & (np.hypot(u - 0.55, v) > 0.75)
        return mask


@dataclass(frozen=True, slots=True, eq=False)
class ShiftedScene:
    """A picture with all that can be asked of it.

    Attributes
    ----------
    image : ndarray of uint8, shape (height, width, 3)
    masks : ndarray of bool, shape (grains, height, width)
    phrases : dict of str to tuple of int
        Each phrase that means something here, and the grains that it means.
    """

    image: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    phrases: dict[str, tuple[int, ...]]


def make_shifted(seed: int) -> ShiftedScene:
    """Draw a scene; a pure function of its seed."""
    rng = np.random.default_rng([seed, 61])
    height, width = (int(side) for side in rng.integers(*_SIDES, 2))
    unit = min(height, width) / UNIT_SIDE
    grains: list[Grain] = []
    wanted = int(rng.integers(4, 9))
    for _ in range(60):
        size = str(rng.choice(list(_SIZES)))
        radius = float(rng.uniform(*_SIZES[size])) * unit
        x, y = rng.uniform((radius, radius), (width - radius, height - radius)).tolist()
        grain = Grain(
            color=str(rng.choice(list(COLORS))),
            shape=str(rng.choice(list(SHAPES))),
            size=size,
            x=x,
            y=y,
            radius=radius,
            angle=float(rng.uniform(0, 2 * np.pi)),
        )
        apart = (np.hypot(x - o.x, y - o.y) > 1.05 * (radius + o.radius) for o in grains)
        if all(apart):
            grains.append(grain)
        if len(grains) == wanted:
            break
    masks = np.stack([grain.inside(height, width) for grain in grains])
    return ShiftedScene(_drawn(grains, masks, rng, unit), masks, _phrases(grains))


def _drawn(
    grains: list[Grain], masks: NDArray[np.bool_], rng: np.random.Generator, unit: float
) -> NDArray[np.uint8]:
    """Let grains take light away from a bright, uneven ground."""
    height, width = masks.shape[1:]
    y, x = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None]
    tilt = rng.uniform(-8, 8, 2)
    plane = rng.uniform(212, 238) + tilt[0] * x + tilt[1] * y
    image = plane[..., None] * rng.uniform(0.95, 1.0, 3)
    for grain, mask in zip(grains, masks, strict=True):
        body = gaussian_filter(mask.astype(np.float32), 0.8 * unit)[..., None]
        speckle = gaussian_filter(rng.normal(0, 1, (height, width)), 2 * unit)[..., None]
        color = np.array(COLORS[grain.color]) * rng.uniform(0.88, 1.12) + 25 * speckle
        image = image * (1 - body) + color * body
    image += rng.normal(0, rng.uniform(2, 6), image.shape)
    pixels: NDArray[np.uint8] = np.clip(image, 0, 255).astype(np.uint8)
    return pixels


def _phrases(grains: list[Grain]) -> dict[str, tuple[int, ...]]:
    """Name every group of grains, and every grain that words single out."""
    groups: dict[tuple[str, str, str], list[int]] = {}
    for index, grain in enumerate(grains):
        for size in ("", grain.size):
            for color in ("", grain.color):
                for shape in ("", grain.shape):
                    if size or color or shape:
                        groups.setdefault((size, color, shape), []).append(index)
    phrases = {f"all {ANY[1]}": tuple(range(len(grains)))}
    for (size, color, shape), found in groups.items():
        one = len(found) == 1
        if not one and size:
            continue  # "all large brown squares" is as good as never there
        noun = (shape or ANY[0]) if one else (SHAPES[shape] if shape else ANY[1])
        words = ["the" if one else "all", size, color, noun]
        phrases[" ".join(word for word in words if word)] = tuple(found)
    return phrases
