"""What measures tracking: clips that training never drew, and figures that mean what they say."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sa2va.model import Sa2VA
from napari_sa2va.model.results import TrackedFrame
from napari_sa2va.samples import demo_folder
from napari_sa2va.samples.scenes import HELD_OUT_SEED
from napari_sa2va.training import evaluate_tracking
from napari_sa2va.training.evaluate_tracking import (
    WAYS,
    ClipScore,
    Way,
    as_markdown,
    follow,
    held_out_clip,
    summary,
    tracking_figures,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_clips_are_held_out_and_their_expressions_name_what_is_there() -> None:
    assert evaluate_tracking._CLIP_SEED >= HELD_OUT_SEED
    for number in range(6):
        clip = held_out_clip(number, frames=3)
        assert clip.images.shape == (3, 256, 256, 3)
        assert clip.masks.shape[0] == 3
        assert clip.expression.targets
        assert clip.expression.form.extra in ("", "all")
    np.testing.assert_array_equal(held_out_clip(2, 3).images, held_out_clip(2, 3).images)


def test_every_way_of_the_issue_is_measured() -> None:
    assert len(set(WAYS)) == len(WAYS)
    asked = {(way.keys, way.method) for way in WAYS if way.start == "expression"}
    assert asked >= {
        (keys, method)
        for keys in ("first", "spread", "first five")
        for method in ("official", "consistent")
    }
    assert {Way("mask", "first", "forward"), Way("mask", "middle", "both")} <= set(WAYS)
    assert Way("expression", "spread", "forward").frames(24) == [0, 5, 11, 17, 23]
    assert Way("mask", "middle", "both").frames(24) == [12]


class Perfect:
    """Knows the masks; `wrong` frames come empty."""

    def __init__(self, masks: np.ndarray[Any, Any], wrong: set[int]) -> None:
        self.masks, self.wrong = masks, wrong

    def track_masks(self, frames: Any, masks: Any, direction: str) -> Iterator[TrackedFrame]:
        ones = np.ones(self.masks.shape[1], np.float32)
        for index, true in enumerate(self.masks):
            found = np.zeros_like(true) if index in self.wrong else true
            seed = index in masks
            flags = ((),) * len(true)
            yield TrackedFrame(index, found, ones, ones, ones, ones, seed=seed, flags=flags)


def test_j_counts_the_frames_after_the_start() -> None:
    clip = held_out_clip(0, frames=5)
    way = Way("mask", "first", "forward")
    assert follow(Perfect(clip.masks, set()), clip, way) == ClipScore(1.0, 1.0)  # type: ignore[arg-type]
    missed = follow(Perfect(clip.masks, {4}), clip, way)  # type: ignore[arg-type]
    assert missed == ClipScore(1.0, pytest.approx(0.75))


def test_shares_and_means() -> None:
    row = summary([ClipScore(0.9, 0.8), ClipScore(0.7, 0.6), ClipScore(0.0, 0.0)])
    assert (row.clips, row.j, row.seed_right, row.j_where_right) == (
        3,
        pytest.approx(1.4 / 3),
        pytest.approx(2 / 3),
        pytest.approx(0.7),
    )
    assert math.isnan(summary([ClipScore(0.1, 0.2)]).j_where_right)


def test_two_clips_of_the_demo_checkpoint() -> None:
    model = Sa2VA.from_pretrained(demo_folder(), device="cpu", dtype="float32")
    mask = Way("mask", "first", "forward")
    words = Way("expression", "middle", "both", "official")
    figures = tracking_figures(model, range(2), frames=5, ways=(mask, words))
    assert figures[mask].seed_right == 1
    assert figures[mask].j > 0.75
    assert figures[words].clips == 2
    table = as_markdown(figures)
    assert table.count("\n") == 3
    assert "| expression | middle | both | official |" in table


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_bounds_that_the_demo_checkpoint_must_reach() -> None:
    model = Sa2VA.from_pretrained(demo_folder(), device="cpu", dtype="float32")
    first, middle = Way("mask", "first", "forward"), Way("mask", "middle", "both")
    words = [
        Way("expression", "first", "forward", "consistent"),
        Way("expression", "first", "forward", "official"),
    ]
    figures = tracking_figures(model, range(50), ways=(first, middle, *words))
    assert figures[first].j >= 0.75
    assert figures[middle].j >= figures[first].j - 0.03
    for way in words:
        assert figures[way].j_where_right >= 0.80
