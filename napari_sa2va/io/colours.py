"""A colour for each label, the same in every file that is written."""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


def label_colour(label: int) -> tuple[int, int, int]:
    """Return a bright colour as red, green, blue (0 to 255); neighbours in number differ in hue.

    Parameters
    ----------
    label : int
        From 1.
    """
    hue = (0.13 + (label - 1) * 0.618034) % 1  # steps of the golden ratio never meet again
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.85, 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)


def imagej_colours(
    largest: int, colour: Callable[[int], tuple[int, int, int]] = label_colour
) -> NDArray[np.uint8]:
    """Return ImageJ's colour table for 16-bit labels, shown from 0 to the largest: (3, 256).

    ImageJ draws the value v with the entry ``int(v * 256 / (largest + 1) + 0.5)``, 255 at most
    (``ShortProcessor.create8BitImage``). Up to 255 labels each has an entry of its own.

    Parameters
    ----------
    largest : int
    colour : callable
        Returns red, green and blue of a label; the background is black.
    """
    largest = max(largest, 1)
    table = np.zeros((3, 256), np.uint8)
    for entry in range(256):
        label = min(round(entry * (largest + 1) / 256), largest)
        if label > 0:
            table[:, entry] = colour(label)
    return table
