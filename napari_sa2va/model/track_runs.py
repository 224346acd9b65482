"""Tracking runs from their first question or mask to their last frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

import torch

from napari_sa2va.errors import InvalidInput
from napari_sa2va.model import prompts
from napari_sa2va.model.asking_again import asked_again
from napari_sa2va.model.checks import (
    check_checks,
    check_keys,
    check_masks,
    check_question,
    checked_range,
    read_frame,
)
from napari_sa2va.model.failures import stop_if
from napari_sa2va.model.following import Follower
from napari_sa2va.model.key_planes import default_keys
from napari_sa2va.model.results import FollowedObject, Found, FoundObject
from napari_sa2va.model.speech import Speech
from napari_sa2va.model.track_state import TrackState
from napari_sa2va.model.tracking import Tracker
from napari_sa2va.model.tracking_decoder import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sa2va.model.asking import Asker
    from napari_sa2va.model.checks import Frames
    from napari_sa2va.model.memory import Remembered
    from napari_sa2va.model.network import Sa2VANetwork
    from napari_sa2va.model.outcome import Outcome
    from napari_sa2va.model.results import TrackedFrame, VideoPart
    from napari_sa2va.model.sam2_network import FrameFeatures
    from napari_sa2va.model.track_state import Direction, Method
    from napari_sa2va.model.tracking import AskAgain, Condition

    Stop = Callable[[], bool] | None
    Keep = Callable[[TrackState], object]

T_co = TypeVar("T_co", covariant=True)


class Tracking(Generic[T_co]):
    """A run: iterate over it, stop when you like, and go on later from its `state`.

    Parameters
    ----------
    start : callable
        Gets what to call with every new state, and returns the parts of the run.
    state : TrackState, optional
        That it goes on from.
    """

    def __init__(
        self, start: Callable[[Keep], Iterator[T_co]], state: TrackState | None = None
    ) -> None:
        self._state = state
        self._parts = start(self._keep)

    def __iter__(self) -> Tracking[T_co]:
        return self

    def __next__(self) -> T_co:
        return next(self._parts)

    def close(self) -> None:
        """End the run; its state stays."""
        close = getattr(self._parts, "close", None)
        if close is not None:
            close()

    @property
    def state(self) -> TrackState | None:
        """What the run knows after the last part that it yielded; None before the first seed."""
        return self._state

    def _keep(self, state: TrackState) -> None:
        self._state = state


@dataclass(frozen=True, slots=True)
class Course:
    """How objects are to be followed; see `Sa2VA.track`."""

    direction: Direction
    within: tuple[int, int] | None
    method: Method | None = None
    keys: Sequence[int] | None = None
    check_every: int = 0
    reseed: bool = False
    max_new_tokens: int = 0


def language_run(
    asker: Asker, frames: Frames, texts: Sequence[str], course: Course, cancelled: Stop, keep: Keep
) -> Iterator[VideoPart]:
    """Ask questions about a video and follow all that they point out; see `Sa2VA.track`."""
    if not texts:
        raise InvalidInput("There is no question. Type what to look for.")
    for text in texts:
        check_question(None, text, None)
    check_checks(course.check_every, texts)
    method = chosen_method(asker.network, course.method)
    within = checked_range(frames, course.within)
    keys = tuple(sorted({int(key) for key in course.keys})) if course.keys is not None else None
    keys = default_keys(within, method) if keys is None else keys
    check_keys(within, keys)
    course = replace(course, method=method, within=within, keys=keys)
    language, objects = yield from _answers(asker, frames, texts, course, cancelled)
    if not objects:
        return
    follower = Follower(asker.network.sam2, consistent=method == "consistent")

    def by(
        index: int, size: tuple[int, int], features: FrameFeatures, rows: Sequence[int]
    ) -> tuple[Outcome, Remembered]:
        return follower.condition_on_language(features, language[list(rows)], size)

    tracker = Tracker(asker.network, frames, follower, cancelled)
    state = _started(tracker, asker.network, course, by, objects, texts)
    yield from _walk(tracker, state, keep, asked_again(asker, state, cancelled))


def masks_run(
    network: Sa2VANetwork,
    frames: Frames,
    masks: Mapping[int, NDArray[np.bool_]],
    course: Course,
    cancelled: Stop,
    keep: Keep,
) -> Iterator[TrackedFrame]:
    """Follow objects from masks of them; see `Sa2VA.track_masks`."""
    within, keys = checked_range(frames, course.within), tuple(sorted(masks))
    check_keys(within, keys)
    check_masks(frames, masks)
    course = replace(course, method="consistent", within=within, keys=keys)
    objects = (FollowedObject(),) * len(masks[keys[0]])
    follower = Follower(network.sam2, consistent=True)

    def by(
        index: int, size: tuple[int, int], features: FrameFeatures, rows: Sequence[int]
    ) -> tuple[Outcome, Remembered]:
        return follower.condition_on_masks(features, torch.from_numpy(masks[index][list(rows)]))

    tracker = Tracker(network, frames, follower, cancelled)
    state = _started(tracker, network, course, by, objects, ())
    yield from _walk(tracker, state, keep, None)


def resumed_run(
    asker: Asker, frames: Frames, state: TrackState, cancelled: Stop, keep: Keep
) -> Iterator[TrackedFrame]:
    """Go on from a state, which `continued` made fit; see `Sa2VA.resume`."""
    network = asker.network
    consistent = state.method == "consistent"
    if state.model != fingerprint(network, consistent=consistent):
        raise InvalidInput(
            "This run was tracked with another checkpoint, or with another tracking decoder. Load "
            "those, or track anew."
        )
    follower = Follower(network.sam2, consistent=consistent)
    tracker = Tracker(network, frames, follower, cancelled)
    state = state.changed(lambda tensor: tensor.to(network.sam2.device))
    yield from _walk(tracker, state, keep, asked_again(asker, state, cancelled))


def continued(
    frames: Frames,
    state: TrackState,
    direction: Direction | None,
    within: tuple[int, int] | None,
    check_every: int | None,
    reseed: bool | None,
) -> TrackState:
    """Return a state with what is to change in it, None for what is not.

    Raises
    ------
    InvalidInput
        If the range is not in the stack or leaves out what the run started from.
    """
    start, stop = checked_range(frames, state.within if within is None else within)
    if not all(start <= key < stop for key in state.keys):
        raise InvalidInput(
            f"The range must hold the frames that the run started from, {min(state.keys)} to "
            f"{max(state.keys)}."
        )
    changed = replace(
        state,
        within=(start, stop),
        direction=state.direction if direction is None else direction,
        check_every=state.check_every if check_every is None else check_every,
        reseed=state.reseed if reseed is None else reseed,
    )
    check_checks(changed.check_every, changed.texts)
    return changed


def chosen_method(network: Sa2VANetwork, method: Method | None) -> Method:
    """Return the way to track: the consistent one by default, where the checkpoint allows it.

    Raises
    ------
    InvalidInput
        If the consistent way is asked for and the checkpoint lacks SAM2's original decoder.
    """
    possible = network.sam2.tracking_decoder is not None
    if method == "consistent" and not possible:
        raise InvalidInput(
            "This checkpoint lacks SAM2's original mask decoder, which consistent tracking needs. "
            "Choose official tracking, a Sa2VA-i checkpoint, or a file of SAM 2.0 hiera-large."
        )
    return method or ("consistent" if possible else "official")


def _answers(
    asker: Asker, frames: Frames, texts: Sequence[str], course: Course, cancelled: Stop
) -> Generator[VideoPart, None, tuple[Tensor, tuple[FollowedObject, ...]]]:
    """Yield the answers; return embeddings (n, d_model) of the objects, and the objects."""
    assert course.keys is not None
    keys = tuple(course.keys)
    stop_if(cancelled)
    pixels = [read_frame(frames, keys[0])]
    pixels += [read_frame(frames, index, pixels[0].shape[:2]) for index in keys[1:]]
    seen = asker.looking.frames(pixels, cancelled)
    del pixels
    languages: list[Tensor] = []
    objects: list[FollowedObject] = []
    for number, text in enumerate(texts):
        question = prompts.first_question(text)
        speech = Speech(*asker, seen, question, (), cancelled, course.max_new_tokens)
        yield from speech.parts()
        named = [phrase if phrase is not None else (None, None) for phrase in speech.phrases()]
        yield Found(speech.answer(), tuple(FoundObject(*name) for name in named), keys)
        if speech.objects:
            languages.append(speech.language())
            objects += [FollowedObject(number, phrase) for phrase, _ in named]
    return torch.cat(languages) if languages else torch.empty(0), tuple(objects)


def _started(
    tracker: Tracker,
    network: Sa2VANetwork,
    course: Course,
    by: Condition,
    objects: tuple[FollowedObject, ...],
    texts: Sequence[str],
) -> TrackState:
    """Condition on the keys."""
    assert course.method is not None and course.within is not None and course.keys is not None
    keys = tuple(course.keys)
    size, seeds, forward, backward = tracker.condition(keys, len(objects), course.direction, by)
    return TrackState(
        model=fingerprint(network, consistent=course.method == "consistent"),
        method=course.method,
        direction=course.direction,
        within=course.within,
        size=size,
        keys=keys,
        texts=tuple(texts),
        objects=objects,
        check_every=course.check_every,
        reseed=course.reseed,
        max_new_tokens=course.max_new_tokens,
        seeds=seeds,
        forward=forward,
        backward=backward,
    )


def _walk(
    tracker: Tracker, state: TrackState, keep: Keep, ask_again: AskAgain | None
) -> Iterator[TrackedFrame]:
    keep(state)
    for frame, after in tracker.run(state, ask_again):
        keep(after)
        yield frame
