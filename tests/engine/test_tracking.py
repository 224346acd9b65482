"""Trackings as events, with the demo checkpoint on a clip of moving cells."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sa2va.annotation.packed import PackedMask
from napari_sa2va.engine import (
    FrameDone,
    Looking,
    ModelChoice,
    ModelReady,
    QuestionDone,
    QuestionStarted,
    RunDone,
    Runner,
    TrackedObject,
    TrackRequest,
    TrackSaved,
    TrackStarted,
    segment_questions,
)
from napari_sa2va.errors import CheckpointError, InvalidInput, UnreadablePlane
from napari_sa2va.frames import ArrayFrames, Channel
from napari_sa2va.model.loaded import LoadedModel
from napari_sa2va.model.results import Capabilities
from napari_sa2va.samples.scenes import HELD_OUT_SEED, make_clip, render

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_sa2va.engine import Event

FRAMES = 8
KEY = 3
MAGENTA = 1  # a single cell of this colour


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    runner = Runner()
    yield runner
    runner.unload()


@pytest.fixture(scope="module")
def scenes() -> list[Any]:
    return make_clip(HELD_OUT_SEED + MAGENTA, FRAMES)


@pytest.fixture(scope="module")
def clip(scenes: list[Any]) -> np.ndarray:
    return np.stack([render(scene, frame) for frame, scene in enumerate(scenes)])


def frames_of(stack: Any) -> ArrayFrames:
    planes = [(index, None, None) for index in range(len(stack))]
    return ArrayFrames([stack], [Channel((0, 255))], planes, rgb=[True])


@pytest.fixture
def asked(clip: np.ndarray) -> TrackRequest:
    questions = segment_questions("the magenta cell")
    return TrackRequest(ModelChoice("demo", "cpu"), frames_of(clip), questions, keys=(KEY,))


def run(runner: Runner, request: TrackRequest) -> list[Event]:
    return list(runner.run(request, threading.Event()))


def of_kind(events: list[Event], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def test_all_is_asked_first_and_then_followed_in_one_pass(
    runner: Runner, asked: TrackRequest, scenes: list[Any]
) -> None:
    events = run(
        runner, replace(asked, questions=segment_questions("the magenta cell\na green cell"))
    )
    kinds = [type(event) for event in events]
    order = [Looking, QuestionStarted, QuestionDone, TrackStarted, FrameDone, TrackSaved, RunDone]
    assert sorted(order, key=kinds.index) == order
    assert kinds.count(QuestionDone) == 2
    assert max(n for n, k in enumerate(kinds) if k is QuestionDone) < kinds.index(TrackStarted)

    (started,) = of_kind(events, TrackStarted)
    assert started.objects[0] == TrackedObject(0, "the magenta cell")
    assert started.objects[1:] == (TrackedObject(1, "a green cell"),)
    assert (started.keys, started.done, started.total) == ((KEY,), 0, FRAMES)

    first = kinds.index(FrameDone)
    assert kinds[first + 1] is TrackSaved  # nothing need be asked again from here on
    assert list(events[first + 1].state.done) == [KEY]

    frames = of_kind(events, FrameDone)
    assert [frame.index for frame in frames] == [3, 4, 5, 6, 7, 2, 1, 0]
    assert [frame.done for frame in frames] == list(range(1, FRAMES + 1))
    assert [frame.seed for frame in frames] == [True] + [False] * (FRAMES - 1)
    magenta = next(i for i, cell in enumerate(scenes[0].cells) if cell.color == "magenta")
    for frame in frames:
        truth = scenes[frame.index].masks()[magenta]
        found = frame.masks[0].unpack()
        assert (found & truth).sum() / (found | truth).sum() > 0.8
        assert len(frame.ious) == len(frame.scores) == len(frame.present) == len(frame.flags) == 2


def test_a_tracking_goes_on_from_its_state(runner: Runner, asked: TrackRequest) -> None:
    whole = of_kind(run(runner, asked), FrameDone)
    cancelled, first, states = threading.Event(), [], []
    for event in runner.run(asked, cancelled):
        if isinstance(event, FrameDone):
            first.append(event)
            if len(first) == 6:
                cancelled.set()
        elif isinstance(event, TrackSaved):
            states.append(event.state)
        elif isinstance(event, RunDone):
            assert event.cancelled
    events = run(runner, replace(asked, resume=states[-1]))
    assert not of_kind(events, QuestionStarted)
    (started,) = of_kind(events, TrackStarted)
    assert started.objects == (TrackedObject(0, "the magenta cell"),)
    assert started.done == 6
    assert first + of_kind(events, FrameDone) == whole


def test_a_longer_range_tracks_what_is_new(runner: Runner, asked: TrackRequest) -> None:
    events = run(runner, replace(asked, within=(2, 5)))
    assert [frame.index for frame in of_kind(events, FrameDone)] == [3, 4, 2]
    state = of_kind(events, TrackSaved)[-1].state
    events = run(runner, replace(asked, within=(0, 7), resume=state))
    assert sorted(frame.index for frame in of_kind(events, FrameDone)) == [0, 1, 5, 6]


def test_a_resumed_run_says_what_it_follows_before_anything_can_end_it(
    runner: Runner, asked: TrackRequest, clip: np.ndarray
) -> None:
    events = run(runner, replace(asked, within=(2, 5)))
    state = of_kind(events, TrackSaved)[-1].state
    again: list[Event] = []
    request = replace(asked, frames=frames_of(Torn(clip)), within=(2, 8), resume=state)
    with pytest.raises(UnreadablePlane):
        for event in runner.run(request, threading.Event()):
            again.append(event)
    (started,) = of_kind(again, TrackStarted)
    assert (started.done, started.total) == (3, 6)
    assert not of_kind(again, FrameDone)
    assert [type(event) for event in again[-2:]] == [TrackStarted, TrackSaved]


def test_a_run_that_ends_before_its_first_frame_has_no_state(
    runner: Runner, asked: TrackRequest
) -> None:
    cancelled, events = threading.Event(), []
    for event in runner.run(asked, cancelled):
        events.append(event)
        if isinstance(event, QuestionDone):
            cancelled.set()
    assert not of_kind(events, TrackSaved)
    assert not of_kind(events, TrackStarted)


def test_the_official_way_reads_no_file_of_sam2(
    runner: Runner, asked: TrackRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(runner, replace(asked, within=(KEY, KEY + 1)))  # the model is loaded
    lacking = Capabilities(regions=True, consistent_tracking=False)
    monkeypatch.setattr(LoadedModel, "capabilities", lacking)
    request = replace(asked, within=(KEY, KEY + 1), sam2_file="there-is-no-such-file.pt")
    assert of_kind(run(runner, replace(request, method="official")), FrameDone)
    with pytest.raises(CheckpointError, match="no-such-file"):
        run(runner, request)


class Torn:
    """An array whose plane 5 cannot be read."""

    def __init__(self, stack: np.ndarray) -> None:
        self._stack = stack
        self.shape, self.dtype, self.ndim, self.size = (
            stack.shape,
            stack.dtype,
            stack.ndim,
            stack.size,
        )

    def __len__(self) -> int:
        return len(self._stack)

    def __getitem__(self, index: Any) -> np.ndarray:
        if index[0] == 5:
            raise OSError("the disk is gone")
        return self._stack[index]


def test_an_unreadable_plane_is_named_and_the_planes_before_it_are_kept(
    runner: Runner, asked: TrackRequest, clip: np.ndarray
) -> None:
    events: list[Event] = []
    with pytest.raises(UnreadablePlane, match=r"5.*the disk is gone"):
        for event in runner.run(replace(asked, frames=frames_of(Torn(clip))), threading.Event()):
            events.append(event)
    assert [frame.index for frame in of_kind(events, FrameDone)] == [3, 4]
    assert isinstance(events[-1], TrackSaved)
    # Mended, it goes on.
    rest = of_kind(run(runner, replace(asked, resume=events[-1].state)), FrameDone)
    assert [frame.index for frame in rest] == [5, 6, 7, 2, 1, 0]


def test_nothing_found_is_an_answer_without_frames(runner: Runner, asked: TrackRequest) -> None:
    # The demo refuses this one; were it to find something, the test would need another.
    events = run(
        runner, replace(asked, questions=segment_questions("the large blue ring-shaped cell"))
    )
    (answer,) = of_kind(events, QuestionDone)
    assert answer.masks == 0
    assert not of_kind(events, TrackStarted)
    assert not of_kind(events, TrackSaved)
    assert isinstance(events[-1], RunDone)


def test_the_sam2_file_that_is_asked_for_is_the_one_that_is_read(
    runner: Runner, asked: TrackRequest, tiny_folder: Path, short_answers: None, tmp_path: Path
) -> None:
    from safetensors.torch import save_file

    from napari_sa2va.model import Sa2VA
    from napari_sa2va.model.sam2_parts import mask_decoder

    model = Sa2VA.from_pretrained(tiny_folder, "cpu")
    decoder = mask_decoder(model.config.sam2).state_dict()
    files = [tmp_path / "one.safetensors", tmp_path / "two.safetensors"]
    for file in files:
        save_file({f"sam_mask_decoder.{name}": value for name, value in decoder.items()}, file)
    tiny = Runner(lambda *_: model)
    for file in files:
        request = replace(asked, within=(KEY, KEY + 1), sam2_file=str(file))
        (ready,) = of_kind(run(tiny, request), ModelReady)
        assert not ready.consistent  # by itself
        assert model.tracking_file == file
    run(tiny, replace(request, sam2_file="", method="official"))  # has no use for it
    assert model.tracking_file == file
    run(tiny, replace(request, sam2_file=""))
    assert model.tracking_file is None
    assert not model.capabilities.consistent_tracking


def test_a_plane_outside_the_range_is_refused(runner: Runner, asked: TrackRequest) -> None:
    with pytest.raises(InvalidInput):
        run(runner, replace(asked, keys=(7,), within=(0, 5)))
    assert not runner.busy


def test_a_run_that_is_dropped_gives_the_runner_back(runner: Runner, asked: TrackRequest) -> None:
    with closing(runner.run(asked, threading.Event())) as events:
        assert any(isinstance(event, FrameDone) for event in events)
    assert not runner.busy


def test_frames_are_packed(runner: Runner, asked: TrackRequest, clip: np.ndarray) -> None:
    (frame,) = of_kind(run(runner, replace(asked, within=(KEY, KEY + 1))), FrameDone)
    (mask,) = frame.masks
    assert isinstance(mask, PackedMask)
    assert mask.shape == clip.shape[1:3]
