"""Referring expressions about scenes, whose words do not tell whether anything fits them.

An expression is a form (which attributes; "the" or "all"; a place or a superlative) filled with
values. How often a filling is present, and how often absent, differs from filling to filling: few
scenes hold a small red spotted cell, and a model that knows this refuses by the words alone. So the
form is drawn first, then whether what it names is there, and then the filling with weights that
undo how often it comes up among the present ones, or among the absent ones, of many scenes. Present
and absent expressions then have the same words equally often.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_sa2va.samples.world.cells import GRAYS, VALUES
from napari_sa2va.samples.world.scenes import make_scene

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_sa2va.samples.world.cells import Cell
    from napari_sa2va.samples.world.scenes import Scene

PLACES: Final = ("on the left", "on the right", "at the top", "at the bottom", "in the middle")
SUPERLATIVES: Final = ("largest", "smallest", "leftmost", "rightmost", "topmost", "bottommost")
SYNONYMS: Final = {
    "large": ("big",),
    "small": ("tiny",),
    "round": ("circular",),
    "elongated": ("long",),
    "ring-shaped": ("hollow",),
    "spotted": ("granular",),
    "dim": ("faint",),
    "cell": ("nucleus", "object"),
    "cells": ("nuclei", "objects"),
}
ABSENT_SHARE: Final = 0.35
SYNONYM_SHARE: Final = 0.12

# A cell nearer to the middle line than this is neither left nor right of it; "in the middle" is
# what lies well between, and what lies between that and the outer places is not asked for.
_SIDE: Final = (0.42, 0.58)
_MIDDLE: Final = (0.36, 0.64)
_OUTER: Final = (0.28, 0.72)
_CALIBRATION_SCENES: Final = 200
_CALIBRATION_SEED: Final = 9_000_000
_POOLS: Final = ("present", "near", "far")


@dataclass(frozen=True, slots=True)
class Form:
    """The shape of an expression, before any word is chosen.

    Attributes
    ----------
    attributes : tuple of str
        Names from `VALUES`, in their order.
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

    @property
    def extras(self) -> tuple[str, ...]:
        """Places or superlatives to choose from."""
        return {"place": PLACES, "superlative": SUPERLATIVES}.get(self.extra, ("",))

    @property
    def fillings(self) -> list[tuple[str, ...]]:
        """All values of the attributes."""
        return list(product(*(VALUES[name] for name in self.attributes)))


@dataclass(frozen=True, slots=True)
class Phrase:
    """An expression, and the indices of the cells it means (none: absent)."""

    text: str
    form: Form
    values: tuple[str, ...]
    extra: str
    targets: tuple[int, ...]


_ONE: Final = (("color",), ("size",), ("shape",), ("texture",))
_NOT_SIZE: Final = ((), ("color",), ("shape",), ("texture",))  # "the largest small cell" is none
_TWO: Final = (
    ("size", "color"),
    ("color", "shape"),
    ("color", "texture"),
    ("size", "shape"),
    ("size", "texture"),
    ("texture", "shape"),
)
_THREE: Final = (
    ("size", "color", "shape"),
    ("size", "color", "texture"),
    ("color", "texture", "shape"),
)
FORMS: Final[dict[Form, float]] = {
    **{Form(a): w for a, w in zip(_ONE, (9, 6, 6, 4), strict=True)},
    **{Form(a): w for a, w in zip(_TWO, (5, 5, 4, 3, 2, 2), strict=True)},
    **{Form(a): 3 for a in _THREE},
    **{Form(a, "all"): w for a, w in zip(_ONE, (6, 3, 3, 2), strict=True)},
    **{Form(a, "all"): w for a, w in zip(_TWO[:4], (3, 2, 1, 1), strict=True)},
    Form((), "all"): 1,
    **{Form(a, "place"): w for a, w in zip(((), *_ONE), (3, 7, 3, 3, 2), strict=True)},
    **{Form(a, "place"): 3 for a in _TWO[:2]},
    **{Form(a, "superlative"): w for a, w in zip(_NOT_SIZE, (3, 7, 4, 2), strict=True)},
}
"""Forms and how often each is asked for."""


