"""Synthetic fluorescence scenes: cells of known colour, size and shape, and their exact masks.

A scene is a pure function of its seed, so a held-out set is a range of seeds that training never
draws. A clip is a scene whose cells move.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLORS: Final[dict[str, tuple[int, int, int]]] = {
    "red": (225, 50, 40),
    "green": (50, 200, 60),
    "blue": (60, 90, 245),
    "yellow": (230, 215, 50),
    "cyan": (40, 210, 220),
    "magenta": (220, 60, 205),
}
SIZES: Final = ("small", "large")
SHAPES: Final = ("round", "elongated", "ring-shaped")

SIDE: Final = 256
HELD_OUT_SEED: Final = 10_000_000
"""Training draws seeds below this one, evaluation from here on."""

_RADII: Final = {"small": (11.0, 15.0), "large": (22.0, 29.0)}


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell; lengths in pixels, angles in radians.

    Attributes
    ----------
    x, y : float
        Centre (column, row).
    radius : float
        Of the circle that the outline was made from; 0 for a cell that is not in this plane.
    wobble : tuple of float
        Amplitude and phase of the second and third harmonic of the outline.
    """

    color: str
    size: str
    shape: str
    x: float
    y: float
    radius: float
    angle: float
    wobble: tuple[float, float, float, float]
    tint: tuple[float, float, float]
    vx: float = 0.0
    vy: float = 0.0

    @property
    def reach(self) -> float:
        """Distance from the centre that the cell can reach."""
        return self.radius * (1.55 if self.shape == "elongated" else 1.12)

    @property
    def description(self) -> str:
        """What the demo model is taught to say of it, such as "A large red round cell."."""
        return f"A {self.size} {self.color} {self.shape} cell."


@dataclass(frozen=True, slots=True)
class Scene:
    """Cells, and what is needed to draw them."""

    seed: int
    side: int
    cells: tuple[Cell, ...]

    def masks(self) -> NDArray[np.bool_]:
        """Masks of what is seen of each cell, shape (cells, side, side)."""
        masks = np.stack([coverage(cell, self.side) for cell in self.cells]) > 0.5
        covered = np.zeros(masks.shape[1:], bool)
        for mask in masks[::-1]:  # later cells are drawn on top
            mask &= ~covered
            covered |= mask
        return masks


def make_scene(seed: int, side: int = SIDE) -> Scene:
    """Draw the cells of a scene.

    A scene uses two to four colours and sometimes one size or shape only, so that an attribute
    can be absent as well as ambiguous.
    """
    rng = np.random.default_rng([seed, 1])
    scale = side / SIDE
    colors = rng.permutation(list(COLORS))[: rng.integers(2, 5)]
    sizes = [SIZES, SIZES, SIZES, SIZES[:1], SIZES[1:]][rng.integers(5)]
    shapes = rng.permutation(SHAPES)[: (1, 2, 3, 3)[rng.integers(4)]]
    wanted = int(rng.integers(3, 9))
    cells: list[Cell] = []
    for _ in range(120):
        size = str(rng.choice(sizes))
        cell = Cell(
            color=str(rng.choice(colors)),
            size=size,
            shape=str(rng.choice(shapes)),
            x=0.0,
            y=0.0,
            radius=float(rng.uniform(*_RADII[size])) * scale,
            angle=float(rng.uniform(0, np.pi)),
            wobble=tuple(rng.uniform((0, 0, 0, 0), (0.07, 6.3, 0.05, 6.3)).tolist()),
            tint=tuple((rng.uniform(0.82, 1.08) + rng.uniform(-0.07, 0.07, 3)).tolist()),
        )
        margin = cell.reach + 1
        x, y = rng.uniform(margin, side - margin, 2).tolist()
        cell = replace(cell, x=x, y=y)
        if all(np.hypot(x - o.x, y - o.y) > cell.reach + o.reach + 1 for o in cells):
            cells.append(cell)
        if len(cells) == wanted:
            break
    return Scene(seed, side, tuple(cells))


def make_clip(seed: int, frames: int, side: int = SIDE) -> list[Scene]:
    """Draw a clip: the cells of scene `seed` drift up to six pixels a frame and bounce at the rim.

    Cells may overlap on their way; the later one in the list is then on top.
    """
    first = make_scene(seed, side)
    rng = np.random.default_rng([seed, 2])
    cells = []
    for cell in first.cells:
        speed, heading = rng.uniform(0, 6) * side / SIDE, rng.uniform(0, 2 * np.pi)
        cells.append(replace(cell, vx=speed * np.cos(heading), vy=speed * np.sin(heading)))
    clip = [replace(first, cells=tuple(cells))]
    for _ in range(frames - 1):
        cells = [_step(cell, side) for cell in cells]
        clip.append(Scene(seed, side, tuple(cells)))
    return clip


