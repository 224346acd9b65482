"""How large a pixel of an image file is, where the file says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from napari_sa2va.frames.files import TIFF_SUFFIXES
from napari_sa2va.frames.steps import tiff_steps

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class PixelSize(NamedTuple):
    """Height and width of a pixel in micrometres."""

    height: float
    width: float

    @classmethod
    def of(cls, steps: Mapping[str, float]) -> PixelSize | None:
        """Take it from the steps of a file; None unless both are known."""
        return cls(steps["y"], steps["x"]) if steps.keys() >= {"y", "x"} else None


def read_pixel_size(path: Path) -> PixelSize | None:
    """Return the pixel size that ImageJ or OME metadata of a TIFF file state.

    Returns
    -------
    PixelSize or None
        None for other files, without a unit, or with a unit that is no length: plain TIFF
        resolution tags are about paper.
    """
    return PixelSize.of(tiff_steps(path)) if path.suffix.lower() in TIFF_SUFFIXES else None