def place_test(place: str, scene: Scene) -> Callable[[Cell], int]:
    """Signed test: 1 in the place, 0 too near to its border to say, -1 elsewhere."""

    def test(cell: Cell) -> int:
        x, y = cell.x / scene.width, cell.y / scene.height
        if place == "in the middle":
            if all(_MIDDLE[0] <= at <= _MIDDLE[1] for at in (x, y)):
                return 1
            return 0 if all(_OUTER[0] <= at <= _OUTER[1] for at in (x, y)) else -1
        at = x if place.endswith(("left", "right")) else y
        if _SIDE[0] <= at <= _SIDE[1]:
            return 0
        return 1 if (at < _SIDE[0]) == place.endswith(("left", "top")) else -1

    return test


def superlative_key(word: str, scene: Scene) -> tuple[Callable[[Cell], float], float]:
    """Sort key (most first) and the lead that the first one must have."""
    unit = scene.unit
    keys: dict[str, tuple[Callable[[Cell], float], float]] = {
        "largest": (lambda c: c.radius, 2.0 * unit),
        "smallest": (lambda c: -c.radius, 1.2 * unit),
        "leftmost": (lambda c: -c.x, 0.04 * scene.width),
        "rightmost": (lambda c: c.x, 0.04 * scene.width),
        "topmost": (lambda c: -c.y, 0.04 * scene.height),
        "bottommost": (lambda c: c.y, 0.04 * scene.height),
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
    if form.extra == "all":
        return matching
    if form.extra == "superlative":
        if not matching:
            return []
        key, margin = superlative_key(extra, scene)
        order = sorted(matching, key=lambda i: key(scene.cells[i]), reverse=True)
        lead = key(scene.cells[order[0]]) - key(scene.cells[order[1]]) if len(order) > 1 else margin
        return order[:1] if lead >= margin else None
    if form.extra == "place":
        test = place_test(extra, scene)
        places = {i: test(scene.cells[i]) for i in matching}
        if 0 in places.values():
            return None
        matching = [i for i in matching if places[i] > 0]
    return matching if len(matching) < 2 else None


@dataclass(frozen=True, slots=True)
class Choices:
    """What a form could mean in a scene; arrays have the shape (fillings, extras).

    Attributes
    ----------
    present, near, far : ndarray of bool
        Fillings that mean something here; absent ones all but one of whose attributes a cell here
        has (or that are only elsewhere); absent ones that differ more.
    targets : dict
        What the present ones mean, by their place.
    """

    present: NDArray[np.bool_]
    near: NDArray[np.bool_]
    far: NDArray[np.bool_]
    targets: dict[tuple[int, int], tuple[int, ...]]


def choices(scene: Scene, form: Form) -> Choices:
    """Sort all ways to fill a form in by whether they mean something in a scene."""
    fillings, extras = form.fillings, form.extras
    shape, whole = (len(fillings), len(extras)), len(form.attributes)
    codes = [[VALUES[a].index(getattr(cell, a)) for a in form.attributes] for cell in scene.cells]
    cells = np.array(codes, int).reshape(len(scene.cells), whole)
    alike = (_codes(form)[:, None] == cells[None]).sum(-1)
    # With one attribute, whatever differs differs in all.
    near_one = (alike >= whole - 1).any(1) & (whole > 1)
    present, near, far = (np.zeros(shape, bool) for _ in range(3))
    targets: dict[tuple[int, int], tuple[int, ...]] = {}
    for row, filling in enumerate(fillings):
        matching = np.flatnonzero(alike[row] == whole).tolist()
        if not matching:
            # In colours there is no telling what is bright.
            if scene.gray or not set(filling) & set(GRAYS):
                (near if near_one[row] else far)[row] = True
            continue
        for column, extra in enumerate(extras):
            found = meant(scene, form, matching, extra)
            if found:
                present[row, column] = True
                targets[row, column] = tuple(found)
            elif found is not None:
                near[row, column] = True
    return Choices(present, near, far, targets)


@cache
def _codes(form: Form) -> NDArray[np.int64]:
    """Write fillings as numbers, shape (fillings, attributes)."""
    codes = [
        [VALUES[a].index(v) for a, v in zip(form.attributes, f, strict=True)] for f in form.fillings
    ]
    return np.array(codes, np.int64).reshape(len(form.fillings), len(form.attributes))


@cache
def _calibration(form: Form) -> dict[str, NDArray[np.bool_]]:
    """Each pool of `Choices` over many scenes of training, shape (scenes, fillings, extras)."""
    found = [choices(scene, form) for scene in _calibration_scenes()]
    return {pool: np.stack([getattr(one, pool) for one in found]) for pool in _POOLS}


@cache
def _calibration_scenes() -> list[Scene]:
    first = _CALIBRATION_SEED
    return [make_scene(seed) for seed in range(first, first + _CALIBRATION_SCENES)]


@cache
def _weights(form: Form) -> dict[str, NDArray[np.float64]]:
    """Weights of the fillings in each pool of `Choices`, over scenes of training.

    Drawn in a pool with them, all fillings come up equally often over many scenes. A drawing in one
    scene divides by the sum over those that are there, so a few rounds are needed to settle.
    """
    weights = {}
    for pool, found in _calibration(form).items():
        there = found.astype(float)
        weight = np.ones(there.shape[1:])
        for _ in range(12):
            shares = there * weight
            total = shares.sum(axis=(1, 2), keepdims=True)
            drawn = np.divide(shares, total, out=shares, where=total > 0).sum(0)
            weight /= np.maximum(drawn, 0.5) ** 0.7
        weights[pool] = weight
    return weights


@cache
def _proposals(form: Form, absent: float) -> tuple[float, float]:
    """How often to propose absence, and near misses, so that their shares come out right.

    What is proposed and cannot be had in a scene drops out; both are estimated over many scenes.
    """
    present, near, far = (
        float(found.any(axis=(1, 2)).mean()) for found in _calibration(form).values()
    )
    if absent in (0, 1) or near + far == 0:
        return float(absent if near + far else 0), float(near > 0)
    near_share = far / (near + far) if near and far else float(near > 0)  # half near misses
    absent_there = near_share * near + (1 - near_share) * far
    odds = absent / (1 - absent) * present / absent_there
    return odds / (1 + odds), near_share


def draw_phrase(
    scene: Scene,
    rng: np.random.Generator,
    form: Form | None = None,
    *,
    absent: float = ABSENT_SHARE,
    synonyms: bool = True,
) -> Phrase | None:
    """Draw one expression; None when the form does not fit this scene in the drawn way.

    Parameters
    ----------
    absent : float
        Share of absent ones among all drawn over many scenes; 0 and 1 for one kind only.
    """
    form = draw_form(rng) if form is None else form
    propose, near = _proposals(form, absent)
    pool = "present"
    if rng.random() < propose:
        pool = "near" if rng.random() < near else "far"
    found = choices(scene, form)
    weight = _weights(form)[pool] * getattr(found, pool)
    if not weight.any():
        return None
    at = int(rng.choice(weight.size, p=(weight / weight.sum()).ravel()))
    row, column = divmod(at, len(form.extras))
    values, extra = form.fillings[row], form.extras[column]
    text = written(form, values, extra, rng if synonyms else None)
    return Phrase(text, form, values, extra, found.targets.get((row, column), ()))


def draw_form(rng: np.random.Generator) -> Form:
    """Draw a form by its weight."""
    weights = np.asarray(list(FORMS.values()), float)
    return list(FORMS)[int(rng.choice(len(weights), p=weights / weights.sum()))]


def written(
    form: Form, values: tuple[str, ...], extra: str = "", rng: np.random.Generator | None = None
) -> str:
    """Write an expression out, with synonyms now and then when `rng` is given."""

    def word(canonical: str) -> str:
        if rng is None or rng.random() > SYNONYM_SHARE or canonical not in SYNONYMS:
            return canonical
        return str(rng.choice(SYNONYMS[canonical]))

    plural = form.extra == "all"
    words = [word(value) for value in values]
    noun = word("cells" if plural else "cell")
    article = "all" if plural else "the"
    if rng is not None and rng.random() < 0.15:
        article = ""
    if form.extra == "superlative":
        words.insert(0, extra)
    tail = extra if form.extra == "place" else ""
    return " ".join(filter(None, [article, *words, noun, tail]))