def _step(cell: Cell, side: int) -> Cell:
    def bounce(position: float, velocity: float) -> tuple[float, float]:
        rim = cell.reach
        moved = position + velocity
        if not rim <= moved <= side - rim:
            velocity = -velocity
            moved = float(np.clip(position + velocity, rim, side - rim))
        return moved, velocity

    x, vx = bounce(cell.x, cell.vx)
    y, vy = bounce(cell.y, cell.vy)
    return replace(cell, x=x, y=y, vx=vx, vy=vy)


def _inside(
    cell: Cell, top: int, bottom: int, left: int, right: int, shrink: float = 1.0
) -> NDArray[np.float32]:
    """Antialiased indicator (0 to 1) of the cell's outline over a window of pixels."""
    dy = np.arange(top, bottom, dtype=np.float32)[:, None] + 0.5 - cell.y
    dx = np.arange(left, right, dtype=np.float32)[None] + 0.5 - cell.x
    cos, sin = np.float32(np.cos(cell.angle)), np.float32(np.sin(cell.angle))
    u, v = dx * cos + dy * sin, dy * cos - dx * sin
    if cell.shape == "elongated":
        u, v = u / 1.5, v / 0.6
    distance = np.hypot(u, v)
    turn = np.arctan2(v, u)
    a2, p2, a3, p3 = (np.float32(w) for w in cell.wobble)
    outline = shrink * cell.radius * (1 + a2 * np.cos(2 * turn + p2) + a3 * np.cos(3 * turn + p3))
    slope = np.float32(0.6 if cell.shape == "elongated" else 1.0)
    return np.clip((outline - distance) * slope + 0.5, 0, 1).astype(np.float32)


def _window(cell: Cell, side: int) -> tuple[int, int, int, int]:
    reach = cell.reach + 2
    return (
        max(0, int(cell.y - reach)),
        min(side, int(cell.y + reach) + 1),
        max(0, int(cell.x - reach)),
        min(side, int(cell.x + reach) + 1),
    )


def coverage(cell: Cell, side: int) -> NDArray[np.float32]:
    """Return how much of each pixel a cell covers, (side, side); rings count as filled."""
    plane = np.zeros((side, side), np.float32)
    if cell.radius <= 0:
        return plane
    top, bottom, left, right = _window(cell, side)
    plane[top:bottom, left:right] = _inside(cell, top, bottom, left, right)
    return plane


def render(scene: Scene, frame: int = 0) -> NDArray[np.uint8]:
    """Draw a scene as an RGB image, shape (side, side, 3).

    Parameters
    ----------
    frame : int
        Changes the noise only, so that the frames of a clip differ as a camera's would.
    """
    rng = np.random.default_rng([scene.seed, 3])
    side = scene.side
    ramp = np.linspace(-1, 1, side, dtype=np.float32)
    base, tilt_x, tilt_y = rng.uniform((4, -5, -5), (22, 5, 5))
    ground = base + tilt_x * ramp[None] + tilt_y * ramp[:, None]
    image = np.repeat(ground[..., None], 3, axis=2).astype(np.float32)
    image *= rng.uniform(0.8, 1.2, 3).astype(np.float32)
    grain = Image.fromarray(rng.normal(0, 1, (side // 4, side // 4)).astype(np.float32))
    texture = np.asarray(grain.resize((side, side), Image.Resampling.BICUBIC))
    for cell in scene.cells:
        if cell.radius <= 0:  # above or below this plane of a stack
            continue
        top, bottom, left, right = _window(cell, side)
        body = _inside(cell, top, bottom, left, right)
        light = np.ones_like(body)
        if cell.shape == "ring-shaped":
            light -= 0.82 * _inside(cell, top, bottom, left, right, shrink=0.55)
        light *= 1 + 0.07 * texture[: bottom - top, : right - left]
        color = np.asarray(COLORS[cell.color], np.float32) * np.asarray(cell.tint, np.float32)
        patch = image[top:bottom, left:right]
        patch *= 1 - body[..., None]
        patch += body[..., None] * (light[..., None] * color + 6)
    noise = np.random.default_rng([scene.seed, 4, frame])
    image += noise.standard_normal(image.shape, np.float32) * np.float32(rng.uniform(2, 9))
    return np.clip(image, 0, 255).astype(np.uint8)
