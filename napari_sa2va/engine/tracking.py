"""Expressions, or masks, followed through a stack by a loaded model, as events."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sa2va.annotation.packed import PackedMask
from napari_sa2va.engine.events import (
    FrameDone,
    Looking,
    QuestionDone,
    QuestionStarted,
    TextChunk,
    TrackedObject,
    TrackSaved,
    TrackStarted,
)
from napari_sa2va.engine.phrases import name_of
from napari_sa2va.engine.request import MaskTrackRequest, TrackRequest
from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames import read_frame
from napari_sa2va.model.results import Found, TextPart

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from napari_sa2va.engine.events import Event
    from napari_sa2va.engine.request import Question
    from napari_sa2va.frames.source import FrameSource
    from napari_sa2va.model import Sa2VA, TrackedFrame
    from napari_sa2va.model.track_runs import Tracking
    from napari_sa2va.model.track_state import TrackState

# A run that is killed loses at most this much.
_SAVE_FRAMES: Final = 25
_SAVE_SECONDS: Final = 10.0


def track(model: Sa2VA, request: TrackRequest, cancelled: threading.Event) -> Iterator[Event]:
    """Yield the events of a tracking, from `Looking` to the last `TrackSaved`.

    Raises
    ------
    Cancelled
        If `cancelled` was set meanwhile.
    UnreadablePlane
        If a plane cannot be read; those before it were yielded.
    """
    if request.method != "official":
        use_decoder(model, request.sam2_file)
    yield Looking()
    yield from _followed(_begin(model, _Readable(request.frames), request, cancelled), request)


def follow_masks(
    model: Sa2VA, request: MaskTrackRequest, cancelled: threading.Event
) -> Iterator[Event]:
    """Yield the events of a tracking from masks, from `Looking` to the last `TrackSaved`.

    Raises
    ------
    InvalidInput
        If the masks do not fit the frames, the names, or each other.
    Cancelled
        If `cancelled` was set meanwhile.
    UnreadablePlane
        If a plane cannot be read; those before it were yielded.
    """
    _check_masks(request)
    use_decoder(model, request.sam2_file)
    yield Looking()
    frames = _Readable(request.frames)
    if request.resume is not None:
        tracking: Tracking[Any] = model.resume(
            frames,
            request.resume,
            direction=request.direction,
            within=request.within,
            cancelled=cancelled,
        )
    else:
        seeds = {
            index: np.stack([mask.unpack() for mask in masks])
            for index, masks in request.masks.items()
        }
        tracking = model.track_masks(
            frames, seeds, request.direction, request.within, cancelled=cancelled
        )
    yield from _followed(tracking, request)


def _check_masks(request: MaskTrackRequest) -> None:
    """Refuse masks that no object could be followed from."""
    count = len(request.phrases)
    if not count or not request.masks:
        raise InvalidInput("There is no mask to follow. Paint the object, or choose its label.")
    if any(len(masks) != count for masks in request.masks.values()):
        raise InvalidInput("Every frame must have a mask for each object, in the same order.")
    size = tuple(request.frames.shape)
    if any(mask.shape != size for masks in request.masks.values() for mask in masks):
        raise InvalidInput(
            f"The masks to follow must be of the frames' size, {size[0]} by {size[1]} pixels."
        )
    for number in range(count):
        if not any(masks[number].area for masks in request.masks.values()):
            name = request.phrases[number] or f"object {number + 1}"
            raise InvalidInput(f"The mask of {name} is empty. Paint the object where it is seen.")


def use_decoder(model: Sa2VA, file: str) -> None:
    """Have SAM2's original mask decoder from this file, unless the checkpoint has it itself.

    Without a file, one that an earlier request brought along goes: nobody asked for it now.
    """
    if not file:
        model.drop_tracking_decoder()
    elif not has_own_decoder(model) and model.tracking_file != Path(file):
        model.load_tracking_decoder(file)


def _followed(tracking: Tracking[Any], request: TrackRequest | MaskTrackRequest) -> Iterator[Event]:
    with closing(tracking):
        try:
            yield from _parts(tracking, request)
        except Exception:
            yield from _saved(tracking)
            raise
        yield from _saved(tracking)


def has_own_decoder(model: Sa2VA) -> bool:
    """Whether a checkpoint can track in the consistent way without a SAM 2 file."""
    return model.capabilities.consistent_tracking and model.tracking_file is None


class _Readable:
    """Frames whose errors say which plane could not be read."""

    def __init__(self, frames: FrameSource) -> None:
        self._frames = frames

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        return read_frame(self._frames, index)


def _begin(
    model: Sa2VA, frames: _Readable, request: TrackRequest, cancelled: threading.Event
) -> Tracking[Any]:
    if request.resume is not None:
        return model.resume(
            frames,
            request.resume,
            direction=request.direction,
            within=request.within,
            check_every=request.check_every,
            reseed=request.reseed,
            cancelled=cancelled,
        )
    return model.track(
        frames,
        [question.text for question in request.questions],
        keys=request.keys,
        method=request.method,
        direction=request.direction,
        within=request.within,
        check_every=request.check_every,
        reseed=request.reseed,
        cancelled=cancelled,
    )


def _saved(tracking: Tracking[Any]) -> Iterator[TrackSaved]:
    """Tell the state at a run's end, unless it ended before its first frame."""
    if tracking.state is not None and tracking.state.done:
        yield TrackSaved(tracking.state)


