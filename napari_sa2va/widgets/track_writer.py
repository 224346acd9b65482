"""Frames of a tracking, as they come, into a Labels layer."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from psygnal import Signal
from superqt.utils import qthrottled

from napari_sa2va.errors import Sa2VAError
from napari_sa2va.viewer.track_run import TrackRun
from napari_sa2va.widgets.active_run import ActiveRun, Seeds
from napari_sa2va.widgets.messages import Message

if TYPE_CHECKING:
    from napari_sa2va.engine import FrameDone, TrackedObject, TrackStarted
    from napari_sa2va.engine.request import Question
    from napari_sa2va.model.track_state import TrackState
    from napari_sa2va.viewer.objects import LabelObjects
    from napari_sa2va.viewer.stack import StackSnapshot
    from napari_sa2va.widgets.asked import Asked, TrackOptions

# A redraw of the canvas takes 20 to 75 ms without a graphics card.
_REDRAW_MILLISECONDS: Final = 400


@dataclass(frozen=True, slots=True, eq=False)
class PausedTrack:
    """A tracking that ended and can go on: cancelled, failed, or to be extended."""

    asked: Asked
    stack: StackSnapshot
    questions: tuple[Question, ...]
    answers: dict[int, str]
    objects: tuple[TrackedObject, ...]
    state: TrackState
    result: TrackRun
    seeds: Seeds | None = None

    def offer(self, stack_key: object, wanted: TrackOptions | None) -> str:
        """Say what going on would do for what is chosen now; empty where it would do nothing."""
        if wanted is None or stack_key != self.stack.key:
            return ""
        start, stop = wanted.within
        if not all(start <= key < stop for key in self.state.keys):
            return ""
        after = replace(self.state, within=wanted.within, direction=wanted.direction)
        if not after.left:
            return ""
        if after.total == self.state.total:
            return f"Resume: {after.left} of {after.total} planes to go"
        return f"Extend by {after.left} planes, {start} to {stop - 1}"

    def going_on(self, wanted: TrackOptions) -> ActiveRun:
        """Return the run that goes on to the range that is chosen now."""
        assert self.asked.track is not None
        track = replace(
            self.asked.track,
            within=wanted.within,
            direction=wanted.direction,
            check_every=wanted.check_every,
            reseed=wanted.reseed,
        )
        return ActiveRun(
            replace(self.asked, track=track),
            self.stack,
            self.questions,
            self.seeds,
            result=self.result,
            answers=self.answers,
            resumed=True,
            state=self.state,
            objects=self.objects,
        )


class TrackWriter:
    """Writes what trackings find, and keeps the last one so that it can go on.

    All of it runs in the GUI thread.
    """

    stage = Signal(str, object)
    """What is being done, and how far it is, 0 to 1."""

    def __init__(self) -> None:
        self.paused: PausedTrack | None = None
        self._seconds: dict[str, float] = {}  # for a frame, by the model's name
        self._run: ActiveRun | None = None
        self._began = 0.0
        self._frames = 0

    def start(self, run: ActiveRun, event: TrackStarted, objects: LabelObjects) -> None:
        """Begin to write the objects of a run, or go on with them."""
        asked, result = run.asked, run.result
        if not isinstance(result, TrackRun):
            stack: Any = run.place
            result = TrackRun(
                objects,
                stack,
                replace=asked.replace,
                model=asked.model.name,
                into=run.seeds.into if run.seeds is not None else (),
            )
        answers = [(one.phrase, run.answers.get(one.question, "")) for one in event.objects]
        labels = result.begin(answers)
        for one, label in zip(event.objects, labels, strict=True):
            run.labels.setdefault(one.question, []).append((label,))
        self._run, self._began, self._frames = run, time.monotonic(), 0
        run.objects, run.result = event.objects, result

    def add(self, run: ActiveRun, event: FrameDone) -> None:
        """Write a frame; what cannot be written ends the run and keeps what there is."""
        assert isinstance(run.result, TrackRun)
        self._frames += 1
        try:
            run.result.add(
                event.index, event.masks, event.ious, event.scores, event.present, event.flags
            )
        except Sa2VAError as error:
            run.unwritten = True
            if not run.cancelled.is_set():
                run.notes.append(Message(str(error), "error"))
                run.cancelled.set()
            return
        if self._frames > 1:
            passed = time.monotonic() - self._began
            self._seconds[run.asked.model.name] = passed / (self._frames - 1)
        self._tell(event.done, event.total)
        self._redraw_soon()

    def saved(self, run: ActiveRun, state: TrackState) -> None:
        """Remember from where the run can go on, and have the log keep what is there so far."""
        run.state = state
        if isinstance(run.result, TrackRun):
            run.result.found_so_far()

    def end(self, run: ActiveRun) -> None:
        """Make what was written one undo step, and remember how to go on."""
        self._run = None
        if not isinstance(run.result, TrackRun):
            return
        for step in (run.result.refresh, partial(run.result.commit, run.detail)):
            try:
                step()
            except Sa2VAError as error:
                run.notes.append(Message(str(error), "error"))
        if self.paused is not None and self.paused.result is not run.result:
            _close(self.paused.result)
        if run.state is None:
            self.paused = None
            _close(run.result)
        else:
            stack: Any = run.place
            self.paused = PausedTrack(
                run.asked,
                stack,
                run.questions,
                run.answers,
                run.objects,
                run.state,
                run.result,
                run.seeds,
            )

    def stop(self) -> None:
        """Tell and draw nothing more: the layer is gone, or the window."""
        self._run = None

    def forget(self, objects: LabelObjects) -> None:
        """Drop what was kept for going on: its layer is gone."""
        if self.paused is not None and self.paused.result.objects is objects:
            self.paused.result.close()
            self.paused = None

    def time_for(self, model: str) -> float | None:
        """Return the seconds that the model's last tracking took for a plane, None before it."""
        return self._seconds.get(model)

    def _tell(self, done: int, total: int) -> None:
        each = (time.monotonic() - self._began) / max(self._frames - 1, 1)
        left = f" · {duration((total - done) * each)} left" if self._frames > 2 else ""
        self._stage_soon(f"{done} of {total} planes{left}", done / total)

    @qthrottled(timeout=200)
    def _stage_soon(self, text: str, fraction: float) -> None:
        if self._run is not None:
            self.stage.emit(text, fraction)

    @qthrottled(timeout=_REDRAW_MILLISECONDS)
    def _redraw_soon(self) -> None:
        if self._run is not None and isinstance(self._run.result, TrackRun):
            self._run.result.refresh()


def _close(result: TrackRun) -> None:
    """Let a run know no more of what is painted, unless it may be told yet to overwrite."""
    if not result.overlapped:
        result.close()


def duration(seconds: float) -> str:
    """Write a time as one would say it.

    Examples
    --------
    >>> duration(8.4), duration(95), duration(4000)
    ('8 s', '1.6 min', '1.1 h')
    """
    if seconds < 60:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
