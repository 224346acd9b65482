"""A question of the conversation, from what was typed to what is sent along with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from napari_sa2va.annotation.conversation import carried, current_part
from napari_sa2va.annotation.mentions import mentions
from napari_sa2va.engine import ChatRequest, Exchange, Question, ask_question
from napari_sa2va.engine.region_questions import region_question
from napari_sa2va.errors import InvalidInput
from napari_sa2va.viewer import PlaneSnapshot
from napari_sa2va.viewer.regions import region_snapshot
from napari_sa2va.widgets.chat_turns import ABOUT
from napari_sa2va.widgets.marking import plane_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_sa2va.annotation import Conversation, Turn
    from napari_sa2va.annotation.packed import PackedMask
    from napari_sa2va.viewer import Placement, StackSnapshot
    from napari_sa2va.viewer.regions import RegionSnapshot
    from napari_sa2va.widgets.asked import Asked

_REGION: Final = re.compile(r"\bregion(\d+)\b", re.IGNORECASE)
_MOST_NAMED: Final = 4
REGIONS_GONE: Final = (
    "The regions that earlier questions pointed out are not in view any more, so the question was "
    "asked on its own."
)
OTHER_REGIONS: Final = (
    "The model keeps the regions of a conversation's first question in view; this one names "
    "others, so it was asked on its own."
)


@dataclass(slots=True, eq=False)
class ChatRun:
    """What goes with one question.

    Attributes
    ----------
    pairs : list of (Turn, Turn)
        Questions and answers that it is asked along with.
    about : str
        What is looked at.
    looked_at : tuple of int
        Frames of what was taken down.
    kept : RegionSnapshot or None
        Where the regions of earlier questions are found.
    begins : bool
        Whether a new conversation begins with it.
    regions : tuple of int
        The labels that it points out, in the order in which they are counted; once it is made.
    note : str
        What the user should know of what is not sent along.
    """

    pairs: list[tuple[Turn, Turn]]
    about: str
    looked_at: tuple[int, ...] = (0,)
    kept: RegionSnapshot | None = None
    begins: bool = False
    regions: tuple[int, ...] = ()
    note: str = ""

    def request(
        self, asked: Asked, frames: Any, regions: RegionSnapshot | None
    ) -> tuple[ChatRequest, tuple[Question, ...]]:
        """Make the request, in the worker thread.

        Parameters
        ----------
        asked : Asked
        frames : FrameSource
            What was taken down.
        regions : RegionSnapshot or None
            What the question points out.

        Raises
        ------
        InvalidInput
            If nothing can be asked, or a region is not there.
        """
        if regions is None:
            (question,) = ask_question(asked.text)
            masks = self._masks_before()
        else:
            question, masks = self._pointing(asked.text, regions)
        before = tuple(Exchange(first.raw, second.raw) for first, second in self.pairs)
        request = ChatRequest(
            asked.model, frames, self.looked_at, question.text, before, tuple(masks)
        )
        return request, (question,)

    @property
    def _labels_before(self) -> tuple[int, ...]:
        """The labels that stay in view: those of the first question that pointed any out."""
        return next((question.regions for question, _ in self.pairs if question.regions), ())

    def _masks_before(self) -> Sequence[PackedMask]:
        """Return the regions of earlier questions; without them these are left out."""
        labels = self._labels_before
        if not labels:
            return ()
        there: Mapping[int, PackedMask] = {} if self.kept is None else self.kept.masks(every=True)
        if not all(label in there for label in labels):
            self.pairs, self.note = [], REGIONS_GONE
            return ()
        return [there[label] for label in labels]

    def _pointing(
        self, text: str, regions: RegionSnapshot
    ) -> tuple[Question, Sequence[PackedMask]]:
        """Make a question that points regions out, counted as in the question before it."""
        masks = regions.masks(every=mentions(text))
        (question,) = region_question(text, masks)
        by_mask = {id(mask): label for label, mask in masks.items()}
        own = tuple(by_mask[id(mask)] for mask in question.regions)
        self.regions = own
        known = self._labels_before
        if not known:
            return question, question.regions
        if not set(own) <= set(known):
            self.pairs, self.note = [], OTHER_REGIONS
            return question, question.regions
        there = self._masks_before()
        if not there:
            return question, question.regions
        self.regions = known

        def as_before(match: re.Match[str]) -> str:
            return f"region{known.index(own[int(match[1]) - 1]) + 1}"

        renamed = _REGION.sub(as_before, question.text) if mentions(text) else question.text
        return Question(renamed, None, tuple(there), question.label), there


def chat_run(
    viewer: Any,
    asked: Asked,
    place: PlaneSnapshot | StackSnapshot,
    conversation: Conversation,
    *,
    begins: bool,
) -> ChatRun:
    """Find what a question is asked along with; in the GUI thread.

    Parameters
    ----------
    viewer : napari.Viewer
    asked : Asked
    place : PlaneSnapshot or StackSnapshot
        What is looked at: planes of a stack for a movie.
    conversation : Conversation
    begins : bool
        Whether a new one begins with it.
    """
    looked_at = frames_looked_at(asked, place)
    about = about_what(asked, place, looked_at)
    order, turns = _before(asked, conversation), conversation.turns
    pairs = [] if begins else carried(turns, order, about)
    run = ChatRun(pairs, about, looked_at, begins=begins)
    if not begins and not pairs:
        elsewhere = _about_before(turns, order)
        if elsewhere and elsewhere != about:
            run.note = (
                "Asked on its own: what was said before was about "
                f"{elsewhere.replace(ABOUT, ', ')}."
            )
    if run._labels_before and asked.regions is not None:
        try:
            run.kept = region_snapshot(viewer, asked.regions, _placement(place, looked_at))
        except InvalidInput:  # said with the answer: the regions are gone
            run.kept = None
    return run


def sent_along(
    asked: Asked, place: PlaneSnapshot | StackSnapshot, conversation: Conversation
) -> list[tuple[Turn, Turn]]:
    """Return what a question would be asked along with now, whatever its text will be.

    Parameters
    ----------
    asked, place, conversation
        As of `chat_run`.
    """
    about = about_what(asked, place, frames_looked_at(asked, place))
    run = ChatRun(carried(conversation.turns, _before(asked, conversation), about), about)
    gone = run._labels_before and asked.regions is None
    return [] if gone else run.pairs


def _before(asked: Asked, conversation: Conversation) -> list[int]:
    """Return the turns about the images, as far as they come before what is asked."""
    order = conversation.about_images(frozenset(layer.unique_id for layer in asked.images))
    return order if asked.instead_of is None else [at for at in order if at < asked.instead_of]


def frames_looked_at(asked: Asked, place: PlaneSnapshot | StackSnapshot) -> tuple[int, ...]:
    """Return which frames of what was taken down the model looks at, spread over a movie."""
    if isinstance(place, PlaneSnapshot):
        return (0,)
    total = len(place.frames)
    count = min(max(asked.frames, 2), total)
    return tuple(round(at * (total - 1) / (count - 1)) for at in range(count))


def about_what(
    asked: Asked, place: PlaneSnapshot | StackSnapshot, looked_at: tuple[int, ...]
) -> str:
    """Say what is looked at, for people; what was said of the same goes with the next question."""
    names = ", ".join(layer.name for layer in asked.images).replace(ABOUT, " ")
    placement = _placement(place, looked_at)
    parts = []
    if not isinstance(place, PlaneSnapshot):
        shown = [str(at) for at in looked_at]
        if len(shown) > _MOST_NAMED:
            shown = [*shown[: _MOST_NAMED - 1], "…", shown[-1]]
        parts.append(f"{place.axis.name} {', '.join(shown)}")
    elif any(at is not None for at in placement.index):
        parts.append(plane_name(placement))
    region = placement.region
    if region.shape != placement.plane_shape:
        parts.append(f"part {region.top}:{region.bottom}, {region.left}:{region.right}")
    return ABOUT.join([names, ", ".join(parts)]) if parts else names


def placement_of(asked_run: ChatRun, place: PlaneSnapshot | StackSnapshot) -> Placement:
    """Return where the masks of an answer go: the plane, or the first that was looked at."""
    return _placement(place, asked_run.looked_at)


def _placement(place: PlaneSnapshot | StackSnapshot, looked_at: tuple[int, ...]) -> Placement:
    return (
        place.placement
        if isinstance(place, PlaneSnapshot)
        else place.placement(looked_at[0] if looked_at else 0)
    )


def _about_before(turns: Sequence[Turn], order: Sequence[int]) -> str:
    """Return what the newest question of the conversation was about."""
    part = [turns[at] for at in current_part(turns, order) if turns[at].speaker == "you"]
    return part[-1].about if part else ""
