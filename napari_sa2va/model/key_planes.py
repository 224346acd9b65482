"""Which frames the language model looks at, unless a user names them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from napari_sa2va.model.track_state import Method

# So many does the language model look at, in the official inference and in Sa2VA-i's.
KEY_FRAMES: Final = 5


def first_planes(start: int, stop: int) -> tuple[int, ...]:
    """Return the first five planes of a range; fewer if there are."""
    return tuple(range(start, min(start + KEY_FRAMES, stop)))


def spread_planes(start: int, stop: int) -> tuple[int, ...]:
    """Return five planes evenly spread over a range, both ends among them; fewer if there are.

    As Sa2VA-i chooses them: evenly spaced places, rounded down.
    """
    steps = KEY_FRAMES - 1
    places = (step * (stop - 1 - start) // steps for step in range(KEY_FRAMES))
    return tuple(sorted({start + place for place in places}))


def default_keys(within: tuple[int, int], method: Method) -> tuple[int, ...]:
    """Return the frames that are looked at unless a user says otherwise.

    The first five of the range in the official way, five spread evenly in the consistent one.
    """
    return first_planes(*within) if method == "official" else spread_planes(*within)
