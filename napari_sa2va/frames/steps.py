"""Distances between the planes, frames and pixels of a file, in micrometres and seconds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree

import tifffile

if TYPE_CHECKING:
    from pathlib import Path

_MICROMETRES: Final = {
    "µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0, "\\u00b5m": 1.0,
    "micrometer": 1.0, "micrometre": 1.0, "nm": 1e-3, "nanometer": 1e-3, "angstrom": 1e-4,
    "mm": 1e3, "millimeter": 1e3, "cm": 1e4, "centimeter": 1e4, "m": 1e6, "meter": 1e6,
}  # fmt: skip
_SECONDS: Final = {
    "s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3, "millisecond": 1e-3,
    "min": 60.0, "minute": 60.0, "h": 3600.0, "hour": 3600.0,
}  # fmt: skip


def step_of(axis: str, size: float, unit: str) -> dict[str, float]:
    """Return ``{axis: step}`` in micrometres or seconds; empty where the unit is neither."""
    factor = (_SECONDS if axis == "t" else _MICROMETRES).get(unit.lower())
    if factor is None or not (math.isfinite(size) and size > 0):
        return {}
    return {axis: size * factor}


def tiff_steps(path: Path) -> dict[str, float]:
    """Return what ImageJ or OME metadata of a TIFF state, by axis: t, z, y, x."""
    try:
        with tifffile.TiffFile(path) as tif:
            if tif.is_ome and tif.ome_metadata:
                return _from_ome(tif.ome_metadata)
            if tif.is_imagej and tif.imagej_metadata:
                return _from_imagej(tif.imagej_metadata, tif.pages.first.tags)
    except (OSError, ValueError, ElementTree.ParseError):
        return {}  # the pixels may still be readable: who opens them has the better words
    return {}


def _from_ome(xml: str) -> dict[str, float]:
    pixels = ElementTree.fromstring(xml).find(".//{*}Image/{*}Pixels")
    steps: dict[str, float] = {}
    if pixels is None:
        return steps
    # The schema's default units are micrometres and seconds.
    names = {axis: (f"PhysicalSize{axis.upper()}", "µm") for axis in "zyx"}
    for axis, (name, unit) in {"t": ("TimeIncrement", "s"), **names}.items():
        size = pixels.get(name)
        if size is not None:
            steps |= step_of(axis, float(size), pixels.get(f"{name}Unit", unit))
    return steps


def _from_imagej(metadata: dict[str, object], tags: tifffile.TiffTags) -> dict[str, float]:
    unit = str(metadata.get("unit", ""))
    steps: dict[str, float] = {}
    for axis, name in (("y", "YResolution"), ("x", "XResolution")):
        tag = tags.get(name)
        if tag is not None:
            pixels, units = tag.value
            steps |= step_of(axis, units / pixels if pixels else 0.0, unit)
    spacing, interval = metadata.get("spacing"), metadata.get("finterval")
    if isinstance(spacing, int | float):
        steps |= step_of("z", abs(spacing), unit)  # Fiji writes -1 for stacks read downward
    if isinstance(interval, int | float):
        steps |= step_of("t", interval, str(metadata.get("tunit", "s")))
    return steps
