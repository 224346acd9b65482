"""Scenes: which cells lie where, in an image of which size; a pure function of a seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_sa2va.samples.scenes import COLORS, SHAPES, SIZES
from napari_sa2va.samples.world.cells import GRAYS, TEXTURES, Cell, inside, window

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNIT_SIDE: Final = 256
"""Lengths are given for images whose shorter side has so many pixels, and scale with it."""

SHORTEST: Final = 128
LONGEST: Final = 1024
RATIOS: Final = (1.0, 1.0, 1.0, 4 / 3, 3 / 2, 2.0)

_RADII: Final = {"small": (11.0, 15.0), "large": (22.0, 29.0)}
_GRAY_SHARE: Final = 0.25
# How near cells may come, as a share of the distance at which their outlines certainly part: in
# scenes of cells that lie apart, that touch and that overlap.
_NEAREST: Final = (1.0, 0.85, 0.62)
_CLUSTERED: Final = 0.4  # share of the cells that are put beside another one, in the latter two
# A cell must show so much of itself to be counted, and to be told what it looks like.
_VISIBLE: Final = 0.6


@dataclass(frozen=True, slots=True)
class Scene:
    """Cells, and what is needed to draw them; later cells lie on top.

    Attributes
    ----------
    seed : int
        Of the ground, the light and the noise.
    height, width : int
        In pixels.
    """

    seed: int
    height: int
    width: int
    gray: bool
    cells: tuple[Cell, ...]

    @property
    def unit(self) -> float:
        """How many times larger all lengths are than in an image of 256 pixels a side."""
        return min(self.height, self.width) / UNIT_SIDE

    def masks(self, grid: tuple[int, int] | None = None) -> NDArray[np.bool_]:
        """Masks of what is seen of each cell, shape (cells, rows, columns).

        Parameters
        ----------
        grid : tuple of int, optional
            Rows and columns that the image is divided into; its own pixels by default.
        """
        image = (self.height, self.width)
        grid = image if grid is None else grid
        masks = np.zeros((len(self.cells), *grid), bool)
        covered = np.zeros(grid, bool)
        for index in range(len(self.cells) - 1, -1, -1):
            where = window(self.cells[index], image, grid)
            if where is None:
                continue
            place = (where.rows, where.columns)
            there = (inside(self.cells[index], where) > 0.5) & ~covered[place]
            masks[index][place] = there
            covered[place] |= there
        return masks


def draw_size(rng: np.random.Generator) -> tuple[int, int]:
    """Draw height and width: 128 to 1024 pixels a side, small ones more often, some not square."""
    ratio = float(rng.choice(RATIOS))
    # The cube of a uniform draw leans to the small end, which is cheap to draw and to train on.
    short = SHORTEST * (LONGEST / ratio / SHORTEST) ** (rng.random() ** 1.6)
    sides = round(short), min(LONGEST, round(short * ratio))
    return sides if rng.random() < 0.5 else (sides[1], sides[0])


def make_scene(seed: int, size: tuple[int, int] | None = None) -> Scene:
    """Draw the cells of a scene.

    A scene uses two to four colours (or grey levels), and sometimes one size, shape or texture
    only, so that an attribute can be absent as well as ambiguous.

    Parameters
    ----------
    size : tuple of int, optional
        Height and width; drawn by default.
    """
    rng = np.random.default_rng([seed, 11])
    height, width = draw_size(rng) if size is None else size
    unit = min(height, width) / UNIT_SIDE
    gray = bool(rng.random() < _GRAY_SHARE)
    if gray:
        colors = [list(GRAYS), list(GRAYS), list(GRAYS[:1]), list(GRAYS[1:])][rng.integers(4)]
    else:
        colors = rng.permutation(list(COLORS))[: rng.integers(2, 5)].tolist()
    sizes = [SIZES, SIZES, SIZES, SIZES[:1], SIZES[1:]][rng.integers(5)]
    shapes = rng.permutation(SHAPES)[: (1, 2, 3, 3)[rng.integers(4)]]
    textures = [TEXTURES, TEXTURES, TEXTURES[:1], TEXTURES[1:]][rng.integers(4)]
    wanted = int(rng.integers(2, 13))
    nearest = _NEAREST[rng.choice(3, p=(0.4, 0.3, 0.3))]
    # In every fifth scene some cells are cut by the border.
    shown = 0.45 if rng.random() < 0.2 else 1.0
    shrink = 1.0 if wanted < 9 else 0.85
    cells: list[Cell] = []
    for _ in range(40 * wanted):
        size_name = str(rng.choice(sizes))
        cell = Cell(
            color=str(rng.choice(colors)),
            size=size_name,
            texture=str(rng.choice(textures)),
            shape=str(rng.choice(shapes)),
            x=0.0,
            y=0.0,
            radius=float(rng.uniform(*_RADII[size_name])) * unit * shrink,
            angle=float(rng.uniform(0, np.pi)),
            wobble=tuple(rng.uniform((0, 0, 0, 0), (0.07, 6.3, 0.05, 6.3)).tolist()),
            tint=tuple((rng.uniform(0.85, 1.05) + rng.uniform(-0.06, 0.06, 3)).tolist()),
            grain=int(rng.integers(2**31)),
        )
        margin = cell.reach * shown + unit
        x, y = rng.uniform((margin, margin), (width - margin, height - margin)).tolist()
        if cells and nearest < 1 and rng.random() < _CLUSTERED:
            other = cells[rng.integers(len(cells))]
            way = rng.uniform(0, 2 * np.pi)
            away = rng.uniform(nearest, 1.0) * (cell.reach + other.reach)
            x = float(np.clip(other.x + away * np.cos(way), margin, width - margin))
            y = float(np.clip(other.y + away * np.sin(way), margin, height - margin))
        cell = replace(cell, x=x, y=y)
        if all(np.hypot(x - o.x, y - o.y) > nearest * (cell.reach + o.reach) for o in cells):
            cells.append(cell)
        if len(cells) == wanted:
            break
    scene = Scene(seed, height, width, gray, tuple(cells))
    return scene if nearest == 1 else _all_seen(scene)


def _all_seen(scene: Scene) -> Scene:
    """Take out cells that others hide for the most part."""
    grid = (96, 96)
    while True:
        seen = scene.masks(grid).sum(axis=(1, 2))
        whole = np.array([replace(scene, cells=(cell,)).masks(grid).sum() for cell in scene.cells])
        kept = tuple(
            cell
            for cell, share in zip(scene.cells, seen / np.maximum(whole, 1), strict=True)
            if share >= _VISIBLE
        )
        if len(kept) == len(scene.cells):
            return scene
        scene = replace(scene, cells=kept)
