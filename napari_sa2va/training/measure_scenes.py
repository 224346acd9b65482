"""What a checkpoint can do on held-out scenes of the richer world, in figures."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_sa2va.model.prompts import CAPTION_QUESTION
from napari_sa2va.samples.scenes import HELD_OUT_SEED
from napari_sa2va.samples.world.drawing import render
from napari_sa2va.samples.world.phrases import FORMS, Form
from napari_sa2va.samples.world.scenes import make_scene
from napari_sa2va.training.captions import caption
from napari_sa2va.training.conversing import Reply, converse
from napari_sa2va.training.dialogues import REGION_QUESTION, referring
from napari_sa2va.training.overlap import iou
from napari_sa2va.training.talk import answering, comparing, counting, following_up
from napari_sa2va.training.wording import NUMBERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from napari_sa2va.model import Sa2VA
    from napari_sa2va.samples.world.scenes import Scene
    from napari_sa2va.training.dialogues import Turn

SCENE_SEED: Final = HELD_OUT_SEED + 2_000_000
RIGHT_IOU: Final = 0.7
"""From which on a mask counts as right."""

# Questions of each group about a scene.
_GROUPS: Final = {"attributes": 3, "position": 1, "superlative": 1, "plural": 1}
_TRIES: Final = 40


@dataclass(slots=True)
class Scores:
    """Scores of single questions by what they measure; see `table.LINES` for the names."""

    values: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, name: str, value: float) -> None:
        """Add one score, 0 to 1."""
        self.values[name].append(float(value))


def group_of(form: Form) -> str:
    """Name the line of the table that a form belongs to."""
    return form.kind if form.kind in _GROUPS else "attributes"


def measure_scene(model: Sa2VA, number: int, scores: Scores) -> None:
    """Ask everything about held-out scene `number`, and click into it."""
    seed = SCENE_SEED + number
    scene = make_scene(seed)
    rng = np.random.default_rng([seed, 31])
    image, masks = render(scene), scene.masks()
    for group, count in _GROUPS.items():
        for _ in range(count):
            _refer(model, scene, image, masks, rng, group, scores)
    _describe(model, scene, image, masks, rng, scores)
    _count(model, scene, image, rng, scores)
    _caption(model, scene, image, masks, scores)
    _talk(model, scene, image, masks, rng, scores)
    _click(model, image, masks, rng, scores)
    model.clear_cache()


def union(masks: NDArray[np.bool_], cells: Sequence[int]) -> NDArray[np.bool_]:
    """Join the masks of some cells."""
    joined: NDArray[np.bool_] = np.any(masks[list(cells)], axis=0)
    return joined


def _refer(
    model: Sa2VA,
    scene: Scene,
    image: NDArray[np.uint8],
    masks: NDArray[np.bool_],
    rng: np.random.Generator,
    group: str,
    scores: Scores,
) -> None:
    forms = [form for form in FORMS if group_of(form) == group]
    weights = np.array([FORMS[form] for form in forms])
    for _ in range(_TRIES):
        drawn = referring(scene, rng, forms[int(rng.choice(len(forms), p=weights / weights.sum()))])
        if drawn is not None:
            break
    else:
        return
    turn, phrase = drawn
    (reply,) = converse(model, image, [turn.question])
    if not phrase.targets:
        scores.add("absent refused", not reply.masks)
        return
    scores.add("present refused", not reply.masks)
    scores.add(f"IoU {group}", _iou_of(reply, union(masks, phrase.targets)))


def _iou_of(reply: Reply, wanted: NDArray[np.bool_]) -> float:
    """IoU of all masks of a reply together; a refusal counts 0."""
    return iou(np.any(reply.masks, axis=0), wanted) if reply.masks else 0.0


def _describe(
    model: Sa2VA,
    scene: Scene,
    image: NDArray[np.uint8],
    masks: NDArray[np.bool_],
    rng: np.random.Generator,
    scores: Scores,
) -> None:
    cell = int(rng.integers(len(scene.cells)))
    (reply,) = converse(model, image, [REGION_QUESTION], masks[cell][None])
    words = reply.text.lower().rstrip(".").split()
    for value in scene.cells[cell].values.values():
        scores.add("region attributes", value in words)


def _count(
    model: Sa2VA,
    scene: Scene,
    image: NDArray[np.uint8],
    rng: np.random.Generator,
    scores: Scores,
) -> None:
    drawn = counting(scene, rng)
    if drawn is None:
        return
    turn, number = drawn
    (reply,) = converse(model, image, [turn.question])
    said = [word for word in reply.text.lower().rstrip(".").split() if word in NUMBERS]
    scores.add("counts", said[:1] == [NUMBERS[number]])


def _caption(
    model: Sa2VA,
    scene: Scene,
    image: NDArray[np.uint8],
    masks: NDArray[np.bool_],
    scores: Scores,
) -> None:
    (reply,) = converse(model, image, [CAPTION_QUESTION])
    said = list(zip(reply.phrases, reply.masks, strict=True))
    for group in caption(scene).groups:
        cell, wanted = scene.cells[group.cells[0]], union(masks, group.cells)
        named = [
            mask
            for phrase, mask in said
            if phrase is not None and {cell.color, cell.size} <= set(phrase.split())
        ]
        right = any(iou(mask, wanted) >= RIGHT_IOU for mask in named)
        for _ in group.cells:
            scores.add("caption objects", right)


def _talk(
    model: Sa2VA,
    scene: Scene,
    image: NDArray[np.uint8],
    masks: NDArray[np.bool_],
    rng: np.random.Generator,
    scores: Scores,
) -> None:
    for _ in range(_TRIES):
        dialogue = following_up(scene, rng)
        if dialogue is not None:
            replies = converse(model, image, [turn.question for turn in dialogue.turns])
            scores.add("follow-ups", _right(replies[-1], dialogue.turns[-1], masks))
            break
    for _ in range(_TRIES):
        pair = comparing(scene, rng)
        if pair is not None:
            regions = masks[list(pair.regions)]
            (reply,) = converse(model, image, [pair.turns[0].question], regions)
            scores.add("comparisons", _right(reply, pair.turns[0], masks))
            break
    for _ in range(_TRIES):
        turn = answering(scene, rng)
        if turn is not None:
            (reply,) = converse(model, image, [turn.question])
            scores.add("words", _right(reply, turn, masks))
            break


def _right(reply: Reply, turn: Turn, masks: NDArray[np.bool_]) -> bool:
    """Whether a reply has the right mask or, where none is asked for, says the very words."""
    if not turn.segments:
        return not reply.masks and reply.text.strip() == turn.answer
    return _iou_of(reply, union(masks, turn.segments[0])) >= RIGHT_IOU


def _click(
    model: Sa2VA,
    image: NDArray[np.uint8],
    masks: NDArray[np.bool_],
    rng: np.random.Generator,
    scores: Scores,
) -> None:
    for cell in rng.permutation(len(masks))[:2].tolist():
        rows, columns = masks[cell].nonzero()
        if not len(rows):
            continue
        at = int(rng.integers(len(rows)))
        point = model.refine(image, points=[(int(rows[at]), int(columns[at]))], labels=[1])
        scores.add("IoU point", iou(point.mask, masks[cell]))
        # Edges of pixels, whose middles are at whole numbers.
        corners = (rows.min() - 0.5, columns.min() - 0.5, rows.max() + 0.5, columns.max() + 0.5)
        shake = rng.uniform(-1, 1, 4) * 0.03 * max(np.ptp(rows), np.ptp(columns))
        top, left, bottom, right = (float(c + s) for c, s in zip(corners, shake, strict=True))
        if bottom - top > 1 and right - left > 1:
            box = model.refine(image, box=(top, left, bottom, right))
            scores.add("IoU box", iou(box.mask, masks[cell]))


def measure_scenes(model: Sa2VA, numbers: Iterable[int], scores: Scores) -> None:
    """Measure held-out scenes by number."""
    for number in numbers:
        measure_scene(model, number, scores)
