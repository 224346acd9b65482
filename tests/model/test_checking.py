"""Expressions asked again on the way: matching masks, flags, and going on from what is found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sa2va.errors import InvalidInput
from napari_sa2va.model import Found, Sa2VA, TrackedFrame
from napari_sa2va.model.checking import Verdict, compare, iou
from napari_sa2va.model.memory import RESEEDS_KEPT
from napari_sa2va.model.prompts import segmentation_question
from napari_sa2va.samples.scenes import make_clip, render

if TYPE_CHECKING:
    from numpy.typing import NDArray


def boxes(*columns: tuple[int, int] | None) -> NDArray[np.bool_]:
    masks = np.zeros((len(columns), 4, 40), bool)
    for mask, where in zip(masks, columns, strict=True):
        if where is not None:
            mask[:, slice(*where)] = True
    return masks


AGREES, ODD = Verdict(agrees=True), Verdict(agrees=False)


def instead(place: int) -> Verdict:
    return Verdict(agrees=False, instead=place)


@pytest.mark.parametrize(
    ("tracked", "found", "verdicts"),
    [
        ([(0, 10)], [(2, 12)], [AGREES]),
        ([(0, 10)], [(8, 18)], [instead(0)]),
        ([(0, 10)], [(30, 40)], [instead(0)]),
        ([(0, 10)], [], [ODD]),
        ([(0, 10)], [None], [ODD]),
        ([None], [], [AGREES]),
        ([None], [None], [AGREES]),
        ([None], [None, (0, 10)], [instead(1)]),
        # The order of an answer's objects may change.
        ([(0, 10), (20, 30)], [(20, 30), (0, 10)], [AGREES, AGREES]),
        ([(0, 10), (20, 30)], [(35, 40), (0, 10)], [AGREES, instead(0)]),
        ([(0, 10), (20, 30)], [(0, 10)], [AGREES, ODD]),
        # Which is which cannot be known, so that none is gone on from.
        ([(0, 5), (10, 15)], [(20, 25), (30, 35)], [ODD, ODD]),
        ([(0, 5), (10, 15)], [(20, 25), (13, 18)], [ODD, instead(1)]),
        ([None, None], [(20, 25)], [ODD, AGREES]),
    ],
)
def test_matching(tracked: Any, found: Any, verdicts: list[Verdict]) -> None:
    assert compare(boxes(*tracked), boxes(*found)) == verdicts


def test_overlap_of_nothing() -> None:
    assert iou(*boxes(None, None)) == 0
    assert iou(*boxes((0, 10), (5, 15))) == pytest.approx(1 / 3)


@pytest.fixture(scope="module")
def demo() -> Sa2VA:
    return Sa2VA.from_pretrained("demo", device="cpu")


@pytest.fixture(scope="module")
def swapped() -> NDArray[np.uint8]:
    """A clip in which two colours change places, so that other cells answer to the expressions.

    From frame 6 on, magenta is yellow and blue is green. SAM2 goes on with the same cells.
    """
    clip = np.stack([render(scene, t) for t, scene in enumerate(make_clip(10_100_000, 12))])
    clip[6:] = clip[6:][..., [0, 2, 1]]
    return clip


THAT_CELL = 0.7  # from which IoU on a mask is of that cell and no other

QUESTIONS = tuple(
    segmentation_question(f"the {what} cell")
    for what in ("large magenta", "small blue", "small yellow")
)


def tracked(run: Any) -> dict[int, TrackedFrame]:
    return {part.index: part for part in run if isinstance(part, TrackedFrame)}


def test_a_check_finds_what_the_tracking_lost(demo: Sa2VA, swapped: NDArray[np.uint8]) -> None:
    true = [scene.masks() for scene in make_clip(10_100_000, 12)]
    first = make_clip(10_100_000, 1)[0]
    cells = {f"{cell.size} {cell.color}": row for row, cell in enumerate(first.cells)}
    plain = tracked(demo.track(swapped, QUESTIONS, keys=[0]))
    flagged = tracked(demo.track(swapped, QUESTIONS, keys=[0], check_every=4))
    reseeded = tracked(demo.track(swapped, QUESTIONS, keys=[0], check_every=4, reseed=True))
    for index, frame in plain.items():
        # A check that re-seeds nothing changes no mask.
        assert np.array_equal(frame.masks, flagged[index].masks)
        assert ("disagrees" in flagged[index].flags[0]) == (index == 8)
        assert iou(frame.masks[0], true[index][cells["large magenta"]]) > THAT_CELL
    assert [flags[-1:] for flags in flagged[8].flags] == [("disagrees",)] * 3
    # Nothing is blue any more: nothing to go on from.
    assert [flags[-1] for flags in reseeded[8].flags] == ["reseeded", "disagrees", "reseeded"]
    for index in range(8, 12):
        frame = reseeded[index]
        assert iou(frame.masks[0], true[index][cells["small yellow"]]) > THAT_CELL
        assert iou(frame.masks[2], true[index][cells["small magenta"]]) > THAT_CELL
        # As if the other two had not been found anew.
        assert iou(frame.masks[1], plain[index].masks[1]) > 0.98
        assert iou(frame.masks[1], true[index][cells["small blue"]]) > THAT_CELL


def test_reseeds_are_kept_to_a_few(
    demo: Sa2VA, swapped: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_sa2va.model.checking.SAME_OBJECT", 1.1)
    run = demo.track(swapped[:6], QUESTIONS[1:2], keys=[0, 1], check_every=1, reseed=True)
    frames = tracked(run)
    assert [frames[index].flags for index in range(2, 6)] == [(("reseeded",),)] * 4
    assert run.state is not None
    (group,) = run.state.forward.groups
    assert list(group.memory.seeds) == [0, 1]
    assert list(group.memory.reseeds) == [2, 3, 4, 5][-RESEEDS_KEPT:]
    assert not group.memory.followed


def test_several_questions_are_one_pass(
    demo: Sa2VA, swapped: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, encoded = swapped[:4], []
    encode = demo.network.sam2.encode
    monkeypatch.setattr(
        demo.network.sam2, "encode", lambda images: encoded.append(len(images)) or encode(images)
    )
    missing = segmentation_question("the large cyan ring-shaped cell")
    parts = list(demo.track(clip, (QUESTIONS[0], missing, QUESTIONS[1]), keys=[1]))
    found = [part for part in parts if isinstance(part, Found)]
    frames = [part for part in parts if isinstance(part, TrackedFrame)]
    assert encoded == [1] * 3
    assert [len(part.objects) for part in found] == [1, 0, 1]
    assert [frame.masks.shape[0] for frame in frames] == [2] * 3
    for row, question in ((0, QUESTIONS[0]), (1, QUESTIONS[1])):
        alone = tracked(demo.track(clip, question, keys=[1]))
        for frame in frames:
            assert iou(frame.masks[row], alone[frame.index].masks[0]) > 0.98


def test_the_objects_of_a_run_say_whose_they_are(demo: Sa2VA, swapped: NDArray[np.uint8]) -> None:
    run = demo.track(swapped[:2], QUESTIONS[:2], keys=[0])
    assert run.state is None
    list(run)
    assert run.state is not None
    assert [one.question for one in run.state.objects] == [0, 1]
    assert run.state.texts == QUESTIONS[:2]


def test_checks_that_cannot_be(demo: Sa2VA, swapped: NDArray[np.uint8]) -> None:
    with pytest.raises(InvalidInput, match="every -1 frames"):
        list(demo.track(swapped, QUESTIONS, check_every=-1))
    with pytest.raises(InvalidInput, match="no question"):
        list(demo.track(swapped, ()))
