"""How large a pixel of an image file is, where the file says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from xml.etree import ElementTree

import tifffile

if TYPE_CHECKING:
    from pathlib import Path

_TIFF_SUFFIXES: Final = {".tif", ".tiff"}
_MICROMETRES: Final = {
    "µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0, "\\u00b5m": 1.0,
    "micrometer": 1.0, "micrometre": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4, "m": 1e6,
}  # fmt: skip


class PixelSize(NamedTuple):
    """Height and width of a pixel in micrometres."""

    height: float
    width: float


def read_pixel_size(path: Path) -> PixelSize | None:
    """Return the pixel size that ImageJ or OME metadata of a TIFF file state.

    Returns
    -------
    PixelSize or None
        None for other files, without a unit, or with a unit that is no length: plain TIFF
        resolution tags are about paper.
    """
    if path.suffix.lower() not in _TIFF_SUFFIXES:
        return None
    try:
        with tifffile.TiffFile(path) as tif:
            if tif.is_ome and tif.ome_metadata:
                return _from_ome(tif.ome_metadata)
            if tif.is_imagej and tif.imagej_metadata:
                return _from_imagej(tif.imagej_metadata.get("unit", ""), tif.pages.first.tags)
    except (OSError, ValueError, ElementTree.ParseError):
        return None  # the pixels may still be readable: who opens them has the better words
    return None


def _from_ome(xml: str) -> PixelSize | None:
    root = ElementTree.fromstring(xml)
    pixels = root.find(".//{*}Image/{*}Pixels")
    if pixels is None:
        return None
    sizes = []
    for axis in "YX":
        # OME's default unit is the micrometre.
        factor = _MICROMETRES.get(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        size = pixels.get(f"PhysicalSize{axis}")
        if factor is None or size is None:
            return None
        sizes.append(float(size) * factor)
    return _plausible(*sizes)


def _from_imagej(unit: str, tags: tifffile.TiffTags) -> PixelSize | None:
    factor = _MICROMETRES.get(unit.lower())  # Fiji: \\u00B5m
    resolutions = [tags.get(name) for name in ("YResolution", "XResolution")]
    if factor is None or None in resolutions:
        return None
    sizes = []
    for tag in resolutions:
        assert tag is not None
        pixels, units = tag.value
        if not pixels:
            return None
        sizes.append(units / pixels * factor)
    return _plausible(*sizes)


def _plausible(height: float, width: float) -> PixelSize | None:
    return PixelSize(height, width) if height > 0 and width > 0 else None
