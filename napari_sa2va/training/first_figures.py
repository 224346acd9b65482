"""``python -m napari_sa2va.training.first_figures``: what the first demo checkpoint can do.

On held-out scenes of the kind that it was trained on (`samples.scenes`), which are also those of
the sample image; the complete demo's own table is `evaluate`'s. It goes when the first one does.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sa2va.model.prompts import segmentation_question
from napari_sa2va.samples import demo_folder
from napari_sa2va.samples.expressions import FORMS, draw_expression
from napari_sa2va.samples.scenes import HELD_OUT_SEED, make_clip, make_scene, render
from napari_sa2va.training.dialogues import REGION_QUESTION
from napari_sa2va.training.overlap import iou

if TYPE_CHECKING:
    from napari_sa2va.model import Sa2VA
    from napari_sa2va.samples.scenes import Scene

ATTRIBUTE_KINDS: Final = ("color", "size", "shape", "combination")
_CLIP_SEED: Final = HELD_OUT_SEED + 1_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """Figures of one kind of expression.

    Attributes
    ----------
    present, absent : int
        Expressions whose object is there, is not there.
    iou : float
        Mean over the present ones; 0 where the model refused.
    answered : float
        Share of the present ones that got a mask.
    refused : float
        Share of the absent ones that got none.
    """

    present: int
    absent: int
    iou: float
    answered: float
    refused: float


def referring_figures(model: Sa2VA, scenes: int, per_scene: int = 6) -> dict[str, Row]:
    """Ask for objects in held-out scenes; figures by kind of expression."""
    ious: dict[str, list[float]] = defaultdict(list)
    refused: dict[str, list[bool]] = defaultdict(list)
    for seed in range(HELD_OUT_SEED, HELD_OUT_SEED + scenes):
        scene = make_scene(seed)
        image, masks = render(scene), scene.masks()
        rng = np.random.default_rng([seed, 6])
        for expression in _expressions(scene, rng, per_scene):
            answer = model.answer(image, segmentation_question(expression.text))
            kind = expression.form.kind
            if not expression.targets:
                refused[kind].append(not answer.segments)
                continue
            wanted = np.any(masks[list(expression.targets)], axis=0)
            found = np.zeros_like(wanted)
            for segment in answer.segments:
                found |= segment.mask
            ious[kind].append(iou(found, wanted) if answer.segments else -1.0)
    kinds = sorted({*ious, *refused}, key=[f.kind for f in FORMS].index)
    table = {kind: _row(ious[kind], refused[kind]) for kind in kinds}
    attributes = [value for kind in ATTRIBUTE_KINDS for value in ious[kind]]
    attributes_refused = [value for kind in ATTRIBUTE_KINDS for value in refused[kind]]
    return {"all attributes": _row(attributes, attributes_refused), **table}


def _expressions(scene: Scene, rng: np.random.Generator, count: int) -> list[Any]:
    found: dict[str, Any] = {}
    for _ in range(20 * count):
        expression = draw_expression(scene, rng)
        if expression is not None:
            found.setdefault(expression.text, expression)
        if len(found) == count:
            break
    return list(found.values())


def _row(ious: list[float], refused: list[bool]) -> Row:
    scores = np.asarray(ious)
    return Row(
        present=len(ious),
        absent=len(refused),
        iou=float(scores.clip(min=0).mean()) if len(ious) else float("nan"),
        answered=float((scores >= 0).mean()) if len(ious) else float("nan"),
        refused=float(np.mean(refused)) if refused else float("nan"),
    )


def region_figures(model: Sa2VA, scenes: int) -> dict[str, float]:
    """Point a cell out in each held-out scene: share of attributes and of sentences right."""
    right, exact = [], []
    for seed in range(HELD_OUT_SEED, HELD_OUT_SEED + scenes):
        scene = make_scene(seed)
        chosen = int(np.random.default_rng([seed, 7]).integers(len(scene.cells)))
        region = scene.masks()[chosen][None]
        said = model.answer(render(scene), REGION_QUESTION, regions=region).text
        words = said.lower().rstrip(".").split()
        cell = scene.cells[chosen]
        right += [word in words for word in (cell.size, cell.color, cell.shape)]
        exact.append(said.strip() == cell.description)
    return {"attributes": float(np.mean(right)), "exact": float(np.mean(exact))}


def tracking_figure(model: Sa2VA, clips: int, frames: int = 12) -> float:
    """Track every cell of held-out clips from its mask in the first frame: mean J.

    J is the mean IoU over the frames after the first and over all cells (DAVIS's region
    similarity, with the given frame left out).
    """
    scores = []
    for seed in range(_CLIP_SEED, _CLIP_SEED + clips):
        clip = make_clip(seed, frames)
        images = np.stack([render(scene, t) for t, scene in enumerate(clip)])
        true = np.stack([scene.masks() for scene in clip])
        for tracked in model.track_masks(images, {0: true[0]}):
            if tracked.index == 0:
                continue
            pairs = zip(tracked.masks, true[tracked.index], strict=True)
            scores += [iou(found, wanted) for found, wanted in pairs]
    return float(np.mean(scores))


def seconds_per_expression(model: Sa2VA, scenes: int = 10) -> tuple[float, float]:
    """Median seconds of a first and of a second expression about an image."""
    first: list[float] = []
    second: list[float] = []
    for seed in range(HELD_OUT_SEED, HELD_OUT_SEED + scenes):
        image = render(make_scene(seed))
        model.clear_cache()
        for times, phrase in ((first, "the red cell"), (second, "the green cell")):
            start = time.perf_counter()
            model.answer(image, segmentation_question(phrase))
            times.append(time.perf_counter() - start)
    return float(np.median(first)), float(np.median(second))


def main(arguments: list[str] | None = None) -> None:
    """Print the figures, and write them as JSON where asked."""
    from napari_sa2va.model import Sa2VA

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=demo_folder())
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    _print(Sa2VA.from_pretrained(options.folder, device=options.device), options)


def _print(model: Sa2VA, options: argparse.Namespace) -> None:
    from rich.console import Console
    from rich.table import Table

    rows = referring_figures(model, options.scenes)
    regions = region_figures(model, options.scenes)
    tracked = tracking_figure(model, options.clips) if options.clips else float("nan")
    first, second = seconds_per_expression(model)
    table = Table("expression", "present", "absent", "mean IoU", "answered", "refused", box=None)
    for kind, row in rows.items():
        shares = [f"{value:.2f}" for value in (row.iou, row.answered, row.refused)]
        table.add_row(kind, str(row.present), str(row.absent), *shares)
    console = Console()
    console.print(f"{options.scenes} held-out scenes, {options.clips} clips of 12 frames")
    console.print(table)
    console.print(
        f"region descriptions: {regions['attributes']:.1%} of the attributes right, "
        f"{regions['exact']:.1%} of the sentences\n"
        f"tracking from a mask in the first frame: J {tracked:.3f}\n"
        f"seconds per expression: {first:.2f} the first about an image, {second:.2f} the next"
    )
    if options.json:
        figures = {
            "expressions": {kind: asdict(row) for kind, row in rows.items()},
            "regions": regions,
            "J from a mask in the first frame": tracked,
            "seconds": {"first": first, "next": second},
        }
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
