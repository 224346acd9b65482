"""Synthetic microscopy with known answers, sample data for the viewer, the demo checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from napari_sa2va.samples.scenes import Scene

SAMPLE_SEED: Final = 10_002_505
"""The scene of the sample image: held out, so the demo model has never seen it."""

SAMPLE_EXPRESSIONS: Final = ("the large red cell", "all green cells")
"""What to ask of it first: a kind of expression that the demo model is good at."""

SAMPLE_PIXEL_SIZE: Final = 0.5
"""Micrometres; what makes the sample's areas physical."""

MOVIE_SEED: Final = 10_003_005
"""The clip of the sample movie: held out, with cells that pass over each other."""

MOVIE_FRAMES: Final = 48

MOVIE_EXPRESSIONS: Final = ("the large green cell", "all red cells")
"""What to ask of it first: found by the demo model in the first, the middle and the last frame."""

MOVIE_SECONDS_PER_FRAME: Final = 30.0
"""A pace at which cells move that far."""

Z_STACK_SEED: Final = 10_004_004
"""The sample z-stack: held out."""

Z_STACK_PLANES: Final = 32

Z_STACK_EXPRESSIONS: Final = ("the magenta cell", "all yellow cells")
"""What to ask of it first: found by the demo model in the first and the middle plane."""

Z_STACK_SPACING: Final = 1.0
"""Micrometres between planes; within a plane a pixel has `SAMPLE_PIXEL_SIZE`."""


def demo_folder() -> Path:
    """Folder of the demo checkpoint that ships with the package."""
    from pathlib import Path

    return Path(__file__).parent / "demo"


def sample_image() -> NDArray[np.uint8]:
    """Sample image: synthetic fluorescent cells, shape (256, 256, 3)."""
    from napari_sa2va.samples.scenes import make_scene, render

    return render(make_scene(SAMPLE_SEED))


def cells() -> list[tuple[NDArray[np.uint8], dict[str, Any], str]]:
    """File > Open Sample: the sample image as layer data."""
    meta = {
        "name": "synthetic cells",
        "rgb": True,
        "scale": (SAMPLE_PIXEL_SIZE, SAMPLE_PIXEL_SIZE),
        "units": ("micrometer", "micrometer"),
    }
    return [(sample_image(), meta, "image")]


def movie_scenes() -> list[Scene]:
    """Frames of the sample movie as scenes, which know the true masks."""
    from napari_sa2va.samples.scenes import make_clip

    return make_clip(MOVIE_SEED, MOVIE_FRAMES)


def z_stack_scenes() -> list[Scene]:
    """Planes of the sample z-stack as scenes, which know the true masks."""
    from napari_sa2va.samples.stacks import make_z_stack

    return make_z_stack(Z_STACK_SEED, Z_STACK_PLANES)


def sample_movie() -> NDArray[np.uint8]:
    """Sample movie: cells that drift and cross, shape (48, 256, 256, 3)."""
    from napari_sa2va.samples.stacks import render_all

    return render_all(movie_scenes())


def sample_z_stack() -> NDArray[np.uint8]:
    """Sample z-stack: cells that grow and shrink from plane to plane, shape (32, 256, 256, 3)."""
    from napari_sa2va.samples.stacks import render_all

    return render_all(z_stack_scenes())


def movie() -> list[tuple[NDArray[np.uint8], dict[str, Any], str]]:
    """File > Open Sample: the sample movie as layer data."""
    meta = {
        "name": "synthetic cells, movie",
        "rgb": True,
        "axis_labels": ("t", "y", "x"),
        "scale": (MOVIE_SECONDS_PER_FRAME, SAMPLE_PIXEL_SIZE, SAMPLE_PIXEL_SIZE),
        "units": ("second", "micrometer", "micrometer"),
    }
    return [(sample_movie(), meta, "image")]


def z_stack() -> list[tuple[NDArray[np.uint8], dict[str, Any], str]]:
    """File > Open Sample: the sample z-stack as layer data."""
    meta = {
        "name": "synthetic cells, z-stack",
        "rgb": True,
        "axis_labels": ("z", "y", "x"),
        "scale": (Z_STACK_SPACING, SAMPLE_PIXEL_SIZE, SAMPLE_PIXEL_SIZE),
        "units": ("micrometer",) * 3,
    }
    return [(sample_z_stack(), meta, "image")]
