"""Questions and answers about a scene, as the demo checkpoint is taught them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from napari_sa2va.model.prompts import segmentation_question
from napari_sa2va.samples.expressions import draw_expression
from napari_sa2va.samples.scenes import COLORS

if TYPE_CHECKING:
    import numpy as np

    from napari_sa2va.samples.scenes import Scene

REFUSAL: Final = "There is no such cell in this image."
FOUND: Final = "Sure, [SEG]."
REGION_QUESTION: Final = "Please describe the region1 in detail."
_UNKNOWN_NOUNS: Final = (
    "dog tree house neuron bacterium mitochondrion person car axon vesicle spindle bird tumor "
    "vessel fiber leaf crypt lymphocyte banana letter"
).split()


@dataclass(frozen=True, slots=True)
class Turn:
    """One question with its answer.

    Attributes
    ----------
    kind : str
        Name in tables of figures.
    targets : tuple of int
        Cells whose union the answer's ``[SEG]`` means.
    region : int or None
        The cell that is pointed out as region1.
    """

    question: str
    answer: str
    kind: str
    targets: tuple[int, ...] = ()
    region: int | None = None
    match: tuple[int, ...] = field(default=())


def draw_turns(scene: Scene, rng: np.random.Generator, count: int) -> list[Turn]:
    """Draw `count` questions about a scene."""
    turns: list[Turn] = []
    while len(turns) < count:
        draw = rng.random()
        if draw < 0.68:
            turn = _referring(scene, rng)
        elif draw < 0.92:
            turn = _region(scene, rng)
        elif draw < 0.97:
            turn = _about_colors(scene, rng)
        else:
            turn = _unknown(rng)
        if turn is not None:
            turns.append(turn)
    return turns


def _referring(scene: Scene, rng: np.random.Generator) -> Turn | None:
    expression = draw_expression(scene, rng)
    if expression is None:
        return None
    question = _ask_to_segment(expression.text, rng)
    kind = expression.form.kind if expression.targets else f"absent {expression.form.kind}"
    answer = FOUND if expression.targets else REFUSAL
    return Turn(question, answer, kind, expression.targets, match=expression.targets)


def _ask_to_segment(phrase: str, rng: np.random.Generator) -> str:
    draw = rng.random()
    if draw < 0.8:
        return segmentation_question(phrase)
    if draw < 0.9:
        return f"Can you segment {phrase} in this image?"
    return f"Where is {phrase} in this picture? Please respond with a segmentation mask."


def _region(scene: Scene, rng: np.random.Generator) -> Turn:
    cell = int(rng.integers(len(scene.cells)))
    question = REGION_QUESTION if rng.random() < 0.7 else "Please describe region1 in detail."
    return Turn(question, scene.cells[cell].description, "region", region=cell)


def _about_colors(scene: Scene, rng: np.random.Generator) -> Turn:
    there = [color for color in COLORS if any(c.color == color for c in scene.cells)]
    words = there[0] if len(there) == 1 else f"{', '.join(there[:-1])} and {there[-1]}"
    if rng.random() < 0.5:
        return Turn("What color are the cells?", f"{words.capitalize()}.", "colors")
    return Turn("Please describe the image.", f"The image shows {words} cells.", "colors")


def _unknown(rng: np.random.Generator) -> Turn:
    noun = str(rng.choice(_UNKNOWN_NOUNS))
    if rng.random() < 0.3:
        noun = "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), rng.integers(3, 9)))
    color = f"{rng.choice(list(COLORS))} " if rng.random() < 0.4 else ""
    return Turn(_ask_to_segment(f"the {color}{noun}", rng), REFUSAL, "unknown word")
