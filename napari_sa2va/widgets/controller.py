"""From a click on Run to labels: one run at a time, and clean ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from napari.qt.threading import create_worker
from psygnal import Signal
from superqt.utils import qthrottled

from napari_sa2va.annotation import Conversation
from napari_sa2va.annotation.conversation import name_objects
from napari_sa2va.engine import (
    Looking,
    ModelLoading,
    ModelReady,
    QuestionDone,
    QuestionStarted,
    Request,
    RunDone,
    TextChunk,
    ask_question,
    segment_questions,
)
from napari_sa2va.errors import Sa2VAError
from napari_sa2va.viewer import snapshot
from napari_sa2va.viewer.run import LabelRun
from napari_sa2va.widgets.asked import NOTHING_TYPED, ActiveRun, Asked
from napari_sa2va.widgets.messages import Message, already_there, combined, unknown_words
from napari_sa2va.widgets.worker import MaskPrepared, QuestionsMade, RunWorker, steps

if TYPE_CHECKING:
    from napari_sa2va.engine import Event, Runner
    from napari_sa2va.viewer.results import Results

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
    said = Signal(bool)
    """The conversation has a new turn (True), or its last one changed (False)."""
    told = Signal(object)
    """A `Message`, or None when old ones no longer hold."""
    busy_changed = Signal(bool)
    model_ready = Signal(object)
    """A `ModelReady`."""
    writing = Signal(object)
    """The `LabelObjects` that a run begins to write to."""
    painted = Signal(object)
    """The `LabelRun` whose border can be moved now."""

    def __init__(self, viewer: Any, results: Results, runner: Runner) -> None:
        self.conversation = Conversation()
        self.last_run: LabelRun | None = None
        self._viewer = viewer
        self._results = results
        self._runner = runner
        self._run: ActiveRun | None = None
        self._closed = False
        viewer.layers.events.removed.connect(self._on_layer_removed)
        results.removed.connect(self._on_objects_removed)

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
            self.told.emit(Message("A run is under way. Wait for it, or cancel it.", "warning"))
            return False
        if not asked.lines:
            self.told.emit(Message(NOTHING_TYPED[asked.mode], "error"))
            return False
        try:
            plane = snapshot(self._viewer, asked.images, asked.look_at)
            objects = self._results.existing(asked.images, plane.placement, asked.target)
        except Sa2VAError as error:
            self.told.emit(Message(str(error), "error"))
            return False
        if objects is not None and not again:
            known = {
                line: labels
                for line in asked.lines
                if (labels := objects.labelled(line, plane.placement.index))
            }
            if known:
                text = already_there(known) + " Run again to add what is not labelled yet."

                def run_again() -> None:
                    self.ask(asked, again=True)

                self.told.emit(Message(text, "warning", "Run again", run_again))
                return False
        self._start(ActiveRun(asked, plane))
        return True

    def cancel(self, reason: str = "Cancelled.") -> None:
        """End the run soon; what was found stays."""
        if self._run is not None and not self._run.cancelled.is_set():
            self._run.reason = reason
            self._run.cancelled.set()
            self.stage.emit("Cancelling", None)

    def close(self) -> None:
        """End everything: the viewer goes."""
        self._closed = True
        self._viewer.layers.events.removed.disconnect(self._on_layer_removed)
        self._results.removed.disconnect(self._on_objects_removed)
        if self._run is not None:
            self._run.cancelled.set()

    def _start(self, run: ActiveRun) -> None:
        self._run = run
        self.told.emit(None)
        self.busy_changed.emit(True)
        asked, frames = run.asked, run.plane.frames

        def make_request() -> Request:
            questions = segment_questions if asked.mode == "segment" else ask_question
            return Request(asked.model, frames, questions(asked.text))

        run.worker = create_worker(
            steps(self._runner, make_request, run.cancelled, run.handled),
            _worker_class=RunWorker,
            _progress={"desc": "Sa2VA"},
            # Given here and not connected later: superqt would raise errors in the GUI thread too.
            _connect={
                "yielded": self._on_event,
                "errored": self._on_error,
                "finished": self._on_finished,
            },
        )

    # --- what comes back ---

    def _on_event(self, event: Event | MaskPrepared | QuestionsMade) -> None:
        run = self._run
        if run is None or self._closed:
            return
        try:
            self._handle(run, event)
        finally:
            # Two events come before the runner's own, and are not waited for.
            if not isinstance(event, QuestionsMade) and run.questions:
                run.handled.release()

    def _handle(self, run: ActiveRun, event: Event | MaskPrepared | QuestionsMade) -> None:
        match event:
            case QuestionsMade():
                run.questions = event.questions
            case ModelLoading():
                self.stage.emit(event.message, event.fraction)
            case ModelReady():
                self.model_ready.emit(event)
            case Looking():
                self.stage.emit("Looking at the image", None)
            case QuestionStarted():
                self._on_question(run, event)
            case TextChunk():
                self.conversation.extend(event.text)
                self.said.emit(False)
            case MaskPrepared():
                self._on_mask(run, event)
            case QuestionDone():
                self._on_answer(run, event)
            case RunDone():
                if event.cancelled:
                    kept = " What was found before is kept." if run.result is not None else ""
                    run.notes.append(Message(run.reason + kept, "info"))

    def _on_question(self, run: ActiveRun, event: QuestionStarted) -> None:
        question = run.questions[event.index]
        shown = question.phrase or question.text
        number = f"{event.index + 1} of {event.total} · " if event.total > 1 else ""
        self.stage.emit(f"{number}{shown}", event.index / event.total if event.total > 1 else None)
        self.conversation.say("you", shown)
        self.said.emit(True)
        self.conversation.say("demo" if run.asked.model.name == "demo" else "Sa2VA")
        self.said.emit(True)

    def _on_mask(self, run: ActiveRun, found: MaskPrepared) -> None:
        if run.cancelled.is_set() and run.result is None:
            return
        if run.result is None:
            run.result = self._new_result(run)
        try:
            labels = run.result.add(found.soft, found.phrase, found.iou)
        except Sa2VAError as error:
            labels = ()
            run.notes.append(Message(str(error), "error"))
        run.labels.setdefault(found.index, []).append(labels)
        self._write_soon()

    def _new_result(self, run: ActiveRun) -> LabelRun:
        asked = run.asked
        objects = self._results.prepared(asked.images, run.plane.placement, asked.target)
        if self.last_run is not None:
            self.last_run.close()
            self.last_run = None
            self.painted.emit(None)
        objects.hold()
        self.writing.emit(objects)
        return LabelRun(
            objects,
            run.plane.placement,
            replace=asked.replace,
            split=asked.split,
            model=asked.model.name,
        )

    def _on_answer(self, run: ActiveRun, event: QuestionDone) -> None:
        labels = run.labels.get(event.index, [])
        found = [label for group in labels for label in group]
        if run.result is not None:
            run.result.answered(found, event.answer)
        self.conversation.settle(name_objects(event.answer, labels), found)
        self.said.emit(False)
        asked_for = run.questions[event.index].phrase
        if asked_for is not None and not event.masks:
            words = f" The model says: {event.answer.strip()}" if event.answer.strip() else ""
            run.notes.append(Message(f"Not found: “{asked_for}”.{words}", "warning"))
        elif event.masks and not found:
            text = (
                f"“{asked_for or 'What was found'}” was found, but its mask is empty or all of it "
                "has labels already. “Replace” would give its pixels to the new label."
            )
            run.notes.append(Message(text, "warning"))
        if not event.complete and not run.cancelled.is_set():
            text = "The answer did not end by itself and was cut off at the greatest length."
            run.notes.append(Message(text, "warning"))
        if event.unknown_words:
            text = unknown_words(event.unknown_words, run.asked.model.name)
            run.notes.append(Message(text, "warning"))

    def _on_error(self, error: Exception) -> None:
        if self._run is not None and not self._closed:
            text = str(error) or type(error).__name__
            if not isinstance(error, Sa2VAError):
                text = f"The run failed ({type(error).__name__}): {text}"
            self._run.notes.append(Message(text, "error"))

    def _on_finished(self) -> None:
        run, self._run = self._run, None
        if run is None or self._closed:
            return
        if run.result is not None:
            self._keep(run.result)
        self.busy_changed.emit(False)
        self.stage.emit("", None)
        if run.notes:
            self.told.emit(combined(run.notes))

    def _keep(self, result: LabelRun) -> None:
        """Make the masks of a run one undo step, under the user's Ctrl+Z."""
        result.commit()
        result.objects.release()
        self.last_run = result
        self._viewer.layers.selection.active = result.objects.labels
        if result.labels:
            result.objects.labels.selected_label = result.labels[-1]
        self.painted.emit(result)

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
        if self.last_run is not None and self.last_run.objects is objects:
            self.last_run.close()
            self.last_run = None
            self.painted.emit(None)
        if self._run is not None and self._run.result is not None:
            if self._run.result.objects is objects:
                self._run.result.close()
                self._run.result = None
                self.cancel("The labels layer was deleted, so the run was ended.")
