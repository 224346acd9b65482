"""A colour for each label, the same in every file that is written."""

from __future__ import annotations

import colorsys


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
