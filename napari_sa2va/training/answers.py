"""A sheet of what a demo checkpoint gets right and wrong, on held-out scenes and a clip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image
from scipy.ndimage import binary_erosion  # type: ignore[import-untyped]

from napari_sa2va.model.prompts import segmentation_question
from napari_sa2va.samples.world.drawing import render
from napari_sa2va.samples.world.phrases import draw_phrase
from napari_sa2va.samples.world.scenes import make_scene
from napari_sa2va.training.measure_clips import crossing_clip
from napari_sa2va.training.measure_scenes import RIGHT_IOU, SCENE_SEED, union
from napari_sa2va.training.overlap import iou
from napari_sa2va.training.sheet import COLUMNS, FRAMES, SIDE, compose, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sa2va.model import Sa2VA

_LINES: Final = 3
_ROWS: Final = 2  # of right ones, and of wrong ones
_A_KIND: Final = 3  # of each, so that a sheet shows what there is
_PER_SCENE: Final = 4
_FOUND: Final = (255, 170, 0)
_TRUE: Final = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class Shown:
    """An expression, and how it was answered."""

    pixels: NDArray[np.uint8]
    caption: str
    kind: str
    right: bool


def draw_answers(model: Sa2VA, picture: Path, scenes: int = 30) -> None:
    """Draw two rows of right answers, two of wrong ones, and a clip whose cells cross.

    Outlines are white where the object is, and orange where it was found. Answers come in the order
    of the scenes, at most three of a kind; nothing else is chosen.
    """
    rows: list[list[tuple[NDArray[np.uint8], str]]] = []
    shown = list(_answers(model, range(scenes)))
    for right in (True, False):
        kinds: dict[str, int] = {}
        chosen = []
        for one in shown:
            kinds[one.kind] = kinds.get(one.kind, 0) + (one.right == right)
            if one.right == right and kinds[one.kind] <= _A_KIND:
                chosen.append((one.pixels, one.caption))
        chosen = chosen[: _ROWS * COLUMNS]
        rows += [chosen[i : i + COLUMNS] for i in range(0, len(chosen), COLUMNS)]
    rows.append(_crossing(model))
    compose(rows, _LINES, picture)


def _answers(model: Sa2VA, numbers: range) -> Iterator[Shown]:
    for number in numbers:
        scene = make_scene(SCENE_SEED + number)
        rng = np.random.default_rng([SCENE_SEED + number, 71])
        image, masks = render(scene), scene.masks()
        for _ in range(_PER_SCENE):
            phrase = draw_phrase(scene, rng, synonyms=False)
            if phrase is None:
                continue
            segments = model.answer(image, segmentation_question(phrase.text)).segments
            found = [segment.mask for segment in segments]
            wanted = [union(masks, phrase.targets)] if phrase.targets else []
            said, right = _judged(found, wanted)
            kind = phrase.form.kind if phrase.targets else "absent"
            caption = f"{wrapped(phrase.text)}\n{said}"
            yield Shown(_outlined(image, wanted, found), caption, kind, right)
        model.clear_cache()


def _judged(
    found: Sequence[NDArray[np.bool_]], wanted: Sequence[NDArray[np.bool_]]
) -> tuple[str, bool]:
    if not found:
        return ("refused", False) if wanted else ("refused, rightly", True)
    if not wanted:
        return "made up", False
    score = iou(np.any(found, axis=0), np.any(wanted, axis=0))
    return f"IoU {score:.2f}", score >= RIGHT_IOU


def _outlined(
    image: NDArray[np.uint8],
    wanted: Iterable[NDArray[np.bool_]],
    found: Iterable[NDArray[np.bool_]],
) -> NDArray[np.uint8]:
    """Draw outlines of one pixel at the size of the sheet."""
    scale = (SIDE - 4) / max(image.shape[:2])
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    drawn = np.array(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
    for masks, color in ((wanted, _TRUE), (found, _FOUND)):
        for mask in masks:
            small = np.array(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
            drawn[small & ~binary_erosion(small)] = color
    return drawn


def _crossing(model: Sa2VA) -> list[tuple[NDArray[np.uint8], str]]:
    """Follow two cells that pass over each other, from their masks in the first frame."""
    clip, masks = crossing_clip(0, FRAMES)
    images = clip.images()
    shown = np.linspace(0, FRAMES - 1, COLUMNS).astype(int).tolist()
    row = []
    for frame in model.track_masks(images, {0: masks[0]}):
        if frame.index in shown:
            pixels = _outlined(images[frame.index], masks[frame.index], frame.masks)
            scores = [iou(a, b) for a, b in zip(frame.masks, masks[frame.index], strict=True)]
            said = " and ".join(f"{score:.2f}" for score in scores)
            row.append((pixels, f"frame {frame.index + 1}\nIoU {said}"))
    return row
