"""Masks followed without words, with the demo checkpoint on a clip of moving cells."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sa2va.annotation.packed import PackedMask
from napari_sa2va.engine import (
    FrameDone,
    Looking,
    MaskTrackRequest,
    ModelChoice,
    ModelLoading,
    ModelReady,
    RunDone,
    Runner,
    TrackedObject,
    TrackSaved,
    TrackStarted,
)
from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames import ArrayFrames, Channel
from napari_sa2va.samples.scenes import HELD_OUT_SEED, make_clip, render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_sa2va.engine import Event

FRAMES = 6
KEY = 2
SCENES = make_clip(HELD_OUT_SEED + 1, FRAMES)
TRUTH = np.stack([scene.masks() for scene in SCENES])  # by frame and cell
BLANK = PackedMask.pack(np.zeros(TRUTH.shape[2:], bool))


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    runner = Runner()
    yield runner
    runner.unload()


@pytest.fixture
def wanted() -> MaskTrackRequest:
    clip = np.stack([render(scene, frame) for frame, scene in enumerate(SCENES)])
    planes = [(index, None, None) for index in range(FRAMES)]
    frames = ArrayFrames([clip], [Channel((0, 255))], planes, rgb=[True])
    masks = {KEY: tuple(PackedMask.pack(TRUTH[KEY, cell]) for cell in (0, 1))}
    return MaskTrackRequest(ModelChoice("demo", "cpu"), frames, masks, ("first", ""))


def run(runner: Runner, request: MaskTrackRequest) -> list[Event]:
    return list(runner.run(request, threading.Event()))


def of_kind(events: list[Event], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def test_painted_masks_are_followed_both_ways(runner: Runner, wanted: MaskTrackRequest) -> None:
    events = [e for e in run(runner, wanted) if not isinstance(e, ModelLoading)]
    kinds = [type(event) for event in events]
    assert kinds[:5] == [ModelReady, Looking, TrackStarted, FrameDone, TrackSaved]
    assert kinds[-2:] == [TrackSaved, RunDone]
    (started,) = of_kind(events, TrackStarted)
    assert started.objects == (TrackedObject(0, "first"), TrackedObject(1, ""))
    assert (started.keys, started.done, started.total) == ((KEY,), 0, FRAMES)
    frames = of_kind(events, FrameDone)
    assert [frame.index for frame in frames] == [2, 3, 4, 5, 1, 0]
    assert frames[0].masks == wanted.masks[KEY]  # not as SAM2 hands them back
    for frame in frames:
        for cell, mask in enumerate(frame.masks):
            truth, found = TRUTH[frame.index, cell], mask.unpack()
            assert (found & truth).sum() / (found | truth).sum() > 0.6


def test_it_goes_on_from_its_state(runner: Runner, wanted: MaskTrackRequest) -> None:
    whole = of_kind(run(runner, wanted), FrameDone)
    first = run(runner, replace(wanted, within=(KEY, 4)))
    state = of_kind(first, TrackSaved)[-1].state
    events = run(runner, replace(wanted, within=(0, FRAMES), resume=state))
    (started,) = of_kind(events, TrackStarted)
    assert started.objects == (TrackedObject(0, "first"), TrackedObject(1, ""))
    assert started.done == 2
    assert of_kind(first, FrameDone)[0].masks == whole[0].masks
    assert [frame.index for frame in of_kind(events, FrameDone)] == [4, 5, 1, 0]


def test_an_object_may_be_given_in_another_frame(runner: Runner, wanted: MaskTrackRequest) -> None:
    one, two = wanted.masks[KEY]
    masks = {KEY: (one, BLANK), KEY + 1: (BLANK, two)}
    request = replace(wanted, masks=masks, direction="forward", within=(KEY, KEY + 2))
    assert [f.index for f in of_kind(run(runner, request), FrameDone)] == [KEY, KEY + 1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"masks": {}}, "no mask to follow"),
        ({"phrases": ()}, "no mask to follow"),
        ({"phrases": ("one",)}, "a mask for each object"),
        ({"masks": {KEY: (BLANK, BLANK)}}, "mask of first is empty"),
        (
            {"masks": {KEY: (PackedMask.pack(np.ones((4, 4), bool)),) * 2}},
            "of the frames' size",
        ),
    ],
)
def test_masks_that_cannot_be_followed(
    runner: Runner, wanted: MaskTrackRequest, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        run(runner, replace(wanted, **changes))
    assert not runner.busy
