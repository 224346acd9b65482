"""A run that is under way, from what was asked to the request that it becomes."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari_sa2va.annotation.mentions import mentions
from napari_sa2va.engine import (
    ChatRequest,
    MaskTrackRequest,
    Request,
    TrackRequest,
    ask_question,
    segment_questions,
)
from napari_sa2va.engine.provenance import request_detail
from napari_sa2va.engine.region_questions import describe_questions, region_question
from napari_sa2va.viewer import PlaneSnapshot, snapshot
from napari_sa2va.viewer.stack import stack_axes, stack_snapshot
from napari_sa2va.widgets.chat_runs import placement_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari.layers import Image

    from napari_sa2va.annotation.masks import SoftMask
    from napari_sa2va.annotation.packed import PackedMask
    from napari_sa2va.engine import Question, TrackedObject
    from napari_sa2va.model.track_state import TrackState
    from napari_sa2va.viewer.objects import LabelObjects
    from napari_sa2va.viewer.placement import Placement
    from napari_sa2va.viewer.regions import RegionSnapshot
    from napari_sa2va.viewer.run import LabelRun
    from napari_sa2va.viewer.stack import StackSnapshot
    from napari_sa2va.viewer.track_run import TrackRun
    from napari_sa2va.widgets.asked import Asked
    from napari_sa2va.widgets.chat_runs import ChatRun
    from napari_sa2va.widgets.messages import Message


@dataclass(frozen=True, slots=True, eq=False)
class Seeds:
    """Masks that are followed, in the place of questions.

    Attributes
    ----------
    masks : mapping of int to tuple of PackedMask
        By frame, one an object.
    phrases : tuple of str
        What the objects are called; ``""`` for nothing.
    into : tuple of int
        Labels of objects that are there already, and whose masks are replaced; empty for new ones.
    """

    masks: Mapping[int, tuple[PackedMask, ...]]
    phrases: tuple[str, ...]
    into: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class TurnDone:
    """A question that was answered, or masks that begin to be followed, for a log.

    Attributes
    ----------
    question, answer : str
        As in the conversation.
    labels : tuple of int
        The objects that were found; empty also while followed objects have no labels yet.
    detail : mapping
        What was asked, and of which model, fit for JSON; the same for all questions of a run.
    place : PlaneSnapshot or StackSnapshot
        What was looked at.
    images : tuple of Image
        The same as layers; others can be looked at by now.
    objects : LabelObjects or None
        Whose labels these are, or where they would go.
    """

    question: str
    answer: str
    labels: tuple[int, ...]
    detail: Mapping[str, Any]
    place: PlaneSnapshot | StackSnapshot
    images: tuple[Image, ...] = ()
    objects: LabelObjects | None = None


@dataclass(slots=True)
class ActiveRun:
    """A run that is under way.

    Attributes
    ----------
    asked : Asked
    place : PlaneSnapshot or StackSnapshot
        What is looked at: a stack where objects are followed.
    questions : tuple of Question
        Made by the worker; those of the earlier run when this one goes on with it.
    seeds : Seeds or None
        Masks to follow in the place of questions.
    regions : RegionSnapshot or None
        What the questions are about, where they are not about the image.
    detail : dict
        What was asked, and of which model, fit for JSON; made by the worker.
    cancelled : threading.Event
    handled : threading.Semaphore
        Released when an event was handled in the GUI thread.
    result : LabelRun, TrackRun or None
        What is written; None until something was found.
    labels : dict
        For each question, the labels of its masks in order.
    answers : dict
        For each question, the model's whole answer.
    notes : list of Message
        To be told when the run is over.
    overlapping : list of LabelRun or TrackRun
        This one and those before it in the same stack, as far as earlier objects kept pixels that
        they found: to be offered when all are over.
    reason : str
        Why it was cancelled.
    resumed : bool
        Whether it goes on with an earlier run.
    state : TrackState or None
        From where the tracking can go on: all frames before it are written.
    unwritten : bool
        Whether a frame could not be written: later states would leave it out for good.
    objects : tuple of TrackedObject
        Those that are followed.
    held : LabelObjects or None
        Whose rows and captions are held back until the run is over.
    asking : bool
        Whether the runner's own events have begun.
    renewed : list of SoftMask
        What was found for the object that is asked for again.
    chat : ChatRun or None
        What goes with a question of the conversation.
    active : Layer or None
        The layer that was chosen when it began.
    """

    asked: Asked
    place: PlaneSnapshot | StackSnapshot
    questions: tuple[Question, ...] = ()
    seeds: Seeds | None = None
    regions: RegionSnapshot | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    cancelled: threading.Event = field(default_factory=threading.Event)
    handled: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    result: LabelRun | TrackRun | None = None
    labels: dict[int, list[tuple[int, ...]]] = field(default_factory=dict)
    answers: dict[int, str] = field(default_factory=dict)
    notes: list[Message] = field(default_factory=list)
    overlapping: list[LabelRun | TrackRun] = field(default_factory=list)
    reason: str = ""
    resumed: bool = False
    state: TrackState | None = None
    unwritten: bool = False
    objects: tuple[TrackedObject, ...] = ()
    held: LabelObjects | None = None
    asking: bool = False
    renewed: list[SoftMask] = field(default_factory=list)
    chat: ChatRun | None = None
    active: Any = None
    worker: Any = None

    def request(self) -> Request | ChatRequest | TrackRequest | MaskTrackRequest:
        """Make the request; in the worker thread, since a first import of the model is slow.

        Raises
        ------
        InvalidInput
            If nothing can be asked, or no such planes can be looked at.
        """
        request: Request | ChatRequest | TrackRequest | MaskTrackRequest
        if self.chat is not None:
            request, self.questions = self.chat.request(self.asked, self.place.frames, self.regions)
        else:
            request = self._follow_masks() if self.seeds is not None else self._ask()
        self.detail = request_detail(request)
        return request

    @property
    def placement(self) -> Placement:
        """Where masks go that are not followed: the plane, or the first frame looked at."""
        if self.chat is not None:
            return placement_of(self.chat, self.place)
        if isinstance(self.place, PlaneSnapshot):
            return self.place.placement
        return self.place.first

    def shown(self, index: int) -> str:
        """Return a question as the user would say it."""
        question = self.questions[index]
        if self.chat is not None:
            return self.asked.text.strip()
        if self.regions is None:
            return question.phrase or question.text
        if self.asked.mode == "ask" or question.label is None:
            return self.asked.text.strip()
        own = self.asked.text.strip()
        return f"@{question.label}: {own}" if own else f"Describe @{question.label}"

    def _ask(self) -> Request | TrackRequest:
        asked, frames = self.asked, self.place.frames
        if self.regions is not None:
            return Request(asked.model, frames, self._about_regions(self.regions))
        ask = segment_questions if asked.mode == "segment" else ask_question
        questions = self.questions or ask(asked.text)
        track = asked.track
        if track is None:
            return Request(asked.model, frames, questions)
        stack: Any = self.place
        return TrackRequest(
            asked.model,
            frames,
            questions,
            None if self.resumed else track.planes_looked_at(stack.axis.current),
            track.method,
            track.direction,
            track.within,
            track.check_every,
            track.reseed,
            track.sam2_file,
            self.state,
        )

    def _about_regions(self, regions: RegionSnapshot) -> tuple[Question, ...]:
        """Ask about regions: of labels by name about any of the plane, else about those chosen."""
        text = self.asked.text
        masks = regions.masks(every=mentions(text))
        ask = describe_questions if self.asked.mode == "describe" else region_question
        return ask(text, masks)

    def _follow_masks(self) -> MaskTrackRequest:
        asked, seeds, track = self.asked, self.seeds, self.asked.track
        assert seeds is not None and track is not None
        return MaskTrackRequest(
            asked.model,
            self.place.frames,
            seeds.masks,
            seeds.phrases,
            track.direction,
            track.within,
            track.sam2_file,
            self.state,
        )


def place_of(viewer: Any, asked: Asked) -> tuple[PlaneSnapshot | StackSnapshot, Placement]:
    """Take down what is looked at, and where the plane shown lies in the labels.

    Parameters
    ----------
    viewer : napari.Viewer
    asked : Asked

    Raises
    ------
    InvalidInput
        If it cannot be looked at.
    """
    if asked.movie is not None:
        movie = stack_snapshot(viewer, asked.images, asked.movie, asked.look_at)
        return movie, movie.placement(movie.axis.current)
    if asked.track is None:
        plane = snapshot(viewer, asked.images, asked.look_at)
        return plane, plane.placement
    stack = stack_snapshot(viewer, asked.images, asked.track.axis, asked.look_at)
    asked.track.planes_looked_at(stack.axis.current)  # said now what is wrong with them
    return stack, stack.placement(stack.axis.current)


def other_stacks(viewer: Any, asked: Asked) -> list[StackSnapshot]:
    """Take down the stacks at the other indices of the other axis, if each is asked for.

    All at once, so that they are alike whatever the user does with the view meanwhile.
    """
    track = asked.track
    if track is None or not track.each:
        return []
    axes = [axis for axis in stack_axes(viewer, asked.images) if axis.axis != track.axis]
    if len(axes) != 1:
        return []
    (other,) = axes
    return [
        stack_snapshot(viewer, asked.images, track.axis, asked.look_at, at={other.axis: at})
        for at in range(other.length)
        if at != other.current
    ]
