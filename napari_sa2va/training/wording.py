"""Words that lessons share: numbers, lists, attributes, words that nobody was taught."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from napari_sa2va.samples.scenes import COLORS
from napari_sa2va.samples.world.cells import VALUES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from napari_sa2va.samples.world.scenes import Scene

NUMBERS: Final = (
    "no one two three four five six seven eight nine ten eleven twelve".split()  # by value
)
ATTRIBUTES: Final = tuple(VALUES)
_UNKNOWN_NOUNS: Final = (
    "dog tree house neuron bacterium mitochondrion person car axon vesicle spindle bird tumor "
    "vessel fiber leaf crypt lymphocyte banana letter"
).split()


def count_answer(number: int, words: str) -> str:
    """Say how many there are of what `words` (a plural) name.

    Examples
    --------
    >>> count_answer(1, "red cells")
    'There is one red cell.'
    """
    if number != 1:
        return f"There are {NUMBERS[number]} {words}."
    singular = words.removesuffix("nuclei") + "nucleus" if words.endswith("nuclei") else words[:-1]
    return f"There is one {singular}."


def listed(items: Sequence[str]) -> str:
    """Join items as a sentence does: "red, green and blue"."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def colors_there(scene: Scene) -> list[str]:
    """Colours of a scene's cells, in a fixed order."""
    return [color for color in COLORS if any(cell.color == color for cell in scene.cells)]


def unknown_noun(rng: np.random.Generator) -> str:
    """Draw a noun, real or made of random letters, that is never in a scene."""
    noun = str(rng.choice(_UNKNOWN_NOUNS))
    if rng.random() < 0.3:
        noun = "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), rng.integers(3, 9)))
    color = f"{rng.choice(list(COLORS))} " if rng.random() < 0.4 else ""
    return f"{color}{noun}"
