"""Flags for tracking that may be going wrong: the rules, and what they tell on real clips."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_sa2va.model import Sa2VA
from napari_sa2va.model.checking import iou
from napari_sa2va.model.drift import Reading, Usual, drift_flags, learned
from napari_sa2va.samples.scenes import make_clip, render

USUAL = Usual(iou=0.9, area=100.0, there=True)
GOOD = Reading(iou=0.9, mean=0.95, present=1.0, area=100.0)


@pytest.mark.parametrize(
    ("now", "flags"),
    [
        (GOOD, ()),
        (GOOD._replace(iou=0.82), ()),
        (GOOD._replace(iou=0.78), ("iou",)),
        (GOOD._replace(mean=0.7), ("uncertain",)),
        (GOOD._replace(area=155.0), ("area",)),
        (GOOD._replace(area=60.0), ("area",)),
        (GOOD._replace(area=140.0), ()),
        (Reading(0.5, 0.6, 1.0, 10.0), ("iou", "uncertain", "area")),
        (GOOD._replace(present=0.3), ("absent",)),
        # No mask is as good as gone, whatever the score says; its mean is no number.
        (Reading(0.9, float("nan"), 1.0, 0.0), ("absent",)),
    ],
)
def test_rules(now: Reading, flags: tuple[str, ...]) -> None:
    assert drift_flags(now, USUAL) == flags


def test_absence_is_told_once() -> None:
    gone = Reading(0.2, float("nan"), 0.1, 0.0)
    assert drift_flags(gone, Usual()) == ()
    after = learned(gone, USUAL, seed=False)
    assert after == replace(USUAL, there=False)
    assert drift_flags(gone, after) == ()
    # Back again, at its old size: nothing is suspicious, and it may go once more.
    assert drift_flags(GOOD, after) == ()
    assert drift_flags(gone, learned(GOOD, after, seed=False)) == ("absent",)


def test_a_given_mask_says_the_area_and_no_iou() -> None:
    seed = Reading(iou=1.0, mean=0.99, present=1.0, area=50.0)
    assert learned(seed, Usual(), seed=True) == Usual(None, 50.0, True)
    assert drift_flags(GOOD._replace(iou=0.7, area=55.0), learned(seed, Usual(), seed=True)) == ()
    assert learned(seed, USUAL, seed=True) == Usual(0.9, 50.0, True)


def test_a_change_that_stays_becomes_usual() -> None:
    usual, told = USUAL, []
    for _ in range(6):
        now = GOOD._replace(area=180.0)
        told.append(bool(drift_flags(now, usual)))
        usual = learned(now, usual, seed=False)
    assert told == [True, True, False, False, False, False]


def test_flags_on_a_clip_with_a_loss_and_good_tracks() -> None:
    """A mask that runs over to the next cell is flagged; good tracks of the same clip are not."""
    model = Sa2VA.from_pretrained("demo", device="cpu")
    clip = make_clip(10_300_004, 16)
    true = np.stack([scene.masks() for scene in clip])
    images = np.stack([render(scene, t) for t, scene in enumerate(clip)])
    frames = list(model.track_masks(images, {0: true[0]}))
    good, lost = [], []
    for frame in frames[1:]:
        for row, flags in enumerate(frame.flags):
            overlap = iou(frame.masks[row], true[frame.index][row])
            (good if overlap >= 0.7 else lost if overlap < 0.5 else []).append(flags)
    assert len(good) > 60
    assert sum(map(bool, good)) <= 1
    assert any("area" in flags for flags in lost)
