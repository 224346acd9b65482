"""Masks as polygons along the edges of their pixels, so that filling them gives the mask back."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Corner = tuple[int, int]

# Directions (row, column): right, down, left, up.
_STEPS: Final = ((0, 1), (1, 0), (0, -1), (-1, 0))


def polygons(mask: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Return one polygon per connected part (corners do not connect); holes are cut into it.

    Parameters
    ----------
    mask : (rows, columns) bool array

    Returns
    -------
    list of (n, 2) arrays
        x and y of corners, clockwise on the screen: 0, 0 is the top left corner of the top left
        pixel. A hole is joined to the outline by a cut of no width, walked there and back, so that
        the even-odd rule and the non-zero rule both leave it empty.
    """
    from scipy import ndimage  # type: ignore[import-untyped]

    parts, _ = ndimage.label(mask)
    found = []
    for number, box in enumerate(ndimage.find_objects(parts), start=1):
        outer, *holes = loops(parts[box] == number)
        joined = join([outer, *holes])
        found.append(joined + np.array([box[1].start, box[0].start]))
    return found


def one_polygon(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return a single polygon for all parts of a mask, joined where they are near each other."""
    return join(polygons(mask))


def loops(part: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Trace the borders of one connected part: the outer one first, then its holes.

    Each is an (n, 2) array of x and y; the part is to the right of the way.
    """
    leaving: dict[Corner, list[int]] = defaultdict(list)
    padded = np.pad(part, 1)
    inner = padded[1:-1, 1:-1]
    # A pixel's four sides, walked clockwise, wherever the neighbour beyond is not inside.
    sides = (
        (0, inner & ~padded[:-2, 1:-1], (0, 0)),  # the top, to the right
        (1, inner & ~padded[1:-1, 2:], (0, 1)),  # the right, down
        (2, inner & ~padded[2:, 1:-1], (1, 1)),  # the bottom, to the left
        (3, inner & ~padded[1:-1, :-2], (1, 0)),  # the left, up
    )
    for direction, where, (down, across) in sides:
        for row, column in zip(*np.nonzero(where), strict=True):
            leaving[(int(row) + down, int(column) + across)].append(direction)
    traced = []
    while leaving:
        traced.append(_follow(leaving))
    traced.sort(key=_signed_area, reverse=True)  # holes turn the other way: below zero
    return traced


def _follow(leaving: dict[Corner, list[int]]) -> NDArray[np.int64]:
    """Walk one border to its end, and take its sides out."""
    start = at = next(iter(leaving))
    first = direction = leaving[at][0]
    corners: list[Corner] = []
    turned = -1
    while True:
        ways = leaving[at]
        if len(ways) > 1 and corners:
            # Two pixels meet by a corner: turning right keeps to the same pixel.
            direction = (direction + 1) % 4
            if direction not in ways:
                direction = ways[0]
        else:
            direction = ways[0]
        ways.remove(direction)
        if not ways:
            del leaving[at]
        if not corners or direction != turned:
            corners.append(at)
        turned = direction
        at = at[0] + _STEPS[direction][0], at[1] + _STEPS[direction][1]
        if at == start and (at not in leaving or (direction + 1) % 4 == first):
            break
    if turned == first:  # it began in the middle of a straight line
        corners.pop(0)
    return np.array([(column, row) for row, column in corners], np.int64)


def _signed_area(loop: NDArray[np.int64]) -> float:
    x, y = loop.T
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2


def join(loops: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Join closed polygons to one, by cuts of no width between corners that are near each other."""
    joined, *rest = loops
    while rest:
        # The nearest first: cuts then seldom cross each other.
        ways = [_nearest(joined, loop) for loop in rest]
        best = min(range(len(rest)), key=lambda i: ways[i][0])
        _, here, there = ways[best]
        loop = rest.pop(best)
        around = np.concatenate([loop[there:], loop[: there + 1]])
        joined = np.concatenate([joined[: here + 1], around, joined[here:]])
    return joined


def _nearest(one: NDArray[np.int64], other: NDArray[np.int64]) -> tuple[int, int, int]:
    """Return the squared distance of the two corners that are nearest, and which they are."""
    best = (-1, 0, 0)
    for start in range(0, len(one), 1024):
        apart = one[start : start + 1024, None, :] - other[None, :, :]
        distance = (apart**2).sum(axis=2)
        row, column = divmod(int(distance.argmin()), distance.shape[1])
        if best[0] < 0 or distance[row, column] < best[0]:
            best = int(distance[row, column]), row + start, column
    return best
