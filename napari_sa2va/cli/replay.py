"""``napari-sa2va replay``: the requests of a session, asked again, and what comes out otherwise."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sa2va.annotation.conversation import name_objects
from napari_sa2va.annotation.session import SessionDamaged, load, read_entries
from napari_sa2va.annotation.session.arrays import MemoryLabels
from napari_sa2va.annotation.session.state import BEGUN, SAME_AS, replaced_by
from napari_sa2va.cli.exit_codes import ExitCode
from napari_sa2va.cli.replay_image import arrays_for, open_replayed
from napari_sa2va.engine import (
    ChatRequest,
    FrameDone,
    MaskFound,
    QuestionDone,
    RunDone,
    shared_runner,
)
from napari_sa2va.engine.events import RefineDone
from napari_sa2va.engine.provenance import request_from
from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames import ArrayFrames

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sa2va.annotation.session import SessionState
    from napari_sa2va.annotation.session.log import LogEntry
    from napari_sa2va.cli.display import Display
    from napari_sa2va.engine.events import Event
    from napari_sa2va.io.export.image_files import Opened

_SAME: Final = 0.999
"""IoU from which on two masks count as the same: other processors round otherwise."""
# Kinds of entries whose labels are what a request found, as opposed to told or edited.
_FOUND: Final = frozenset({"run", "track", "frames", "found", "refine", "follow"})
_NAMED: Final = re.compile(r"■ (?:\d+ to \d+ \(\d+\)|\d+(?:, \d+)*)|\(nothing new\)")
_LOOKED: Final = re.compile(r" \(Looked at: [^)]*\)\.?$")


@dataclass(slots=True, eq=False)
class Recorded:
    """A request of the session.

    Attributes
    ----------
    n, last : int
        Numbers of the first and the last entry about it.
    text : str
        For people.
    detail : mapping
        As of `request_detail`.
    answers : list of (str, str)
        Questions and answers, as in the conversation.
    labels : set of int
        What it found.
    """

    n: int
    last: int
    text: str
    detail: Mapping[str, Any]
    answers: list[tuple[str, str]] = field(default_factory=list)
    labels: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Compared:
    """How one request came out.

    Attributes
    ----------
    n : int
        Number of its first entry in the log.
    text : str
        For people.
    ious : dict
        By label: overlap of the mask in the session and the new one, 0 to 1.
    new : int
        Masks that have no object in the session.
    answers : tuple of (str, str, str)
        Question, answer in the session, and answer now, where those differ.
    error : str
        Why it could not be asked.
    """

    n: int
    text: str
    ious: dict[int, float] = field(default_factory=dict)
    new: int = 0
    answers: tuple[tuple[str, str, str], ...] = ()
    error: str = ""

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return (
            not self.error
            and not self.new
            and not self.answers
            and all(iou >= _SAME for iou in self.ious.values())
        )


def replay(
    session: Path,
    image: Path | None,
    changed: Mapping[str, str],
    display: Display,
    cancelled: threading.Event,
) -> list[Compared]:
    """Ask all requests of a session again.

    Parameters
    ----------
    session : Path
        Its folder.
    image : Path, optional
        The image, or another one; the session's own if left out.
    changed : mapping
        What of the session's `ModelChoice` is to be another; empty for nothing.
    display : Display
        Shows progress.
    cancelled : threading.Event
        Ends it.

    Raises
    ------
    Sa2VAError
        The session or the image cannot be read, or there is nothing to be asked again.
    """
    try:
        state = load(session)
    except SessionDamaged as error:
        if error.saved is None:
            raise InvalidInput(str(error)) from error
        display.warn(str(error))
        state = error.saved
    try:
        recorded = _recorded(read_entries(session))
    except OSError as error:
        raise InvalidInput(f"{session} cannot be read: {error}.") from error
    if not recorded:
        raise InvalidInput(f"{session.name} holds no request of a model: nothing to ask again.")
    opened = open_replayed(state, image)
    return list(_compared(state, recorded, opened, changed, display, cancelled))


def code_of_replay(compared: Sequence[Compared], *, cancelled: bool) -> ExitCode:
    """Return the exit code: OK where all is the same, else NOT_FOUND, or FAILED for an error."""
    if cancelled:
        return ExitCode.CANCELLED
    if any(one.error for one in compared):
        return ExitCode.FAILED
    return ExitCode.OK if all(one.same for one in compared) else ExitCode.NOT_FOUND


def _recorded(entries: Iterable[LogEntry]) -> list[Recorded]:
    """Collect the requests of a log, each with all that came of it."""
    found: dict[int, Recorded] = {}
    for entry in entries:
        n = int(entry.detail.get(SAME_AS, entry.n))
        if "request" in entry.detail:
            found[n] = Recorded(n, n, entry.text, entry.detail)
        one = found.get(n)
        if one is None:
            continue
        if "answer" in entry.detail:
            one.answers.append((entry.text, str(entry.detail["answer"])))
        if entry.kind in _FOUND:
            one.labels.update(entry.labels)
            one.last = entry.n
    return list(found.values())


def _compared(
    state: SessionState,
    recorded: Sequence[Recorded],
    opened: Opened,
    changed: Mapping[str, str],
    display: Display,
    cancelled: threading.Event,
) -> Iterator[Compared]:
    """Follow the log; ask each request again where the labels are as it left them."""
    due: dict[int, list[Recorded]] = defaultdict(list)
    for one in recorded:
        due[one.last].append(one)
    labels = MemoryLabels(np.zeros(()))
    for entry in read_entries(state.path):
        if entry.kind == BEGUN:
            info = entry.detail["labels"]
            labels = MemoryLabels(np.zeros(tuple(info["shape"]), info["dtype"]))
        replaced = replaced_by(entry)
        if replaced is not None:
            labels = MemoryLabels(np.zeros(replaced.shape, replaced.dtype))
        for patch in entry.patches():
            labels.write(patch)
        for one in due.pop(entry.n, ()):
            if cancelled.is_set():
                return
            display.image(one.text)
            try:
                yield _ask_again(one, labels.array, opened, changed, display, cancelled)
            except InvalidInput as error:
                yield Compared(one.n, one.text, error=str(error))


def _ask_again(
    one: Recorded,
    labels: NDArray[Any],
    opened: Opened,
    changed: Mapping[str, str],
    display: Display,
    cancelled: threading.Event,
) -> Compared:
    request = request_from(one.detail, arrays_for(one.detail, opened), changed)
    frames = request.frames
    assert isinstance(frames, ArrayFrames)  # made of arrays
    # A question about a movie gives masks of the first frame that was looked at.
    shown = request.looked_at[:1] if isinstance(request, ChatRequest) else ()
    overlap = Overlap(one.labels)
    texts: list[str] = []
    for event in shared_runner().run(request, cancelled):
        display.event(event)
        if isinstance(event, QuestionDone):
            texts.append(name_objects(event.answer, None))
        if isinstance(event, RunDone) and event.cancelled:
            raise InvalidInput("It was cancelled.")
        for frame, masks, first in _masks(event, len(overlap.masks), *shown):
            overlap.add(_on_frame(labels, frames, frame), masks, first)
    differing = tuple(
        (question, before, now)
        for (question, before), now in zip(one.answers, texts, strict=False)
        if plain(before) != plain(now)
    )
    ious, new = overlap.ious()
    return Compared(one.n, one.text, ious, new, differing)


def _masks(
    event: Event, found: int, shown: int = 0
) -> Iterator[tuple[int, Sequence[NDArray[np.bool_]], int]]:
    """Yield frame, masks, and which mask of the run the first of them is."""
    if isinstance(event, MaskFound | RefineDone):
        yield shown, [event.mask], found
    elif isinstance(event, FrameDone):
        yield event.index, [mask.unpack() for mask in event.masks], 0


class Overlap:
    """Adds up what masks of a run and labels of a session have in common, frame by frame.

    Parameters
    ----------
    labels : set of int
        What the run found in the session. Pixels of other labels do not count: the overlap rule
        may have kept the run's masks out of them.
    """

    def __init__(self, labels: set[int]) -> None:
        self._labels = sorted(labels)
        self.masks: dict[int, int] = defaultdict(int)
        self._sizes: dict[int, int] = defaultdict(int)
        self._common: dict[tuple[int, int], int] = defaultdict(int)

    def add(self, frame: NDArray[Any], masks: Sequence[NDArray[np.bool_]], first: int) -> None:
        """Compare the masks of one frame with the labels there; `first` numbers the masks."""
        own = np.where(np.isin(frame, self._labels), frame, 0)
        if first == 0:  # an image has one frame, whose masks come one by one
            for label in self._labels:
                self._sizes[label] += int(np.count_nonzero(own == label))
        for number, mask in enumerate(masks, start=first):
            labels, counts = np.unique(own[mask], return_counts=True)
            self.masks[number] += int(np.count_nonzero(mask & (own == frame)))
            for label, count in zip(labels.tolist(), counts.tolist(), strict=True):
                self._common[number, label] += count

    def ious(self) -> tuple[dict[int, float], int]:
        """Return the overlap by label, and how many masks have no label.

        A mask that was split has several labels: each goes to the mask that it shares most with.
        """
        owner: dict[int, int] = {}
        for label in self._labels:
            shared = {number: self._common[number, label] for number in self.masks}
            best = max(shared, key=lambda number: shared[number], default=None)
            if best is not None and shared[best]:
                owner[label] = best
        ious = dict.fromkeys(self._labels, 0.0)
        for number in set(owner.values()):
            parts = [label for label, mask in owner.items() if mask == number]
            common = sum(self._common[number, label] for label in parts)
            # Pixels of the run's other objects are not missed: which of two had them is a rule.
            others = sum(
                count
                for (mask, label), count in self._common.items()
                if mask == number and label and label not in parts
            )
            size = sum(self._sizes[label] for label in parts)
            union = size + self.masks[number] - others - common
            ious |= dict.fromkeys(parts, common / union if union else 1.0)
        nonempty = [number for number, pixels in self.masks.items() if pixels]
        return ious, len(set(nonempty) - set(owner.values()))


def _on_frame(labels: NDArray[Any], frames: ArrayFrames, index: int) -> NDArray[Any]:
    """Return the labels where a frame is, turned and sized like it."""
    assert frames.region is not None  # set by ArrayFrames
    grid = frames.arrays[0].shape[: labels.ndim]
    plane = frames.planes[index]
    # Labels may lie on another level of a pyramid than what was looked at.
    where: list[Any] = []
    sides = iter(frames.region.slices)
    for at, length, own in zip(plane, grid, labels.shape, strict=True):
        if at is not None:
            where.append(min(at * own // length, own - 1))
        else:
            side = next(sides)
            centres = (np.arange(side.start, side.stop) + 0.5) * (own / length)
            where.append(np.minimum(centres.astype(np.intp), own - 1))
    rows, columns = (one for one in where if not isinstance(one, int))
    fixed = tuple(slice(None) if not isinstance(one, int) else one for one in where)
    return np.asarray(frames.orientation.to_screen(labels[fixed][np.ix_(rows, columns)]))


def plain(answer: str) -> str:
    """Return an answer without the numbers of labels, which are others in every session."""
    return _NAMED.sub("■", _LOOKED.sub("", answer)).strip()
