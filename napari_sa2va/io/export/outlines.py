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
_MOST_PAIRS: Final = 1 << 20


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
    """Join closed polygons to one, by cuts of no width between corners that are near each other.

    The nearest is joined first (Prim's spanning tree over all corners): cuts then seldom cross. As
    many numbers are compared as there are pairs of corners, also in a mask of thousands of specks.
    """
    corners = np.concatenate(loops)
    ends = np.cumsum([len(loop) for loop in loops])
    firsts = ends - [len(loop) for loop in loops]
    member = np.repeat(np.arange(len(loops)), ends - firsts)
    cuts: dict[int, list[int]] = defaultdict(list)  # from a corner to one of another polygon
    rest = np.arange(ends[0], len(corners))
    distance = np.full(len(rest), np.iinfo(np.int64).max)
    joined_at = np.zeros(len(rest), np.int64)
    latest = 0
    while len(rest):
        _nearer(corners, rest, range(firsts[latest], ends[latest]), distance, joined_at)
        best = int(distance.argmin())
        cuts[int(joined_at[best])].append(int(rest[best]))
        latest = int(member[rest[best]])
        others = member[rest] != latest
        rest, distance, joined_at = rest[others], distance[others], joined_at[others]
    return np.asarray(corners[_walk(cuts, member, firsts, ends)])


def _nearer(
    corners: NDArray[np.int64],
    rest: NDArray[np.int64],
    new: range,
    distance: NDArray[np.int64],
    joined_at: NDArray[np.int64],
) -> None:
    """Take corners that were joined last into account: squared distances, and to which corner."""
    block = max(1, _MOST_PAIRS // len(rest))
    for start in range(new.start, new.stop, block):
        part = corners[start : min(start + block, new.stop)]
        apart = ((corners[rest][:, None, :] - part[None, :, :]) ** 2).sum(axis=2)
        nearest = apart.argmin(axis=1)
        shortest = apart[np.arange(len(rest)), nearest]
        closer = shortest < distance
        distance[closer] = shortest[closer]
        joined_at[closer] = start + nearest[closer]


def _walk(
    cuts: dict[int, list[int]],
    member: NDArray[np.int64],
    firsts: NDArray[np.int64],
    ends: NDArray[np.int64],
) -> list[int]:
    """Return the way round the first polygon, and at each cut round the one beyond it and back."""
    way: list[int] = []
    ahead = list(range(int(ends[0]) - 1, -1, -1))
    while ahead:
        at = ahead.pop()
        if at < 0:  # a corner that is come back to
            way.append(~at)
            continue
        way.append(at)
        for there in reversed(cuts.get(at, ())):
            first, end = int(firsts[member[there]]), int(ends[member[there]])
            around = [*range(there, end), *range(first, there)]
            ahead += [~at, ~there, *reversed(around)]
    return way
