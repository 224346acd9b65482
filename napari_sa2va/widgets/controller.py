"""From a click on Run to labels: one run at a time, and clean ends."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from napari.qt.threading import create_worker
from psygnal import Signal
from superqt.utils import qthrottled

from napari_sa2va.engine import (
    FrameDone,
    Looking,
    ModelLoading,
    ModelReady,
    QuestionDone,
    QuestionStarted,
    RunDone,
    TextChunk,
    TrackSaved,
    TrackStarted,
)
from napari_sa2va.engine.provenance import with_model
from napari_sa2va.errors import Sa2VAError
from napari_sa2va.viewer.history import NoUndo
from napari_sa2va.viewer.run import LabelRun
from napari_sa2va.viewer.stack import StackSnapshot
from napari_sa2va.viewer.store import LayerLost
from napari_sa2va.widgets.active_run import (
    ActiveRun,
    other_stacks,
    place_of,
)
from napari_sa2va.widgets.asked import NOTHING_TYPED, Asked
from napari_sa2va.widgets.chat_runs import chat_run
from napari_sa2va.widgets.describing import Describing, regions_asked_about, renewed
from napari_sa2va.widgets.dialogue import Dialogue
from napari_sa2va.widgets.following import seeds_of
from napari_sa2va.widgets.messages import (
    Message,
    already_there,
    combined,
    failure,
    notes_on_answer,
    overlapping,
)
from napari_sa2va.widgets.selecting import select_found
from napari_sa2va.widgets.track_writer import TrackWriter
from napari_sa2va.widgets.worker import MaskPrepared, QuestionsMade, RunWorker, steps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_sa2va.engine import Event, Runner
    from napari_sa2va.viewer.objects import LabelObjects
    from napari_sa2va.viewer.placement import Placement
    from napari_sa2va.viewer.results import Results
    from napari_sa2va.viewer.track_run import TrackRun
    from napari_sa2va.widgets.asked import TrackOptions
    from napari_sa2va.widgets.following import Masks

BUSY: Final = "A run is under way. Wait for it, or cancel it."
_WRITE_MILLISECONDS: Final = 300


class RunController:
    """Runs what is asked, and writes what comes back into layers.

    All slots run in the GUI thread; the worker thread touches nothing but the request.

    Parameters
    ----------
    viewer : napari.Viewer
        Looked at and written to.
    results : Results
        Of that viewer.
    runner : Runner
        Shared by all docks.
    """

    stage = Signal(str, object)
    """What is being done, and how far it is: 0 to 1, or None."""
    told = Signal(object)
    """A `Message`, or None when old ones no longer hold."""
    busy_changed = Signal(bool)
    model_ready = Signal(object, object)
    """A `ModelReady`, and the `ModelChoice` that was asked for."""
    writing = Signal(object)
    """The `LabelObjects` that a run begins to write to."""
    painted = Signal(object)
    """The `LabelRun` whose border can be moved now."""
    finished = Signal(object)
    """An `ActiveRun` that is over, and written."""

    def __init__(self, viewer: Any, results: Results, runner: Runner) -> None:
        self.dialogue = Dialogue()
        self.conversation = self.dialogue.conversation
        self.turn_done = self.dialogue.turn_done
        self.begins_anew = False
        """Whether the next question begins a new conversation."""
        self.correcting: Callable[[], bool] = lambda: False
        """Whether the user corrects objects: then a run selects none."""
        self.tracks = TrackWriter()
        self._describing = Describing(viewer, results, self.writing.emit)
        self.last_run: LabelRun | None = None
        self._turns: list[StackSnapshot] = []
        self._viewer = viewer
        self._results = results
        self._runner = runner
        self._run: ActiveRun | None = None
        self._closed = False
        viewer.layers.events.removed.connect(self._on_layer_removed)
        results.removed.connect(self._on_objects_removed)
        self.tracks.stage.connect(self.stage.emit)

    @property
    def busy(self) -> bool:
        """Whether a run is under way."""
        return self._run is not None

    # --- asking ---

    def ask(self, asked: Asked, *, again: bool = False) -> bool:
        """Start a run; return whether it started. If not, a message was told.

        Parameters
        ----------
        asked : Asked
            What.
        again : bool
            Ask even for phrases that have labels already.
        """
        if self.busy:
            self.told.emit(Message(BUSY, "warning"))
            return False
        if not asked.lines and asked.mode != "describe":
            self.told.emit(Message(NOTHING_TYPED[asked.mode], "error"))
            return False
        if asked.about_regions or asked.mode == "ask":
            asked = replace(asked, track=None)  # regions are of the plane shown
        chat = None
        try:
            place, placement = place_of(self._viewer, asked)
            regions = regions_asked_about(self._viewer, asked, placement)
            objects = self._results.existing(asked.images, placement, asked.target)
            turns = other_stacks(self._viewer, asked)
            where = place.line if isinstance(place, StackSnapshot) else placement.index
            if asked.mode == "ask":
                begins = self.begins_anew and asked.instead_of is None
                chat = chat_run(self._viewer, asked, place, self.conversation, begins=begins)
        except Sa2VAError as error:
            self.told.emit(Message(str(error), "error"))
            return False
        if objects is not None and not again and asked.mode == "segment":
            known = {
                line: labels for line in asked.lines if (labels := objects.labelled(line, where))
            }
            if known:
                text = already_there(known) + " Run again to add what is not labelled yet."

                def run_again() -> None:
                    self.ask(asked, again=True)

                self.told.emit(Message(text, "warning", "Run again", run_again))
                return False
        self._turns = turns
        self._start(ActiveRun(asked, place, regions=regions, chat=chat))
        return True

    def follow(
        self,
        stack: StackSnapshot,
        masks: Masks,
        phrases: Sequence[str],
        into: Sequence[int] | None,
        track: TrackOptions,
        asked: Asked,
    ) -> bool:
        """Follow objects from masks of them; return whether it started. If not, it was told why.

        Parameters
        ----------
        stack : StackSnapshot
            What they are followed through.
        masks : mapping of int to sequence of masks
            By frame, (height, width) bool at the frame's size, one an object; empty where one is
            not.
        phrases : sequence of str
            What the objects are called; ``""`` for nothing.
        into : sequence of int, optional
            Their labels, if they have some: these objects are then painted anew in every plane
            that is visited, and others are left as they are. Left out, they get new ones.
        track : TrackOptions
            Range, direction and decoder.
        asked : Asked
            Images, model, and where results go.
        """
        if self.busy:
            self.told.emit(Message(BUSY, "warning"))
            return False
        try:
            seeds = seeds_of(masks, phrases, into, track)
        except Sa2VAError as error:
            self.told.emit(Message(str(error), "error"))
            return False
        self._turns = []
        self._start(ActiveRun(replace(asked, track=track), stack, seeds=seeds))
        return True

    def go_on(self, wanted: TrackOptions) -> None:
        """Resume or extend the last tracking, for the range that is chosen now."""
        paused = self.tracks.paused
        if paused is not None and not self.busy:
            self._turns = []
            self._start(paused.going_on(wanted))

    def cancel(self, reason: str = "Cancelled.") -> None:
        """End the run soon; what was found stays."""
        if self._run is not None and not self._run.cancelled.is_set():
            self._run.reason = reason
            self._run.cancelled.set()
            self.stage.emit("Cancelling", None)

    def leave(self) -> None:
        """Keep what was found, as at the end of a run, and end it: the dock goes, the viewer stays.

        Belongs before `close`, and before whoever keeps the log stops listening.
        """
        run, self._run, self._turns = self._run, None, []
        if run is not None:
            run.cancelled.set()
            self._settle(run)
        self._end_border()
        if self.tracks.paused is not None:
            self.tracks.forget(self.tracks.paused.result.objects)

    def close(self) -> None:
        """End everything: the viewer goes."""
        self._closed = True
        self._viewer.layers.events.removed.disconnect(self._on_layer_removed)
        self._results.removed.disconnect(self._on_objects_removed)
        self.tracks.stop()
        if self._run is not None:
            self._run.cancelled.set()

    def _start(self, run: ActiveRun) -> None:
        self._run, run.active = run, self._viewer.layers.selection.active
        try:
            self._describing.begin()
            self.told.emit(combined(run.notes) if run.notes else None)
            self.busy_changed.emit(True)
            run.worker = create_worker(
                steps(self._runner, run.request, run.cancelled, run.handled),
                _worker_class=RunWorker,
                _progress={"desc": "Sa2VA"},
                # Connected later, superqt would raise errors in the GUI thread too.
                _connect={
                    "yielded": self._on_event,
                    "errored": self._on_error,
                    "finished": self._on_finished,
                },
            )
        except Exception:  # without a worker nothing would ever end it
            self._run, self._turns = None, []
            run.cancelled.set()
            self.busy_changed.emit(False)
            raise

    # --- what comes back ---

    def _on_event(self, event: Event | MaskPrepared | QuestionsMade) -> None:
        run = self._run
        if run is None or self._closed:
            return
        try:
            self._handle(run, event)
        finally:
            # Two events come before the runner's own, and are not waited for.
            if run.asking:
                run.handled.release()
            run.asking = run.asking or isinstance(event, QuestionsMade)

    def _handle(self, run: ActiveRun, event: Event | MaskPrepared | QuestionsMade) -> None:
        match event:
            case QuestionsMade():
                run.questions = event.questions or run.questions
            case ModelLoading():
                self.stage.emit(event.message, event.fraction)
            case ModelReady():
                run.detail = with_model(run.detail, event)
                self.model_ready.emit(event, run.asked.model)
            case Looking():
                self.stage.emit("Looking at the image", None)
            case QuestionStarted():
                self._on_question(run, event)
            case TextChunk():
                self.dialogue.go_on(event.text)
            case MaskPrepared():
                self._on_mask(run, event)
            case QuestionDone():
                self._on_answer(run, event)
            case TrackStarted():
                self._on_track(run, event)
            case FrameDone():
                if run.result is not None and not run.unwritten:
                    self.tracks.add(run, event)
                    self._write_soon()
            case TrackSaved() if not run.unwritten:
                self.tracks.saved(run, event.state)
            case RunDone():
                if event.cancelled:
                    kept = " What was found before is kept." if run.result is not None else ""
                    if text := (run.reason + kept).strip():
                        run.notes.append(Message(text, "info"))

    def _on_question(self, run: ActiveRun, event: QuestionStarted) -> None:
        shown = run.shown(event.index)
        number = f"{event.index + 1} of {event.total} · " if event.total > 1 else ""
        self.stage.emit(f"{number}{shown}", event.index / event.total if event.total > 1 else None)
        if run.chat is not None:  # not before: a model that cannot be loaded answers nothing
            self.begins_anew = self.begins_anew and not run.chat.begins
            self.dialogue.set_aside(run)
        self.dialogue.ask(run, event.index, self._objects_of(run))

    def _on_mask(self, run: ActiveRun, found: MaskPrepared) -> None:
        if run.cancelled.is_set() and run.result is None:
            return
        if run.asked.again_for is not None:
            run.renewed.append(found.soft)
            return
        if run.result is None:
            try:
                run.result = self._new_result(run)
            except Sa2VAError as error:  # nor could any other mask be written
                run.notes.append(Message(str(error), "error"))
                run.cancelled.set()
                return
        result, labels = run.result, tuple[int, ...]()
        assert isinstance(result, LabelRun)
        try:
            labels = result.add(found.soft, found.phrase, found.iou)
        except LayerLost as error:  # nor could any other mask be painted
            run.result = None
            self.cancel(str(error))
            return
        except Sa2VAError as error:
            run.notes.append(Message(str(error), "error"))
        run.labels.setdefault(found.index, []).append(labels)
        self._write_soon()

    def _new_result(self, run: ActiveRun) -> LabelRun:
        asked = run.asked
        return LabelRun(
            self._written(run, run.placement),
            run.placement,
            replace=asked.replace,
            split=asked.split,
            model=asked.model.name,
        )

    def _on_track(self, run: ActiveRun, event: TrackStarted) -> None:
        """Begin to follow objects, or go on with it."""
        stack = run.place
        assert isinstance(stack, StackSnapshot)
        try:
            self.tracks.start(run, event, self._written(run, stack.first))
        except Sa2VAError as error:
            run.unwritten = True
            run.notes.append(Message(str(error), "error"))
            run.cancelled.set()
            return
        if not run.resumed:
            self.dialogue.follow(run)

    def _written(self, run: ActiveRun, placement: Placement) -> LabelObjects:
        """Return the objects that the run writes to; rows and captions are held back meanwhile."""
        if run.result is not None:  # it goes on
            objects = run.result.objects
        else:
            asked = run.asked
            objects = self._results.prepared(asked.images, placement, asked.target)
        self._end_border()
        objects.hold()
        run.held = objects
        self.writing.emit(objects)
        return objects

    def _end_border(self) -> None:
        """Let the last run's border be moved no more; a move that is not let go yet is a step."""
        last, self.last_run = self.last_run, None
        if last is not None:
            with suppress(NoUndo):  # said when that run ended
                last.commit()
            last.close()
            self.painted.emit(None)

    def _on_answer(self, run: ActiveRun, event: QuestionDone) -> None:
        if run.renewed:
            run.labels[event.index] = [renewed(run, self._results, event)] * event.masks
            run.renewed = []
        labels = run.labels.get(event.index, [])
        found = [label for group in labels for label in group]
        run.answers[event.index] = event.answer
        if isinstance(run.result, LabelRun):
            run.result.answered(found, event.answer)
        self.dialogue.answer(run, event, labels, self._objects_of(run))
        if run.chat is not None and run.chat.note:
            run.notes.append(Message(run.chat.note, "info"))
        self._describing.add(run, event)
        # Of a mask that could not be written, or came after a cancel, that is not known.
        tried = bool(labels) and not any(note.level == "error" for note in run.notes)
        run.notes += notes_on_answer(
            event,
            run.questions[event.index].phrase,
            run.asked.model.name,
            nothing_new=run.asked.track is None and tried and not found,
            cancelled=run.cancelled.is_set(),
        )
        if isinstance(run.result, LabelRun) and event.index + 1 < len(run.questions):
            run.result.found_so_far(run.detail)  # napari can be closed before the last answer

    def _objects_of(self, run: ActiveRun) -> LabelObjects | None:
        """Return whose labels an answer of a run names."""
        if run.result is not None:
            return run.result.objects
        try:
            return self._results.existing(run.asked.images, run.placement, run.asked.target)
        except Sa2VAError:  # the layer cannot be written to: the answer is words only
            return None

    def _on_error(self, error: Exception) -> None:
        if self._run is not None and not self._closed:
            self._run.notes.append(failure(error))

    def _on_finished(self) -> None:
        run, self._run = self._run, None
        if run is None or self._closed:
            return
        try:
            self._settle(run)
        except Exception as error:
            run.notes.append(failure(error))
            raise
        finally:  # whatever happened, the dock stays busy no longer
            self._tell_end(run)

    def _tell_end(self, run: ActiveRun) -> None:
        if run.cancelled.is_set() or any(note.level == "error" for note in run.notes):
            self._turns = []
        if run.overlapping and not self._turns:
            run.notes.append(overlapping(run.overlapping, self.told.emit))
        self.busy_changed.emit(False)
        self.stage.emit("", None)
        if run.notes:
            self.told.emit(combined(run.notes))
        self.finished.emit(run)
        self._next_turn(run)

    def _settle(self, run: ActiveRun) -> None:
        """Write what a run that is over has found; its rows and captions follow again."""
        try:
            self.dialogue.end()
            self._describing.write(run)
            if run.result is not None:
                self._keep(run, run.result)
        finally:
            if run.held is not None:
                run.held.release()

    def _keep(self, run: ActiveRun, result: LabelRun | TrackRun) -> None:
        """Make the masks of a run one undo step, under the user's Ctrl+Z."""
        if isinstance(result, LabelRun):
            try:
                result.commit(run.detail)
            except Sa2VAError as error:  # no undo history, or the disk is gone
                run.notes.append(Message(str(error), "error"))
            self.last_run = result
        else:
            self.tracks.end(run)
        if run.asked.ask_overlap and result.overlapped:
            run.overlapping.append(result)
        if not self.correcting():
            select_found(self._viewer, run, result)
        self.painted.emit(self.last_run)

    def _next_turn(self, run: ActiveRun) -> None:
        """Follow the same through the next plane of the other axis, if that was asked for."""
        if not self._turns:
            return
        # What is to be told of each stands until all are over; told once if it is the same.
        notes, left = list(run.notes), list(run.overlapping)
        self._start(ActiveRun(run.asked, self._turns.pop(0), notes=notes, overlapping=left))

    @qthrottled(timeout=_WRITE_MILLISECONDS, leading=False)
    def _write_soon(self) -> None:
        """Let rows and captions follow a run."""
        if self._run is not None and self._run.result is not None and not self._closed:
            self._run.result.objects.write()

    # --- layers that go ---

    def _on_layer_removed(self, event: Any) -> None:
        if self._run is not None and event.value in self._run.asked.images:
            self.cancel("The image was deleted, so the run was ended.")

    def _on_objects_removed(self, objects: Any) -> None:
        self.tracks.forget(objects)
        if self.last_run is not None and self.last_run.objects is objects:
            self.last_run.close()
            self.last_run = None
            self.painted.emit(None)
        if self._run is not None and self._run.held is objects:
            self._run.held = None
        if self._run is not None and self._run.result is not None:
            if self._run.result.objects is objects:
                self._run.result.close()
                self._run.result = self._run.held = None
                self.tracks.stop()
                self.cancel("The labels layer was deleted, so the run was ended.")
