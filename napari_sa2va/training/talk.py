"""Questions that are answered in words, or that need the turn before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from napari_sa2va.samples.world.phrases import (
    ABSENT_SHARE,
    Form,
    choices,
    draw_form,
    draw_phrase,
    written,
)
from napari_sa2va.training.dialogues import Dialogue, Turn, referring, segmenting
from napari_sa2va.training.wording import ATTRIBUTES, colors_there, count_answer, listed

if TYPE_CHECKING:
    import numpy as np

    from napari_sa2va.samples.world.scenes import Scene

MOST_COUNTED: Final = 6
_COUNTED: Final = (
    "How many {} are there?",
    "How many {} are there in this image?",
    "How many {} are in this image?",
)
_DESCRIBED: Final = (
    "Please describe the image.",
    "Please describe this image.",
    "Please describe the image in detail.",
)
_ALL_SHARE: Final = 0.15


def counting(scene: Scene, rng: np.random.Generator) -> tuple[Turn, int] | None:
    """Ask how many there are; all numbers up to six that this scene has equally often."""
    asked = str(rng.choice(_COUNTED))
    everything = tuple(range(len(scene.cells)))
    if len(everything) <= MOST_COUNTED and rng.random() < _ALL_SHARE:
        answer = count_answer(len(everything), "cells")
        return Turn(asked.format("cells"), answer, "count", points_at=everything), len(everything)
    form = Form(draw_form(rng).attributes, "all")
    found = choices(scene, form)
    by_count: dict[int, list[tuple[int, tuple[int, ...]]]] = {}
    for row in range(len(form.fillings)):
        targets = found.targets.get((row, 0), ())
        if (targets or found.near[row, 0] or found.far[row, 0]) and len(targets) <= MOST_COUNTED:
            by_count.setdefault(len(targets), []).append((row, targets))
    if not by_count:
        return None
    # The more there are, the rarer the scene: large numbers come first where they can be had.
    numbers = sorted(by_count)
    weights = [1.0 + number for number in numbers]
    number = int(rng.choice(numbers, p=[w / sum(weights) for w in weights]))
    row, targets = by_count[number][rng.integers(len(by_count[number]))]
    words = written(form, form.fillings[row], rng=rng).removeprefix("all ")
    answer = count_answer(number, words)
    return Turn(asked.format(words), answer, "count", points_at=targets), number


def comparing(scene: Scene, rng: np.random.Generator) -> Dialogue | None:
    """Compare two cells that are pointed out."""
    if len(scene.cells) < 2:
        return None
    pair = rng.permutation(len(scene.cells))[:2].tolist()
    one, other = (scene.cells[i] for i in pair)
    draw = rng.random()
    if draw < 0.4:
        question = "What is the difference between region1 and region2?"
        answer = f"Region1 is {_lower(one.description)} and region2 is {_lower(other.description)}."
    elif draw < 0.65:
        ratio = one.radius / other.radius
        if 0.85 < ratio < 1.18:
            return None
        larger = rng.random() < 0.5
        question = f"Is region1 {'larger' if larger else 'smaller'} than region2?"
        answer = "Yes." if (ratio > 1) == larger else "No."
    else:
        name = str(rng.choice(ATTRIBUTES))
        first, second = (cell.values[name] for cell in (one, other))
        # Half of the pairs alike, as chance would rarely make them.
        if first != second and rng.random() < 0.4:
            return None
        what = "brightness" if name == "color" and scene.gray else name
        question = f"Do region1 and region2 have the same {what}?"
        answer = f"Yes, both are {first}."
        if first != second:
            answer = f"No, region1 is {first} and region2 is {second}."
    return Dialogue((Turn(question, answer, "comparison"),), tuple(pair))


def _lower(description: str) -> str:
    return "a" + description[1:].removesuffix(".")


def answering(scene: Scene, rng: np.random.Generator) -> Turn | None:
    """Ask something that is answered in words."""
    draw = rng.random()
    if draw < 0.45:
        drawn = draw_phrase(scene, rng, Form(draw_form(rng).attributes), absent=0.5)
        if drawn is None or not drawn.values:
            return None
        thing = drawn.text.removeprefix("the ")
        article = "an" if thing[0] in "aeiou" else "a"
        answer = "Yes." if drawn.targets else "No."
        return Turn(f"Is there {article} {thing}?", answer, "words", points_at=drawn.targets)
    if draw < 0.85:
        extra = str(rng.choice(["place", "superlative", ""]))
        attributes = draw_form(rng).attributes[:1] if rng.random() < 0.6 else ()
        drawn = draw_phrase(scene, rng, Form(attributes, extra), absent=0)
        if drawn is None or not drawn.targets:
            return None
        asked = _attribute_question(scene, rng, drawn.targets[0], drawn.text, attributes)
        if asked is None:
            return None
        return Turn(*asked, "words", points_at=drawn.targets)
    there = colors_there(scene)
    if scene.gray:
        return Turn("What color are the cells?", "Gray.", "words")
    if rng.random() < 0.5:
        return Turn("What color are the cells?", f"{listed(there).capitalize()}.", "words")
    return Turn(str(rng.choice(_DESCRIBED)), f"The image shows {listed(there)} cells.", "words")


def _attribute_question(
    scene: Scene,
    rng: np.random.Generator,
    cell: int,
    thing: str,
    known: tuple[str, ...],
) -> tuple[str, str] | None:
    """Ask for an attribute that was not named."""
    names = [name for name in ATTRIBUTES if name not in known]
    name = str(rng.choice(names))
    value = scene.cells[cell].values[name]
    what = "brightness" if name == "color" and scene.gray else name
    thing = thing if thing.startswith(("the ", "it")) else f"the {thing}"
    return f"What {what} is {thing}?", f"It is {value}."


def following_up(scene: Scene, rng: np.random.Generator) -> Dialogue | None:
    """Ask twice; the second question cannot be answered without the turn before."""
    draw = rng.random()
    if draw < 0.25:
        counted = counting(scene, rng)
        if counted is None or counted[1] == 0:
            return None
        first = counted[0]
        second = segmenting("Please segment them.", "follow-up", first.points_at or ())
        return Dialogue((first, second))
    if draw < 0.5:
        return _and_the_other(scene, rng)
    drawn = referring(scene, rng, absent=0)
    if drawn is None or len(drawn[1].targets) != 1 or drawn[1].form.extra == "all":
        return None
    first, phrase = drawn
    cell = phrase.targets[0]
    if draw < 0.75:
        asked = _attribute_question(scene, rng, cell, "it", phrase.form.attributes)
        if asked is None:
            return None
        return Dialogue((first, Turn(*asked, "follow-up", points_at=(cell,))))
    name = str(rng.choice(ATTRIBUTES))
    value = scene.cells[cell].values[name]
    alike = [i for i, c in enumerate(scene.cells) if i != cell and c.values[name] == value]
    what = "brightness" if name == "color" and scene.gray else name
    question = f"Please segment the other cells of the same {what}."
    return Dialogue((first, segmenting(question, "follow-up", tuple(alike))))


def _and_the_other(scene: Scene, rng: np.random.Generator) -> Dialogue | None:
    """Ask for the same but for one attribute: "And the blue one?"."""
    drawn = referring(scene, rng, absent=0.2)
    if drawn is None or len(drawn[1].values) < 2 or drawn[1].form.extra:
        return None
    first, phrase = drawn
    form = phrase.form
    changed = int(rng.integers(len(form.attributes)))
    found = choices(scene, form)
    fits = [
        (row, values)
        for row, values in enumerate(form.fillings)
        if [a == b for a, b in zip(values, phrase.values, strict=True)].count(False) == 1
        and values[changed] != phrase.values[changed]
    ]
    there = [(row, v) for row, v in fits if (row, 0) in found.targets]
    absent = [(row, v) for row, v in fits if found.near[row, 0] or found.far[row, 0]]
    pool = absent if rng.random() < ABSENT_SHARE else there
    if not pool:
        return None
    row, values = pool[rng.integers(len(pool))]
    question = f"And the {values[changed]} one?"
    return Dialogue((first, segmenting(question, "follow-up", found.targets.get((row, 0), ()))))
