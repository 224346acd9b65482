"""The objects of a plane, one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """One label in one plane.

    Attributes
    ----------
    label : int
    box : (slice, slice)
        Rows and columns.
    inside : bool array
        Its pixels, of the box's size.
    """

    label: int
    box: tuple[slice, slice]
    inside: NDArray[np.bool_]

    @property
    def area(self) -> int:
        """Number of pixels."""
        return int(np.count_nonzero(self.inside))

    @property
    def corner_and_size(self) -> tuple[int, int, int, int]:
        """Left, top, width and height, in pixels."""
        rows, columns = self.box
        return (
            columns.start,
            rows.start,
            columns.stop - columns.start,
            rows.stop - rows.start,
        )


def shapes_in(plane: NDArray[np.integer[Any]]) -> Iterator[Shape]:
    """Go through the labels of a plane in their order, however large the numbers are."""
    from scipy import ndimage  # type: ignore[import-untyped]

    numbers = np.unique(plane)
    numbers = numbers[numbers > 0]
    if not numbers.size:
        return
    if int(numbers[-1]) > 4 * numbers.size + 1024:  # one box is made for each number up to it
        places = np.searchsorted(numbers, plane) + 1
        dense = np.where(plane > 0, places, 0).astype(np.int32)
        boxes = ndimage.find_objects(dense)
    else:
        boxes = [box for box in ndimage.find_objects(plane.astype(np.int64)) if box is not None]
    for number, box in zip(numbers, boxes, strict=True):
        yield Shape(int(number), box, plane[box] == number)
