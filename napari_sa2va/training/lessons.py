"""What the complete demo checkpoint is taught about a scene: kinds of dialogues, and how often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from napari_sa2va.model.prompts import CAPTION_QUESTION
from napari_sa2va.training.captions import caption
from napari_sa2va.training.dialogues import (
    FOUND,
    REFUSAL,
    REGION_QUESTION,
    Dialogue,
    Turn,
    ask_to_segment,
    referring,
    segmenting,
)
from napari_sa2va.training.talk import answering, comparing, counting, following_up
from napari_sa2va.training.wording import unknown_noun

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    from napari_sa2va.samples.world.scenes import Scene

_TRIES: Final = 30
# Share of the refusals after which the same question comes with [SEG] all the same: see
# `Dialogue.spoken`.
_DOUBTED: Final = 0.3


def _refer(scene: Scene, rng: np.random.Generator) -> Dialogue | None:
    drawn = referring(scene, rng)
    return None if drawn is None else Dialogue((drawn[0],))


def _describe(scene: Scene, rng: np.random.Generator) -> Dialogue | None:
    if not scene.cells:
        return None
    cell = int(rng.integers(len(scene.cells)))
    question = REGION_QUESTION if rng.random() < 0.7 else "Please describe region1 in detail."
    return Dialogue((Turn(question, scene.cells[cell].description, "region"),), (cell,))


def _count(scene: Scene, rng: np.random.Generator) -> Dialogue | None:
    drawn = counting(scene, rng)
    return None if drawn is None else Dialogue((drawn[0],))


def _caption(scene: Scene, rng: np.random.Generator) -> Dialogue | None:
    if not scene.cells:
        return None
    said = caption(scene)
    segments = tuple(group.cells for group in said.groups)
    return Dialogue((Turn(CAPTION_QUESTION, said.text, "caption", segments),))


def _words(scene: Scene, rng: np.random.Generator) -> Dialogue | None:
    turn = answering(scene, rng)
    return None if turn is None else Dialogue((turn,))


def _unknown(scene: Scene, rng: np.random.Generator) -> Dialogue | None:
    question = ask_to_segment(f"the {unknown_noun(rng)}", rng)
    return Dialogue((segmenting(question, "unknown word", ()),))


def _converse(scene: Scene, rng: np.random.Generator) -> Dialogue | None:
    """Draw two to four of the other kinds in a row; regions are pointed out by the first alone."""
    wanted = int(rng.integers(2, 5))
    found: list[Dialogue] = []
    for _ in range(_TRIES):
        kinds = _LATER if found else (*_LATER, *_POINTING)
        drawn = KINDS[str(rng.choice(kinds))](scene, rng)
        if drawn is not None and drawn not in found:
            found.append(drawn)
        if len(found) == wanted:
            turns = tuple(turn for one in found for turn in one.turns)
            return Dialogue(turns, found[0].regions)
    return None


_LATER: Final = ("referring", "referring", "count", "caption", "words", "follow-up")
_POINTING: Final = ("region", "comparison")

KINDS: Final[Mapping[str, Callable[[Scene, np.random.Generator], Dialogue | None]]] = {
    "referring": _refer,
    "region": _describe,
    "count": _count,
    "caption": _caption,
    "comparison": comparing,
    "words": _words,
    "follow-up": following_up,
    "unknown": _unknown,
    "conversation": _converse,
}
"""What draws a dialogue of each kind; None where it does not fit the scene as drawn."""

MIX: Final = {
    "referring": 0.48,
    "region": 0.12,
    "count": 0.07,
    "caption": 0.06,
    "comparison": 0.06,
    "words": 0.05,
    "follow-up": 0.07,
    "unknown": 0.01,
    "conversation": 0.08,
}
"""Shares of the kinds, when all are taught."""


def draw_dialogues(
    scene: Scene,
    rng: np.random.Generator,
    count: int,
    mix: Mapping[str, float] = MIX,
) -> list[Dialogue]:
    """Draw `count` dialogues about a scene, doubted refusals included.

    Parameters
    ----------
    mix : mapping of str to float
        Weights by kind (`KINDS`).
    """
    names = list(mix)
    weights = [mix[name] for name in names]
    shares = [weight / sum(weights) for weight in weights]
    dialogues: list[Dialogue] = []
    for _ in range(4 * count):
        if len(dialogues) == count:
            break
        dialogue = _draw_new(scene, rng, str(rng.choice(names, p=shares)), dialogues)
        if dialogue is None:
            continue
        dialogues.append(dialogue)
        turn = dialogue.turns[-1]
        refused = len(dialogue.turns) == 1 and turn.answer == REFUSAL
        if refused and len(dialogues) < count and rng.random() < _DOUBTED:
            forced = Turn(turn.question, FOUND, turn.kind, ((),))
            dialogues.append(Dialogue((forced,), spoken=False))
    return dialogues


def _draw_new(
    scene: Scene, rng: np.random.Generator, kind: str, asked: list[Dialogue]
) -> Dialogue | None:
    """Draw a dialogue of a kind that was not had yet; none, where the scene has no more."""
    for _ in range(_TRIES):
        dialogue = KINDS[kind](scene, rng)
        if dialogue is not None and dialogue not in asked:
            return dialogue
    return None
