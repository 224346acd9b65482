"""Referring expressions about synthetic scenes, with the cells that each one means.

The form of an expression (which attributes, "the" or "all", with a place or a superlative) is
drawn first, then whether what it names is present, and only then the words. Otherwise the words
alone would tell whether an object is there, and a model learns to refuse by form.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from napari_sa2va.samples.scenes import COLORS, SHAPES, SIZES, make_scene

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sa2va.samples.scenes import Cell, Scene

PLACES: Final = ("on the left", "on the right", "at the top", "at the bottom")
SUPERLATIVES: Final = ("largest", "smallest", "leftmost", "rightmost", "topmost", "bottommost")
SYNONYMS: Final = {
    "large": ("large", "big"),
    "small": ("small", "tiny"),
    "round": ("round", "circular"),
    "elongated": ("elongated", "long"),
    "cell": ("cell", "nucleus", "object"),
    "cells": ("cells", "nuclei", "objects"),
}
ABSENT_SHARE: Final = 0.3

_VALUES: Final = {"size": SIZES, "color": tuple(COLORS), "shape": SHAPES}
# A cell nearer to the middle than this share of the side is neither left nor right.
_MIDDLE: Final = (0.42, 0.58)


@dataclass(frozen=True, slots=True)
class Form:
    """The shape of an expression, before any word is chosen.

    Attributes
    ----------
    attributes : tuple of str
        Which of size, color and shape are named.
    extra : str
        ``""``, ``"all"``, ``"place"`` or ``"superlative"``.
    """

    attributes: tuple[str, ...]
    extra: str = ""

    @property
    def kind(self) -> str:
        """Name in tables of figures."""
        if self.extra:
            return {"all": "plural", "place": "position"}.get(self.extra, self.extra)
        return self.attributes[0] if len(self.attributes) == 1 else "combination"


@dataclass(frozen=True, slots=True)
class Expression:
    """Words, and the indices of the cells they mean (none: absent)."""

    text: str
    form: Form
    targets: tuple[int, ...]


_ONE: Final = [("color",), ("size",), ("shape",)]
_TWO: Final = [("size", "color"), ("color", "shape"), ("size", "shape")]
_THREE: Final = [("size", "color", "shape")]
FORMS: Final[dict[Form, float]] = {
    **{Form(a): w for a, w in zip(_ONE, (9, 6, 6), strict=True)},
    **{Form(a): 5 for a in _TWO},
    **{Form(a): 6 for a in _THREE},
    **{Form(a, "all"): w for a, w in zip([*_ONE, *_TWO], (6, 3, 3, 2, 2, 1), strict=True)},
    Form((), "all"): 2,
    **{Form(a, "place"): w for a, w in zip([(), *_ONE, *_TWO], (1, 5, 2, 2, 2, 2, 1), strict=True)},
    **{Form(a, "superlative"): w for a, w in zip([(), *_ONE], (4, 3, 1, 1), strict=True)},
}


_Filling: TypeAlias = tuple[dict[str, str], str, tuple[int, ...]]
"""Attribute values, the place or superlative, and the cells meant."""


def _place_test(place: str, side: int) -> Callable[[Cell], float]:
    """Signed: 1 in the place, 0 too near to the middle to say, -1 elsewhere."""
    low, high = (share * side for share in _MIDDLE)

    def test(cell: Cell) -> float:
        position = cell.x if place.endswith(("left", "right")) else cell.y
        before = place.endswith(("left", "top"))
        if low <= position <= high:
            return 0
        return 1 if (position < low) == before else -1

    return test


def _superlative_key(word: str) -> tuple[Callable[[Cell], float], float]:
    """Sort key (largest first) and the margin by which the winner must lead."""
    keys: dict[str, tuple[Callable[[Cell], float], float]] = {
        "largest": (lambda c: c.radius, 2.0),
        "smallest": (lambda c: -c.radius, 1.2),
        "leftmost": (lambda c: -c.x, 10.0),
        "rightmost": (lambda c: c.x, 10.0),
        "topmost": (lambda c: -c.y, 10.0),
        "bottommost": (lambda c: c.y, 10.0),
    }
    return keys[word]


def meant(scene: Scene, form: Form, matching: list[int], extra: str = "") -> list[int] | None:
    """Find the cells that an expression means.

    Parameters
    ----------
    matching : list of int
        Cells that have the attributes it names.
    extra : str
        The place or the superlative, as `form` wants one.

    Returns
    -------
    list of int or None
        Empty when what is named is absent, None when the expression would be ambiguous.
    """
    found = matching
    if form.extra == "all":
        return found
    if form.extra == "place":
        test = _place_test(extra, scene.side)
        places = [test(scene.cells[i]) for i in found]
        if 0 in places:
            return None
        found = [i for i, place in zip(found, places, strict=True) if place > 0]
    elif form.extra == "superlative" and found:
        key, margin = _superlative_key(extra)
        order = sorted(found, key=lambda i: key(scene.cells[i]), reverse=True)
        lead = key(scene.cells[order[0]]) - key(scene.cells[order[1]]) if len(order) > 1 else 0
        return order[:1] if lead > margin * scene.side / 256 else None
    return found if len(found) < 2 else None


def _candidates(scene: Scene, form: Form) -> tuple[list[_Filling], list[_Filling]]:
    """All ways to fill a form in, those that name something present and those that do not."""
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for i, cell in enumerate(scene.cells):
        groups[tuple(getattr(cell, a) for a in form.attributes)].append(i)
    extras: tuple[str, ...] = {"place": PLACES, "superlative": SUPERLATIVES}.get(form.extra, ("",))
    present: list[_Filling] = []
    absent: list[_Filling] = []
    for values in product(*(_VALUES[a] for a in form.attributes)):
        wanted = dict(zip(form.attributes, values, strict=True))
        for extra in extras:
            targets = meant(scene, form, groups.get(values, []), extra)
            if targets:
                present.append((wanted, extra, tuple(targets)))
            elif targets is not None:
                absent.append((wanted, extra, ()))
    return present, absent


@cache
def _calibration_scenes() -> list[Scene]:
    return [make_scene(1_000_000 + i) for i in range(200)]


@cache
def _absent_proposal(form: Form) -> float:
    """How often to propose "absent" so that `ABSENT_SHARE` remains after infeasible ones drop out.

    Both feasibilities are estimated over a fixed set of scenes.
    """
    feasible = [_candidates(scene, form) for scene in _calibration_scenes()]
    can_be_present = sum(bool(p) for p, _ in feasible) + 1
    can_be_absent = sum(bool(a) for _, a in feasible) + 1
    odds = ABSENT_SHARE / (1 - ABSENT_SHARE) * can_be_present / can_be_absent
    return odds / (1 + odds)


def draw_expression(
    scene: Scene, rng: np.random.Generator, form: Form | None = None, *, synonyms: bool = True
) -> Expression | None:
    """Draw one expression; None when the form does not fit this scene in the drawn way."""
    if form is None:
        forms = list(FORMS)
        weights = np.asarray(list(FORMS.values()), float)
        form = forms[rng.choice(len(forms), p=weights / weights.sum())]
    present, absent = _candidates(scene, form)
    pool = absent if rng.random() < _absent_proposal(form) else present
    if not pool:
        return None
    if pool is absent:
        # Half of them near misses: all but one attribute belong to a cell that is there.
        near = [c for c in absent if _is_near_miss(scene, c[0])]
        pool = near if near and rng.random() < 0.5 else pool
    wanted, extra, targets = pool[rng.integers(len(pool))]
    return Expression(phrase(form, wanted, extra, rng if synonyms else None), form, targets)


def _is_near_miss(scene: Scene, wanted: dict[str, str]) -> bool:
    return any(
        sum(getattr(cell, name) == value for name, value in wanted.items()) >= len(wanted) - 1
        for cell in scene.cells
    )


def phrase(
    form: Form, wanted: dict[str, str], extra: str = "", rng: np.random.Generator | None = None
) -> str:
    """Write an expression out, with synonyms now and then when `rng` is given."""

    def word(canonical: str) -> str:
        choices = SYNONYMS.get(canonical, (canonical,))
        if rng is None or rng.random() > 0.15:
            return canonical
        return str(choices[rng.integers(len(choices))])

    plural = form.extra == "all"
    words = [word(wanted[a]) for a in form.attributes]
    noun = word("cells" if plural else "cell")
    article = "all" if plural else "the"
    if rng is not None and rng.random() < 0.2:
        article = ""
    if form.extra == "superlative":
        words.insert(0, extra)
    tail = extra if form.extra == "place" else ""
    return " ".join(filter(None, [article, *words, noun, tail]))
