"""The contrast limits that napari would set on opening an image, worked out without napari."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.frames.render import check_dtype

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sa2va.frames.source import ArrayLike

# Above this many values napari looks at a sample: `calc_data_range` in
# napari/layers/utils/layer_utils.py, 0.9.2, from which all rules here are taken.
_SAMPLED_ABOVE = 10_000_000
_PATCH_HALF = 31
_PATCH_ABOVE_SIDE = 64


def default_contrast_limits(array: ArrayLike, *, rgb: bool = False) -> tuple[float, float]:
    """Return the limits napari gives an image of this array when it opens it from a file.

    Parameters
    ----------
    array : array-like
        (..., rows, columns), or (..., rows, columns, 3 or 4) if ``rgb``. Read no further than
        napari's rule asks for: not at all for uint8, three planes (or patches of them) if large.
    rgb : bool
        The last axis holds colour components.

    Returns
    -------
    tuple of float
        Lowest and highest value; (0, 255) for uint8; widened to take in 0 and 1 where all values
        are equal. NaN and infinities are left out.
    """
    check_dtype(np.dtype(array.dtype))
    if array.dtype == np.uint8:
        return 0.0, 255.0
    if array.size == 0:
        return 0.0, 1.0
    plane_axes = 3 if rgb else 2
    if array.ndim < 3 or array.size <= _SAMPLED_ABOVE:
        lowest, highest = _finite_range(np.asarray(array[()]))
    else:
        ranges = [_finite_range(sample) for sample in _samples(array, plane_axes)]
        lowest = min(low for low, _ in ranges)
        highest = max(high for _, high in ranges)
    if lowest == highest:
        lowest, highest = min(lowest, 0.0), max(highest, 1.0)
    return lowest, highest


def _samples(array: ArrayLike, plane_axes: int) -> list[NDArray[Any]]:
    """First, middle and last plane; only a patch in their middle where planes are large."""
    leading, plane = array.shape[:-plane_axes], array.shape[-plane_axes:]
    patch: tuple[slice, ...] = ()
    if math.prod(plane) > _SAMPLED_ABOVE and min(plane[0], plane[1]) > _PATCH_ABOVE_SIDE:
        patch = tuple(slice(s // 2 - _PATCH_HALF, s // 2 + _PATCH_HALF) for s in plane[:2])
    first = (0,) * len(leading)
    middle = tuple(length // 2 for length in leading)
    last = tuple(length - 1 for length in leading)
    return [np.asarray(array[(*index, *patch)]) for index in (first, middle, last)]


def _finite_range(values: NDArray[Any]) -> tuple[float, float]:
    """Lowest and highest finite value; 0 and 1 where napari finds none."""
    lowest, highest = values.min(), values.max()
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        finite = values[np.isfinite(values)]
        if finite.size == 0:
            return 0.0, 1.0
        lowest, highest = finite.min(), finite.max()
    return float(lowest), float(highest)