def _parts(tracking: Tracking[Any], request: TrackRequest | MaskTrackRequest) -> Iterator[Event]:
    """Turn what the model hands back into events; a new tracking begins with its first frame."""
    questions = request.questions if isinstance(request, TrackRequest) else ()
    given = request.masks if isinstance(request, MaskTrackRequest) else {}
    asked, saved = 0, time.monotonic()
    started = request.resume is not None
    if tracking.state is not None:
        yield _begun(tracking.state, request, len(tracking.state.done))
    elif questions:
        yield _started(0, questions)
    for part in tracking:
        if isinstance(part, TextPart):
            yield TextChunk(asked, part.text)
        elif isinstance(part, Found):
            yield _answered(asked, part)
            asked += 1
            if asked < len(questions):
                yield _started(asked, questions)
        else:
            state = tracking.state
            assert state is not None
            done = len(state.done)
            if not started:
                started = True
                yield _begun(state, request, done - 1)
            yield _frame(part, done, state.total, given.get(part.index, ()))
            due = done % _SAVE_FRAMES == 0 or time.monotonic() - saved > _SAVE_SECONDS
            if due or done == 1:  # what the language model said is worth as much as many frames
                yield TrackSaved(state)
                saved = time.monotonic()


def _started(index: int, questions: tuple[Question, ...]) -> QuestionStarted:
    return QuestionStarted(index, len(questions), questions[index].text)


def _begun(state: TrackState, request: TrackRequest | MaskTrackRequest, done: int) -> TrackStarted:
    return TrackStarted(_named(state, request), state.keys, done, state.total)


def _named(
    state: TrackState, request: TrackRequest | MaskTrackRequest
) -> tuple[TrackedObject, ...]:
    """Name the objects by the model's phrases, else by the user's expressions."""
    if isinstance(request, MaskTrackRequest):
        return tuple(TrackedObject(index, name) for index, name in enumerate(request.phrases))
    named = []
    for one in state.objects:
        index = one.question or 0
        named.append(TrackedObject(index, name_of(one.phrase, request.questions[index].phrase)))
    return tuple(named)


def _answered(index: int, found: Found) -> QuestionDone:
    spans = tuple(one.span or (0, 0) for one in found.objects)
    answer = found.answer
    return QuestionDone(
        index, answer.text, spans, len(spans), answer.unknown_words, answer.complete
    )


def _frame(
    tracked: TrackedFrame, done: int, total: int, given: Sequence[PackedMask] = ()
) -> FrameDone:
    """Tell a frame; masks that were `given` in it, where not empty, stay as they are.

    SAM2 sees a given mask at its own resolution, and hands back that one.
    """
    masks = [PackedMask.pack(mask) for mask in tracked.masks]
    for number, mask in enumerate(given):
        if mask.area:
            masks[number] = mask
    return FrameDone(
        tracked.index,
        tuple(masks),
        tuple(tracked.ious.tolist()),
        tuple(tracked.mean_probabilities.tolist()),
        tuple(tracked.present.tolist()),
        tracked.flags,
        tracked.seed,
        done,
        total,
    )
