"""Objects named in a question: ``@3`` becomes the region that the model is shown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from napari_sa2va.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Collection

# Not in "me@3d.org", nor in "@3d": a label stands on its own.
_MENTION: Final = re.compile(r"(?<![\w@.])@(\d+)(?!\w)")
# As Sa2VA's training data write it: "region 2 of the brain" is not meant.
_REGION: Final = re.compile(r"\bregion(\d+)\b", re.IGNORECASE)
_MOST_LISTED: Final = 12


def mentioned(text: str, known: Collection[int]) -> tuple[str, tuple[int, ...]]:
    """Turn the labels that a question mentions into the numbers of regions.

    Parameters
    ----------
    text : str
        With mentions such as ``@3``. The same label is the same region wherever it stands.
    known : collection of int
        Labels that can be pointed out.

    Returns
    -------
    text : str
        With ``region1``, ``region2``, … in their place.
    labels : tuple of int
        The label of each region; empty where none is mentioned, and the text is as it was.

    Raises
    ------
    InvalidInput
        If a label is not known, or the text counts regions itself as well.

    Examples
    --------
    >>> mentioned("Compare @7 with @3.", {3, 7})
    ('Compare region1 with region2.', (7, 3))
    """
    numbers: dict[int, int] = {}

    def region(match: re.Match[str]) -> str:
        label = int(match[1])
        if label not in known:
            raise InvalidInput(f"@{label} is not there to be pointed out. {_choices(known)}")
        return f"region{numbers.setdefault(label, len(numbers) + 1)}"

    named = _MENTION.sub(region, text)
    if numbers and _REGION.search(text):
        raise InvalidInput(
            "The question names a label (@) and counts regions as well. Write either the one or "
            "the other: which region is which would not be clear."
        )
    return named, tuple(numbers)


def mentions(text: str) -> bool:
    """Whether a text mentions any label."""
    return _MENTION.search(text) is not None


def regions_counted(text: str) -> int:
    """Return the highest number of a region that a text speaks of; 0 if it speaks of none.

    Examples
    --------
    >>> regions_counted("What is the difference between region1 and region2?")
    2
    """
    return max((int(number) for number in _REGION.findall(text)), default=0)


def _choices(known: Collection[int]) -> str:
    if not known:
        return "There is no label in the plane in view: paint one, or choose other regions."
    listed = ", ".join(str(label) for label in sorted(known)[:_MOST_LISTED])
    return f"Labels there: {listed}{', …' if len(known) > _MOST_LISTED else ''}."
