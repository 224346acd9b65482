"""The labels of a plane as regions to ask about.

scipy is imported when it is needed: the dock opens sooner without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sa2va.annotation.packed import PackedMask

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

_DENSE: Final = 1 << 16  # up to this label a list with a place for each is small


def regions_in(
    labels: NDArray[Any], wanted: Collection[int] | None = None
) -> dict[int, PackedMask]:
    """Return the mask of each label in a plane.

    Parameters
    ----------
    labels : ndarray of integers or bool, shape (height, width)
        0 and what is negative is background.
    wanted : collection of int, optional
        Leave out all other labels.

    Returns
    -------
    dict of int to PackedMask
        In the order of the labels; those without a pixel are left out.
    """
    from scipy import ndimage  # type: ignore[import-untyped]

    plane = np.asarray(labels)
    if plane.dtype == np.bool_:
        plane = plane.view(np.uint8)
    if not plane.size or plane.max() <= 0:
        return {}
    numbers: NDArray[Any] | None = None
    if plane.max() > _DENSE:  # labels such as 2³¹ would need a list as long
        numbers, inverse = np.unique(plane, return_inverse=True)
        plane = inverse.reshape(plane.shape) + 1
    found = {}
    for number, box in enumerate(ndimage.find_objects(plane.astype(np.int32)), start=1):
        label = number if numbers is None else int(numbers[number - 1])
        if box is None or label <= 0 or (wanted is not None and label not in wanted):
            continue
        inside = plane[box] == number
        found[label] = PackedMask(
            (plane.shape[0], plane.shape[1]),
            box,
            np.packbits(inside).tobytes(),
            int(np.count_nonzero(inside)),
        )
    return found
