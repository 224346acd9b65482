"""Planes of a stack as people write them, and those that the model looks at."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from napari_sa2va.annotation.records import frames_text as format_planes
from napari_sa2va.errors import InvalidInput
from napari_sa2va.model.key_planes import first_planes, spread_planes

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["first_planes", "format_planes", "parse_planes", "planes_visited", "spread_planes"]

_PART: Final = re.compile(r"(?P<first>\d+)(?:\s*[-–:]\s*(?P<last>\d+))?")  # noqa: RUF001


def parse_planes(text: str, start: int, stop: int) -> tuple[int, ...]:
    """Read numbers and ranges of planes.

    Parameters
    ----------
    text : str
        Such as ``"3"`` or ``"0, 5-9, 20"``; a range has both its ends.
    start, stop : int
        The planes that there are; `stop` is not one of them.

    Raises
    ------
    InvalidInput
        If the text is no such list, or a plane is not there.

    Examples
    --------
    >>> parse_planes("0, 5-7", 0, 10)
    (0, 5, 6, 7)
    """
    planes: set[int] = set()
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        match = _PART.fullmatch(part)
        if match is None:
            raise InvalidInput(
                f"“{part}” is no plane and no range of planes. Write them like this: 0, 5-9, 20."
            )
        first = int(match["first"])
        last = int(match["last"] or first)
        wrong = next((plane for plane in (first, last) if not start <= plane < stop), None)
        if wrong is not None:
            raise InvalidInput(f"There is no plane {wrong} among {start} to {stop - 1}.")
        planes |= set(range(min(first, last), max(first, last) + 1))
    if not planes:
        raise InvalidInput("Write which planes to look at, for example: 0, 5-9, 20.")
    return tuple(sorted(planes))


def planes_visited(keys: Iterable[int], within: tuple[int, int], direction: str) -> int:
    """Return how many planes of a range a tracking comes to from the planes looked at."""
    start, stop = within
    match direction:
        case "forward":
            return stop - min(keys)
        case "backward":
            return max(keys) + 1 - start
        case _:
            return stop - start
