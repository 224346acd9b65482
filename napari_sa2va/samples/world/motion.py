"""Clips and z-stacks of scenes: the same cells in the same order in every frame or plane."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_sa2va.samples.world.drawing import render
from napari_sa2va.samples.world.scenes import Scene, make_scene

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_sa2va.samples.world.cells import Cell

_FASTEST: Final = 6.0  # units a frame
_TURN: Final = 0.12  # radians a frame, standard deviation
# How far beyond the border, in reaches, a cell that leaves turns round and comes back.
_BEYOND: Final = 1.6
_KINDS: Final = ("drift", "cross", "leave")
# Shares of a stack: where the middles of cells lie, and how far they reach up and down from it.
_MIDDLES: Final = (0.1, 0.9)
_HALF_HEIGHTS: Final = (0.25, 0.7)
_THINNEST: Final = 0.3  # of the full radius; a thinner section is out of focus and not drawn


@dataclass(frozen=True, slots=True)
class Clip:
    """Scenes in order, and how its cells move.

    Attributes
    ----------
    kind : str
        ``"drift"``, ``"cross"`` (some meet half-way), ``"leave"`` (some go, and return) or
        ``"stack"``.
    crossing : tuple of (int, int)
        Pairs of cells that meet.
    """

    kind: str
    scenes: tuple[Scene, ...]
    crossing: tuple[tuple[int, int], ...] = ()

    def images(self, frames: Sequence[int] | None = None) -> NDArray[np.uint8]:
        """Draw frames (all by default), shape (n, height, width, 3)."""
        numbers = range(len(self.scenes)) if frames is None else frames
        return np.stack([render(self.scenes[n], n) for n in numbers])


def make_clip(
    seed: int, frames: int, size: tuple[int, int] | None = None, kind: str | None = None
) -> Clip:
    """Draw a clip: the cells of scene `seed` move up to six units a frame.

    Parameters
    ----------
    size : tuple of int, optional
        Height and width; drawn by default.
    kind : str, optional
        See `Clip`; drawn by default. ``"stack"`` is made by `make_z_stack`.
    """
    rng = np.random.default_rng([seed, 15])
    kind = str(rng.choice(_KINDS)) if kind is None else kind
    scene = make_scene(seed, size)
    cells = []
    for cell in scene.cells:
        speed, heading = rng.uniform(0, _FASTEST) * scene.unit, rng.uniform(0, 2 * np.pi)
        cells.append(replace(cell, vx=speed * np.cos(heading), vy=speed * np.sin(heading)))
    leaving: set[int] = set()
    crossing: tuple[tuple[int, int], ...] = ()
    if kind == "leave":
        leaving = set(rng.permutation(len(cells))[: 1 + len(cells) // 2].tolist())
        for index in leaving:
            cells[index] = _outwards(cells[index], scene, rng)
    elif kind == "cross" and len(cells) > 1:
        cells, crossing = _meeting(cells, scene, frames, rng)
    straight = {index for pair in crossing for index in pair}
    scenes = [replace(scene, cells=tuple(cells))]
    for _ in range(frames - 1):
        cells = [
            _moved(cell, scene, rng, leaves=index in leaving, straight=index in straight)
            for index, cell in enumerate(cells)
        ]
        scenes.append(replace(scene, cells=tuple(cells)))
    return Clip(kind, tuple(scenes), crossing)


def make_z_stack(seed: int, planes: int, size: tuple[int, int] | None = None) -> Clip:
    """Draw a z-stack: each cell grows, is widest in its own middle plane, and shrinks again."""
    widest = make_scene(seed, size)
    rng = np.random.default_rng([seed, 16])
    count = len(widest.cells)
    middles = rng.uniform(*_MIDDLES, count) * (planes - 1)
    heights = rng.uniform(*_HALF_HEIGHTS, count) * (planes - 1)
    lean = rng.uniform(-0.5, 0.5, (count, 2)) * widest.unit
    scenes = []
    for z in range(planes):
        away = z - middles
        shares = np.sqrt(np.clip(1 - (away / np.maximum(heights, 1)) ** 2, 0, None))
        shares[shares < _THINNEST] = 0
        cells = [
            replace(cell, radius=cell.radius * share, x=cell.x + dx * at, y=cell.y + dy * at)
            for cell, share, (dx, dy), at in zip(
                widest.cells, shares.tolist(), lean.tolist(), away.tolist(), strict=True
            )
        ]
        scenes.append(replace(widest, cells=tuple(cells)))
    return Clip("stack", tuple(scenes))


def _outwards(cell: Cell, scene: Scene, rng: np.random.Generator) -> Cell:
    """Send a cell to the nearest border, fast enough to leave within a dozen frames."""
    to_border = {
        (-1, 0): cell.x,
        (1, 0): scene.width - cell.x,
        (0, -1): cell.y,
        (0, 1): scene.height - cell.y,
    }
    dx, dy = min(to_border, key=lambda way: to_border[way])
    speed = rng.uniform(0.6, 1.0) * _FASTEST * scene.unit
    sideways = rng.uniform(-0.3, 0.3) * speed
    return replace(cell, vx=dx * speed or sideways, vy=dy * speed or sideways)


def _meeting(
    cells: list[Cell], scene: Scene, frames: int, rng: np.random.Generator
) -> tuple[list[Cell], tuple[tuple[int, int], ...]]:
    """Let the nearest two cells pass over each other about the middle of the clip."""
    pairs = [(i, j) for j in range(len(cells)) for i in range(j)]
    gaps = [np.hypot(cells[i].x - cells[j].x, cells[i].y - cells[j].y) for i, j in pairs]
    i, j = pairs[int(np.argmin(gaps))]
    one, other = cells[i], cells[j]
    x, y = (one.x + other.x) / 2, (one.y + other.y) / 2
    half = max(1.0, (frames - 1) * rng.uniform(0.35, 0.6))
    fastest = _FASTEST * scene.unit
    met = list(cells)
    for index, cell in ((i, one), (j, other)):
        vx, vy = (x - cell.x) / half, (y - cell.y) / half
        slow = min(1.0, fastest / max(float(np.hypot(vx, vy)), 1e-6))
        met[index] = replace(cell, vx=vx * slow, vy=vy * slow)
    return met, ((i, j),)


def _moved(
    cell: Cell, scene: Scene, rng: np.random.Generator, *, leaves: bool, straight: bool
) -> Cell:
    turn = 0.0 if leaves or straight else float(rng.normal(0, _TURN))
    cos, sin = float(np.cos(turn)), float(np.sin(turn))
    vx, vy = cell.vx * cos - cell.vy * sin, cell.vx * sin + cell.vy * cos
    rim = -_BEYOND * cell.reach if leaves else cell.reach
    x, vx = _bounced(cell.x, vx, rim, scene.width - rim)
    y, vy = _bounced(cell.y, vy, rim, scene.height - rim)
    return replace(cell, x=x, y=y, vx=vx, vy=vy)


def _bounced(position: float, velocity: float, low: float, high: float) -> tuple[float, float]:
    """Step, and turn round at the bounds; who is already beyond them may only come nearer."""
    moved = position + velocity
    if (moved < low and velocity < 0) or (moved > high and velocity > 0):
        velocity = -velocity
        moved = position + velocity
    return moved, velocity
