"""Turns and dialogues, and the turn that matters most: asking to segment what words mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from napari_sa2va.model.prompts import segmentation_question
from napari_sa2va.samples.world.phrases import ABSENT_SHARE, draw_phrase

if TYPE_CHECKING:
    import numpy as np

    from napari_sa2va.samples.world.phrases import Form, Phrase
    from napari_sa2va.samples.world.scenes import Scene

FOUND: Final = "Sure, [SEG]."
REFUSAL: Final = "There is no such cell in this image."
REGION_QUESTION: Final = "Please describe the region1 in detail."


@dataclass(frozen=True, slots=True)
class Turn:
    """A question with its answer.

    Attributes
    ----------
    kind : str
        Name in tables of figures; absent objects have ``"absent "`` in front.
    segments : tuple of tuple of int
        For each ``[SEG]`` of the answer, the cells whose union it means.
    points_at : tuple of int, or None
        Cells that the question is about: none when they are absent, None when it is about no cell
        or about all.
    """

    question: str
    answer: str
    kind: str
    segments: tuple[tuple[int, ...], ...] = ()
    points_at: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Dialogue:
    """Turns about one image.

    Attributes
    ----------
    regions : tuple of int
        Cells that the first question points out as region1, region2, …
    spoken : bool
        Whether the answers are taught. Where not, the model is made to say ``[SEG]`` of something
        absent, so that SAM2 learns to tell that there is no such object.
    """

    turns: tuple[Turn, ...]
    regions: tuple[int, ...] = ()
    spoken: bool = True


def referring(
    scene: Scene,
    rng: np.random.Generator,
    form: Form | None = None,
    absent: float = ABSENT_SHARE,
) -> tuple[Turn, Phrase] | None:
    """Ask to segment what an expression means."""
    phrase = draw_phrase(scene, rng, form, absent=absent)
    if phrase is None:
        return None
    question = ask_to_segment(phrase.text, rng)
    return segmenting(question, phrase.form.kind, phrase.targets), phrase


def segmenting(question: str, kind: str, targets: tuple[int, ...]) -> Turn:
    """Answer a question with the mask of some cells, or by saying that there are none."""
    if targets:
        return Turn(question, FOUND, kind, (targets,), targets)
    return Turn(question, REFUSAL, f"absent {kind}", points_at=())


def ask_to_segment(phrase: str, rng: np.random.Generator) -> str:
    """Draw one of the questions that the official training data ask."""
    draw = rng.random()
    if draw < 0.8:
        return segmentation_question(phrase)
    if draw < 0.9:
        return f"Can you segment {phrase} in this image?"
    return f"Where is {phrase} in this picture? Please respond with a segmentation mask."
