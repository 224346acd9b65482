"""From logits to masks: moving the border, splitting into parts, finding a place for a caption.

scipy is imported when it is needed: the dock opens sooner without.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOWEST_PROBABILITY: Final = 0.05
"""Border of a mask at its widest: what lies outside is not kept."""
HIGHEST_PROBABILITY: Final = 0.95

_CORNERS_CONNECT: Final = np.ones((3, 3), dtype=bool)
# A caption need not sit on the very deepest pixel: so many rows and columns are enough to find it.
_CAPTION_GRID: Final = 128


@dataclass(frozen=True, slots=True, eq=False)
class SoftMask:
    """The probability of belonging to one object, where that is not next to nothing.

    Attributes
    ----------
    box : tuple of slice
        Rows and columns of the frame that the arrays cover; empty if the object is nowhere.
    logits : (rows, columns) float32 array
        At the frame's resolution.
    mask : (rows, columns) bool array
        The mask as the model gave it: its border is at a probability of one half.
    """

    box: tuple[slice, slice]
    logits: NDArray[np.float32]
    mask: NDArray[np.bool_]

    @classmethod
    def from_model(cls, logits: NDArray[np.float32], mask: NDArray[np.bool_]) -> SoftMask:
        """Resize logits to the frame and crop them to where the object could be.

        Parameters
        ----------
        logits : (s, s) float32 array
            At SAM2's resolution.
        mask : (height, width) bool array
            At the frame's size.
        """
        height, width = mask.shape
        full = resize_bilinear(logits, (height, width))
        box = bounding_box((full > logit(LOWEST_PROBABILITY)) | mask)
        return cls(box, full[box].copy(), mask[box].copy())

    def above(self, probability: float) -> NDArray[np.bool_]:
        """Return the mask, inside the box, of the pixels more probable than `probability`."""
        return self.mask if probability == 0.5 else self.logits > logit(probability)


def logit(probability: float) -> float:
    """Return the logit of a probability between 0 and 1."""
    return math.log(probability / (1 - probability))


def mean_probabilities(
    logits: NDArray[np.float32], parts: NDArray[np.integer[Any]], count: int
) -> list[float]:
    """Return the mean probability inside each part of a mask; nan for a part without pixels.

    Parameters
    ----------
    logits : (rows, columns) float32 array
        Of the probabilities.
    parts : (rows, columns) integer array
        Numbers 1 to `count`, 0 outside.
    count : int
        Number of parts.
    """
    inside = parts > 0
    probabilities = 1 / (1 + np.exp(-logits[inside].astype(np.float64)))
    sums = np.bincount(parts[inside], probabilities, count + 1)[1:]
    pixels = np.bincount(parts[inside], minlength=count + 1)[1:]
    with np.errstate(invalid="ignore"):
        return [float(mean) for mean in sums / pixels]


def resize_bilinear(values: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Resize as PyTorch's ``interpolate(mode="bilinear", align_corners=False)`` does.

    Pixel centres are at half-integers and the border is repeated, so the mask of a positive logit
    is the mask that the model gave.
    """
    rows, row_weights = _taps(values.shape[0], shape[0])
    columns, column_weights = _taps(values.shape[1], shape[1])
    wide: NDArray[np.float32]
    wide = values[:, columns[0]] * (1 - column_weights) + values[:, columns[1]] * column_weights
    weights = row_weights[:, None]
    return np.asarray(wide[rows[0]] * (1 - weights) + wide[rows[1]] * weights)


def _taps(size: int, wanted: int) -> tuple[tuple[NDArray[np.intp], ...], NDArray[np.float32]]:
    """For each output pixel: its two neighbours in the input, and the weight of the second."""
    centres = np.clip((np.arange(wanted) + 0.5) * (size / wanted) - 0.5, 0, size - 1)
    lower = np.floor(centres).astype(np.intp)
    upper = np.minimum(lower + 1, size - 1)
    return (lower, upper), (centres - lower).astype(np.float32)


def bounding_box(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the rows and columns that a mask touches; empty slices if it touches none."""
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def number_parts(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    """Give each connected part of a mask a number from 1; corners connect."""
    from scipy import ndimage  # type: ignore[import-untyped]

    parts, count = ndimage.label(mask, structure=_CORNERS_CONNECT)
    return parts, int(count)


def part_boxes(parts: NDArray[np.integer[Any]], count: int) -> list[tuple[slice, ...] | None]:
    """Return the bounding box of each number from 1 to `count`; None for one without pixels."""
    from scipy import ndimage

    return list(ndimage.find_objects(parts, max_label=count))


def inner_point(mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the row and column of a pixel deep inside a mask that is not empty.

    Unlike the centroid it lies on the object, whatever its form.
    """
    from scipy import ndimage

    rows, columns = bounding_box(mask)
    inside = mask[rows, columns]
    step = max(1, math.ceil(max(inside.shape) / _CAPTION_GRID))
    coarse = inside[::step, ::step]
    if not coarse.any():  # thinner than a step
        step, coarse = 1, inside
    depth = ndimage.distance_transform_edt(np.pad(coarse, 1))
    row, column = np.unravel_index(int(np.argmax(depth)), depth.shape)
    return float((row - 1) * step + rows.start), float((column - 1) * step + columns.start)


def middle_point(mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Return a pixel of a mask, in the middle of its middle row: quicker than `inner_point`."""
    rows = np.flatnonzero(mask.any(axis=1))
    row = rows[len(rows) // 2]
    columns = np.flatnonzero(mask[row])
    return float(row), float(columns[len(columns) // 2])
