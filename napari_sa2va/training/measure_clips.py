"""How well a checkpoint follows cells of held-out clips of the richer world."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_sa2va.model.prompts import segmentation_question
from napari_sa2va.model.results import TrackedFrame
from napari_sa2va.samples.scenes import HELD_OUT_SEED
from napari_sa2va.samples.world.motion import make_clip
from napari_sa2va.samples.world.phrases import draw_phrase
from napari_sa2va.training.overlap import iou

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from napari_sa2va.model import Sa2VA
    from napari_sa2va.model.track_state import Method
    from napari_sa2va.samples.world.motion import Clip
    from napari_sa2va.training.measure_scenes import Scores

CLIP_SEED: Final = HELD_OUT_SEED + 3_000_000
SIZE: Final = (256, 256)
METHODS: Final[tuple[Method, ...]] = ("official", "consistent")
_KEPT_IOU: Final = 0.5
_SEEDS_OF_A_CROSSING: Final = 1000
_LEAST_AREA: Final = 40  # pixels; of less a clip gives no mask to start from


def measure_clip(model: Sa2VA, number: int, frames: int, scores: Scores) -> None:
    """Follow cells of held-out clip `number` in all ways."""
    seed = CLIP_SEED + number
    clip = make_clip(seed, frames, SIZE)
    images = clip.images()
    masks = np.stack([scene.masks() for scene in clip.scenes])
    expression = _expression(clip, masks, seed)
    if expression is not None:
        text, cells = expression
        wanted: NDArray[np.bool_] = np.any(masks[:, list(cells)], axis=1)
        for method in METHODS:
            tracked = model.track(images, segmentation_question(text), [0], method)
            found = {t.index: t for t in tracked if isinstance(t, TrackedFrame)}
            after = [
                iou(np.any(found[i].masks, axis=0), wanted[i]) if i in found else 0.0
                for i in range(1, frames)
            ]
            scores.add(f"J expression, {method}", float(np.mean(after)))
    middle = frames // 2
    there = np.flatnonzero(masks[middle].sum(axis=(1, 2)) >= _LEAST_AREA)
    if len(there):
        tracked = model.track_masks(images, {middle: masks[middle, there]}, "both")
        values = [
            iou(mask, true)
            for frame in tracked
            if frame.index != middle
            for mask, true in zip(frame.masks, masks[frame.index, there], strict=True)
        ]
        scores.add("J mask in the middle", float(np.mean(values)))
    model.clear_cache()


def _expression(
    clip: Clip, masks: NDArray[np.bool_], seed: int
) -> tuple[str, tuple[int, ...]] | None:
    """Words of attributes, which stay with a cell, for some that are in the first frame."""
    rng = np.random.default_rng([seed, 32])
    seen = masks[0].sum(axis=(1, 2)) >= _LEAST_AREA
    for _ in range(200):
        phrase = draw_phrase(clip.scenes[0], rng, absent=0, synonyms=False)
        if phrase is None or not phrase.targets or phrase.form.extra not in ("", "all"):
            continue
        if seen[list(phrase.targets)].all():
            return phrase.text, phrase.targets
    return None


def measure_crossing(model: Sa2VA, number: int, frames: int, scores: Scores) -> None:
    """Follow two cells that pass over each other, to see whether each mask stays with its own.

    Judged in the last frame: each mask must overlap its own cell with an IoU of 0.5 or more, and
    more than the other's.
    """
    clip, masks = crossing_clip(number, frames)
    for frame in model.track_masks(clip.images(), {0: masks[0]}):
        if frame.index == frames - 1:
            own = [iou(frame.masks[i], masks[-1, i]) for i in (0, 1)]
            others = [iou(frame.masks[i], masks[-1, 1 - i]) for i in (0, 1)]
            scores.add(
                "identity at crossings",
                min(own) >= _KEPT_IOU and all(a > b for a, b in zip(own, others, strict=True)),
            )
    model.clear_cache()


def crossing_clip(number: int, frames: int) -> tuple[Clip, NDArray[np.bool_]]:
    """Draw a held-out clip in which two cells cross, and are apart before and after.

    The nearest two cells of a scene often touch from the beginning, or still do at the end: of a
    number's seeds the first is taken in which they do not.

    Returns
    -------
    Clip
    numpy.ndarray, shape (frames, 2, height, width), bool
        What is seen of the two.
    """
    first = CLIP_SEED + 500_000 + number * _SEEDS_OF_A_CROSSING
    for seed in itertools.count(first):
        clip = make_clip(seed, frames, SIZE, "cross")
        if not clip.crossing or not all(_apart(clip, at) for at in (0, -1)):
            continue
        masks = np.stack([scene.masks()[list(clip.crossing[0])] for scene in clip.scenes])
        if (masks[[0, -1]].sum(axis=(2, 3)) >= _LEAST_AREA).all():
            break
    return clip, masks


def _apart(clip: Clip, at: int) -> bool:
    one, other = (clip.scenes[at].cells[i] for i in clip.crossing[0])
    return bool(np.hypot(one.x - other.x, one.y - other.y) >= one.reach + other.reach)


def measure_clips(model: Sa2VA, numbers: Iterable[int], frames: int, scores: Scores) -> None:
    """Measure held-out clips by number, and as many with a crossing."""
    for number in numbers:
        measure_clip(model, number, frames, scores)
        measure_crossing(model, number, frames, scores)
