"""Grounded captions: what a picture shows, in phrases with a mask each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sa2va.samples.world.cells import VALUES
from napari_sa2va.training.wording import NUMBERS, listed

if TYPE_CHECKING:
    from napari_sa2va.samples.world.scenes import Scene


@dataclass(frozen=True, slots=True)
class Group:
    """Cells of one size and colour, and what a caption calls them.

    Attributes
    ----------
    phrase : str
        Such as "two large red cells" or "a small green cell".
    cells : tuple of int
    """

    phrase: str
    cells: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption and its groups, in the order of their ``[SEG]``."""

    text: str
    groups: tuple[Group, ...]


def caption(scene: Scene) -> Caption:
    """Describe a scene.

    Groups come in the order of the values' lists, colour first: an order that can be learnt from
    what is there, wherever it lies.
    """
    found: dict[tuple[str, str], list[int]] = {}
    for index, cell in enumerate(scene.cells):
        found.setdefault((cell.color, cell.size), []).append(index)
    order = {value: place for values in VALUES.values() for place, value in enumerate(values)}
    groups = []
    for color, size in sorted(found, key=lambda key: (order[key[0]], order[key[1]])):
        cells = found[color, size]
        number = "a" if len(cells) == 1 else NUMBERS[len(cells)]
        noun = "cell" if len(cells) == 1 else "cells"
        groups.append(Group(f"{number} {size} {color} {noun}", tuple(cells)))
    phrases = listed([f"<p> {group.phrase} </p> [SEG]" for group in groups])
    return Caption(f"The image shows {phrases}.", tuple(groups))
