"""Colours of the chips: those of the labels, so mixed that letters on them can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtGui import QColor

if TYPE_CHECKING:
    from collections.abc import Sequence

READABLE: Final = 4.5
"""Least contrast of letters: WCAG 2.2, level AA, success criterion 1.4.3."""
_SHARE: Final = 0.45
_WHITE, _BLACK = QColor(255, 255, 255), QColor(0, 0, 0)


def chip_colours(label: Sequence[float], base: QColor) -> tuple[QColor, QColor]:
    """Return the colours of a chip's ground and of its letters.

    Parameters
    ----------
    label : sequence of float
        The label's colour: red, green, blue, 0 to 1.
    base : QColor
        What the chip lies on.
    """
    mine = QColor.fromRgbF(*(min(max(float(part), 0.0), 1.0) for part in label[:3]))
    ground = mixed(mine, base, _SHARE)
    letters = max((_WHITE, _BLACK), key=lambda colour: contrast(colour, ground))
    return ground, letters


def dimmed(text: QColor, base: QColor) -> QColor:
    """Return a colour for what matters less, that can still be read."""
    share = 0.5
    while share < 1.0 and contrast(mixed(text, base, share), base) < READABLE:
        share += 0.05
    return mixed(text, base, min(share, 1.0))


def link_colour(base: QColor) -> QColor:
    """Return a blue that can be read."""
    return QColor("#6db3f2") if luminance(base) < 0.2 else QColor("#0b57a8")


def mixed(one: QColor, other: QColor, share: float) -> QColor:
    """Return a mixture with so large a share of `one`."""
    pairs = zip(one.getRgbF()[:3], other.getRgbF()[:3], strict=True)
    return QColor.fromRgbF(*(share * a + (1 - share) * b for a, b in pairs))


def contrast(one: QColor, other: QColor) -> float:
    """Return the contrast of two colours, 1 to 21, as WCAG 2.2 defines it."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: QColor) -> float:
    """Return the relative luminance, 0 to 1, as WCAG 2.2 defines it."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in colour.getRgbF()[:3]
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
