"""Which level of a pyramid the model looks at, and at which level its masks come back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sa2va.frames.region import Region

# SAM2 works at 1024 by 1024: more pixels than that would only be thrown away. A level is fine
# enough if the region's shorter side has so many there.
PREFERRED_SIDE = 1024
# Above this, a Labels plane at full size costs more memory and drawing time than its finer
# borders are worth. Masks come back at full resolution if the whole plane has at most so many.
FULL_RESOLUTION_PIXELS = 100_000_000


@dataclass(frozen=True, slots=True)
class Levels:
    """Levels of a pyramid, 0 is full resolution.

    Parameters
    ----------
    frame : int
        What the model looks at.
    labels : int
        Where its masks go.
    """

    frame: int
    labels: int


def choose_levels(shapes: Sequence[tuple[int, int]], region: Region) -> Levels:
    """Choose the smallest level that still shows the region at the model's resolution.

    Parameters
    ----------
    shapes : sequence of tuple of int
        Rows and columns of the plane at each level, full resolution first.
    region : Region
        What is looked at, in pixels of full resolution.

    Returns
    -------
    Levels
        Frame level 0 where no level is fine enough.
    """
    rows, columns = shapes[0]
    frame = 0
    for level, (level_rows, level_columns) in enumerate(shapes):
        factors = rows / level_rows, columns / level_columns
        if min(region.reduced(factors, (level_rows, level_columns)).shape) >= PREFERRED_SIDE:
            frame = level
    labels = 0 if rows * columns <= FULL_RESOLUTION_PIXELS else frame
    return Levels(frame=frame, labels=labels)
