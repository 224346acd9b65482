"""Synthetic microscopy with known answers, sample data for the viewer, the demo checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

SAMPLE_SEED: Final = 10_002_505
"""The scene of the sample image: held out, so the demo model has never seen it."""

SAMPLE_EXPRESSIONS: Final = ("the large red cell", "all green cells")
"""What to ask of it first: a kind of expression that the demo model is good at."""

SAMPLE_PIXEL_SIZE: Final = 0.5
"""Micrometres; what makes the sample's areas physical."""


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
