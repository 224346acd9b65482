"""Scenes as pictures that look like fluorescence microscopy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter  # type: ignore[import-untyped]

from napari_sa2va.samples.scenes import COLORS
from napari_sa2va.samples.world.cells import Cell, Window, inside, window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sa2va.samples.world.scenes import Scene

# Cells and ground are drawn at most this large and then enlarged: an objective resolves no more.
# Noise is of the camera, and comes pixel by pixel.
_FINEST: Final = 384
_LEVELS: Final = {"bright": (215, 215, 215), "dim": (95, 95, 95)}
_SPOTS: Final = (5, 9)
_UNDER_OTHERS: Final = 0.18  # share of the light of a covered cell that shines through


def render(scene: Scene, frame: int = 0) -> NDArray[np.uint8]:
    """Draw a scene as an RGB image, shape (height, width, 3); red, green and blue equal if grey.

    Parameters
    ----------
    frame : int
        Changes the noise only, so that the frames of a clip differ as a camera's would.
    """
    rng = np.random.default_rng([scene.seed, 12])
    image = (scene.height, scene.width)
    scale = min(1.0, _FINEST / max(image))
    grid = (max(1, round(image[0] * scale)), max(1, round(image[1] * scale)))
    unit = min(grid) / 256
    channels = 1 if scene.gray else 3
    light = np.zeros((channels, *grid), np.float32)
    for cell in scene.cells:
        where = window(cell, image, grid)
        if where is not None:
            _add(light, cell, where)
    _add_debris(light, rng, unit)
    blur = rng.uniform(0.4, 1.5) * unit
    haze = rng.uniform(0.04, 0.22)
    exposure = rng.uniform(0.8, 1.05)
    for channel in light:
        gaussian_filter(channel, blur, output=channel, truncate=2.5)
        channel += haze * _glow(channel, unit)
    light *= exposure * _illumination(rng, grid)
    light += _ground(rng, channels, grid)
    if grid != image:
        size = (scene.width, scene.height)
        light = np.stack(
            [
                np.asarray(Image.fromarray(channel).resize(size, Image.Resampling.BILINEAR))
                for channel in light
            ]
        )
    read, shot = rng.uniform((1.0, 0.1), (6.0, 0.9)).astype(np.float32)
    noise = np.random.default_rng([scene.seed, 13, frame])
    spread = read + shot * np.sqrt(np.maximum(light, 0, dtype=np.float32))
    light = light + spread * noise.standard_normal(light.shape, np.float32)
    pixels = np.clip(light, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(
        np.repeat(pixels, 3, axis=0).transpose(1, 2, 0) if scene.gray else pixels.transpose(1, 2, 0)
    )


def _add(light: NDArray[np.float32], cell: Cell, where: Window) -> None:
    """Add a cell to the light of each channel; what lies under it shines through a little."""
    body = inside(cell, where)
    profile = _profile(cell, where)
    levels = np.asarray(COLORS[cell.color] if cell.color in COLORS else _LEVELS[cell.color])
    color = (levels * np.asarray(cell.tint))[: len(light)].astype(np.float32)
    patch = light[:, where.rows, where.columns]
    patch *= 1 - (1 - np.float32(_UNDER_OTHERS)) * body
    patch += (body * profile)[None] * color[:, None, None]


def _profile(cell: Cell, where: Window) -> NDArray[np.float32]:
    """How bright a cell is from place to place: a dome, hollow in rings, with spots."""
    rng = np.random.default_rng([cell.grain, 14])
    u, v = where.u / np.float32(cell.radius), where.v / np.float32(cell.radius)
    dome = np.sqrt(np.maximum(0, 1.15 - u * u - v * v, dtype=np.float32))
    profile = np.float32(0.72) + np.float32(0.3) * dome
    # Slow waves through the body, so that no two cells look alike.
    for _ in range(2):
        ku, kv, phase = rng.uniform((-4, -4, 0), (4, 4, 6.3)).astype(np.float32)
        profile += np.float32(0.045) * np.sin(ku * u + kv * v + phase)
    if cell.texture == "spotted":
        spots = np.zeros_like(profile)
        count = int(rng.integers(*_SPOTS))
        ring = cell.shape == "ring-shaped"
        for number in range(count):
            # Spread round the middle, so that spots do not fall on each other.
            turn = 2 * np.pi * (number + rng.uniform(-0.3, 0.3)) / count
            away = rng.uniform(0.7, 0.85) if ring else rng.uniform(0.25, 0.8)
            width = rng.uniform(0.1, 0.17)
            near = (u - away * np.cos(turn)) ** 2 + (v - away * np.sin(turn)) ** 2
            np.maximum(spots, np.exp(-near / (2 * width**2)), out=spots)
        profile = profile * np.float32(0.5) + np.float32(0.75) * spots
    if cell.shape == "ring-shaped":
        profile = profile * (1 - np.float32(0.85) * inside(cell, where, shrink=0.55))
    return profile.astype(np.float32)


def _add_debris(light: NDArray[np.float32], rng: np.random.Generator, unit: float) -> None:
    """Add a few specks, far smaller than any cell."""
    height, width = light.shape[1:]
    for _ in range(int(rng.integers(0, 7))):
        row, column = int(rng.integers(height)), int(rng.integers(width))
        side = max(1, round(rng.uniform(1, 2.5) * unit))
        level = rng.uniform(20, 70) * rng.uniform(0.4, 1, len(light))
        light[:, row : row + side, column : column + side] += level[:, None, None]


def _glow(channel: NDArray[np.float32], unit: float) -> NDArray[np.float32]:
    """Light from above and below the focal plane: the picture, blurred far, at low resolution."""
    size = (max(1, channel.shape[1] // 8), max(1, channel.shape[0] // 8))
    small = np.array(Image.fromarray(channel).resize(size, Image.Resampling.BOX))
    blurred = gaussian_filter(small, 2.2 * unit, mode="constant")
    return _enlarged(blurred, channel.shape)


def _illumination(rng: np.random.Generator, grid: tuple[int, int]) -> NDArray[np.float32]:
    """Uneven lamp: brightest somewhere near the middle, down to half in a corner."""
    y = np.linspace(-1, 1, grid[0], dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, grid[1], dtype=np.float32)[None]
    cx, cy = rng.uniform(-0.4, 0.4, 2).astype(np.float32)
    fall = np.float32(rng.uniform(0, 0.14))
    light: NDArray[np.float32] = 1 - fall * ((x - cx) ** 2 + (y - cy) ** 2)
    return light


def _ground(rng: np.random.Generator, channels: int, grid: tuple[int, int]) -> NDArray[np.float32]:
    """Level, tilt and blotches of what is not cells; mostly alike in all channels."""
    y = np.linspace(-1, 1, grid[0], dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, grid[1], dtype=np.float32)[None]
    level, tilt_x, tilt_y = rng.uniform((3, -6, -6), (26, 6, 6)).astype(np.float32)
    blotches = _enlarged(rng.normal(0, 1, (5, 5)).astype(np.float32), grid)
    plane = np.maximum(level + tilt_x * x + tilt_y * y + rng.uniform(0, 7) * blotches, 0)
    shares = rng.uniform(0.6, 1.2, channels).astype(np.float32)
    ground: NDArray[np.float32] = (plane[None] * shares[:, None, None]).astype(np.float32)
    return ground


def _enlarged(plane: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    image = Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32))
    return np.array(image.resize((shape[1], shape[0]), Image.Resampling.BICUBIC))
