"""``python -m napari_sa2va.training.evaluate_tracking``: how well the demo follows cells.

Held-out clips only, through the same inference that the dock and the command line use. J is the
mean IoU over cells and frames, those that tracking started from left out (DAVIS's region
similarity).
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from napari_sa2va.model.key_planes import first_planes, spread_planes
from napari_sa2va.model.prompts import segmentation_question
from napari_sa2va.model.results import TrackedFrame
from napari_sa2va.samples import demo_folder
from napari_sa2va.samples.expressions import draw_expression
from napari_sa2va.samples.scenes import HELD_OUT_SEED, make_clip, render
from napari_sa2va.training.first_figures import ATTRIBUTE_KINDS
from napari_sa2va.training.overlap import iou

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from napari_sa2va.model import Sa2VA
    from napari_sa2va.model.track_state import Direction, Method
    from napari_sa2va.samples.expressions import Expression

FRAMES: Final = 24
SEED_IS_RIGHT: Final = 0.7
"""IoU from which on the masks that tracking starts from count as right."""

_CLIP_SEED: Final = HELD_OUT_SEED + 1_000_000
# Attributes stay with a cell; places and superlatives mean another cell some frames later.
_KINDS: Final = (*ATTRIBUTE_KINDS, "plural")


@dataclass(frozen=True, slots=True)
class Way:
    """One way to follow cells.

    Attributes
    ----------
    start : "mask" or "expression"
        What points them out: masks of all cells, or the words for some.
    keys : str
        The frames that are started from: ``"first"``, ``"middle"``, ``"spread"`` (five of them)
        or ``"first five"``.
    """

    start: Literal["mask", "expression"]
    keys: str
    direction: Direction
    method: Method = "consistent"

    def frames(self, count: int) -> list[int]:
        """Positions of the frames that are started from."""
        return {
            "first": [0],
            "middle": [count // 2],
            "spread": list(spread_planes(0, count)),
            "first five": list(first_planes(0, count)),
        }[self.keys]


WAYS: Final = (
    Way("mask", "first", "forward"),
    Way("mask", "middle", "both"),
    Way("expression", "middle", "both"),
    *(
        Way("expression", keys, "forward", method)
        for keys in ("first", "spread", "first five")
        for method in ("consistent", "official")
    ),
)


@dataclass(frozen=True, slots=True)
class ClipScore:
    """One clip, followed in one way.

    Attributes
    ----------
    seed : float
        IoU of the masks that tracking started from, over their frames; 0 where none was found.
    j : float
        J of the frames after them; 0 where none was found.
    """

    seed: float
    j: float


@dataclass(frozen=True, slots=True)
class Row:
    """Figures of one way over all clips.

    Attributes
    ----------
    j : float
        Mean over all clips.
    seed_right : float
        Share of the clips whose start was right (`SEED_IS_RIGHT`).
    j_where_right : float
        Mean over those; NaN if there are none.
    """

    clips: int
    j: float
    seed_right: float
    j_where_right: float


@dataclass(frozen=True, slots=True)
class Clip:
    """A held-out clip with its answers.

    Attributes
    ----------
    images : ndarray of uint8, shape (t, y, x, 3)
    masks : ndarray of bool, shape (t, cells, y, x)
    expression : Expression
        Words for some cells that are there.
    """

    images: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    expression: Expression


def held_out_clip(number: int, frames: int = FRAMES) -> Clip:
    """Draw a clip that training never saw, and an expression of attributes about it."""
    seed = _CLIP_SEED + number
    scenes = make_clip(seed, frames)
    rng = np.random.default_rng([seed, 8])
    expression = None
    while expression is None or not expression.targets or expression.form.kind not in _KINDS:
        expression = draw_expression(scenes[0], rng)
    return Clip(
        np.stack([render(scene, t) for t, scene in enumerate(scenes)]),
        np.stack([scene.masks() for scene in scenes]),
        expression,
    )


def follow(model: Sa2VA, clip: Clip, way: Way) -> ClipScore:
    """Follow the cells of a clip in one way."""
    keys = way.frames(len(clip.images))
    if way.start == "mask":
        wanted = clip.masks
        tracked: Iterable[object] = model.track_masks(
            clip.images, {key: wanted[key] for key in keys}, way.direction
        )
    else:
        # One [SEG] stands for all that an expression means.
        wanted = np.any(clip.masks[:, list(clip.expression.targets)], axis=1, keepdims=True)
        question = segmentation_question(clip.expression.text)
        tracked = model.track(clip.images, question, keys, way.method, way.direction)
    found = {item.index: item for item in tracked if isinstance(item, TrackedFrame)}
    if not found:
        return ClipScore(0.0, 0.0)
    at_start: list[float] = []
    after: list[float] = []
    for index, frame in found.items():
        masks = frame.masks if way.start == "mask" else np.any(frame.masks, axis=0, keepdims=True)
        pairs = zip(masks, wanted[index], strict=True)
        (at_start if index in keys else after).extend(iou(one, true) for one, true in pairs)
    return ClipScore(float(np.mean(at_start)), float(np.mean(after)))


def tracking_figures(
    model: Sa2VA, clips: Iterable[int], frames: int = FRAMES, ways: Iterable[Way] = WAYS
) -> dict[Way, Row]:
    """Follow the cells of held-out clips (by number) in several ways; figures by way."""
    scores: dict[Way, list[ClipScore]] = defaultdict(list)
    for number in clips:
        clip = held_out_clip(number, frames)
        for way in ways:
            scores[way].append(follow(model, clip, way))
    return {way: summary(found) for way, found in scores.items()}


def summary(scores: list[ClipScore]) -> Row:
    """Put the figures of all clips together."""
    right = [score.j for score in scores if score.seed >= SEED_IS_RIGHT]
    return Row(
        clips=len(scores),
        j=float(np.mean([score.j for score in scores])),
        seed_right=len(right) / len(scores),
        j_where_right=float(np.mean(right)) if right else float("nan"),
    )


def as_markdown(figures: dict[Way, Row]) -> str:
    """Write the figures as the table in docs/demo-model.md."""
    lines = [
        "| from | frames started from | direction | method | J | start right | J where right |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for way, row in figures.items():
        method = way.method if way.start == "expression" else "any"
        share = f"{row.seed_right:.0%}" if way.start == "expression" else "given"
        cells = [way.start, way.keys, way.direction, method]
        lines.append(f"| {' | '.join(cells)} | {row.j:.3f} | {share} | {row.j_where_right:.3f} |")
    return "\n".join(lines)


def main() -> None:
    """Print the figures, and write them as JSON where asked."""
    from rich.console import Console
    from rich.progress import track

    from napari_sa2va.model import Sa2VA

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=demo_folder())
    parser.add_argument("--clips", type=int, default=50)
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    model = Sa2VA.from_pretrained(options.folder, device=options.device)
    start = time.perf_counter()
    numbers = track(range(options.clips), "clips", console=Console(stderr=True))
    figures = tracking_figures(model, numbers, options.frames)
    minutes = (time.perf_counter() - start) / 60
    console = Console(soft_wrap=True)
    console.print(f"{options.clips} held-out clips of {options.frames} frames, {minutes:.0f} min")
    console.print(as_markdown(figures), markup=False, highlight=False)
    if options.json:
        rows = [asdict(way) | asdict(row) for way, row in figures.items()]
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
