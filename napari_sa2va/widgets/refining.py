"""Computes what marks mean, in a worker: one at a time, and always the newest."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari.qt.threading import create_worker
from psygnal import Signal

from napari_sa2va.engine import Looking, ModelLoading, ModelReady, RefineRequest
from napari_sa2va.engine.provenance import request_detail, with_model
from napari_sa2va.errors import Sa2VAError
from napari_sa2va.widgets.open_correction import Found
from napari_sa2va.widgets.refine_worker import Candidates, Warm, refine_steps
from napari_sa2va.widgets.worker import RunWorker

if TYPE_CHECKING:
    from napari_sa2va.annotation.prompts import Mark
    from napari_sa2va.engine import Event, ModelChoice, Runner
    from napari_sa2va.viewer import PlaneSnapshot
    from napari_sa2va.widgets.open_correction import OpenCorrection


@dataclass(slots=True, eq=False)
class _Job:
    """What is computed now; without a correction, an image is only looked at ahead."""

    request: RefineRequest | None
    place: PlaneSnapshot
    opened: OpenCorrection | None = None
    state: tuple[Mark, ...] = ()
    cancelled: threading.Event = field(default_factory=threading.Event)
    failed: bool = False
    ready: ModelReady | None = None
    worker: Any = None


class Refining:
    """Asks the model about a correction.

    Marks that come while others are computed wait and are then computed together; what is under
    way is not thrown away for them, since the image that it looks at is the same.

    Parameters
    ----------
    runner : Runner
        Shared with the docks: what else runs there is waited for.
    """

    found = Signal(object, object, object)
    """An `OpenCorrection`, the marks that were answered, and a `Found`."""
    failed = Signal(str)
    """A sentence."""
    stage = Signal(str)
    """What is being done; empty when nothing is."""
    ready = Signal(object, object)
    """A `ModelReady`, and the `ModelChoice` that it is of."""
    warm = Signal()
    """Layers can be added without a pause."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._job: _Job | None = None
        self._wanted: OpenCorrection | None = None
        self._held: OpenCorrection | None = None
        self._closed = False
        self._ready: tuple[ModelReady, ModelChoice] | None = None

    @property
    def busy(self) -> bool:
        """Whether a correction is being computed, or will be after what is under way."""
        job = self._job
        return job is not None and (job.opened is not None or self._wanted is not None)

    def want(self, opened: OpenCorrection) -> None:
        """Compute what all marks of a correction mean, as soon as possible."""
        self._wanted, self._held = opened, None
        if self._job is None:
            self._start_wanted()

    def hold(self, opened: OpenCorrection) -> None:
        """Compute nothing before it is wanted, or its model is known to be on this machine."""
        self.drop()
        self._held = opened

    def holds(self, opened: OpenCorrection) -> bool:
        """Whether a correction waits until it is wanted, or its model is known to be here."""
        return self._held is opened

    def found_here(self, model: str) -> None:
        """Take note that the model of this name is on this machine: what was held for it begins."""
        opened = self._held
        if opened is not None and opened.asked.model.name == model:
            self.want(opened)

    def look(self, model: ModelChoice | None, place: PlaneSnapshot) -> None:
        """Look at an image ahead of the first click on it, unless something is under way.

        Without a model, only what the window needs is made ready.
        """
        if self._job is not None or self._closed:
            return
        request = None
        if model is not None:
            height, width = place.frames.shape
            middle = ((height - 1) / 2, (width - 1) / 2)
            request = RefineRequest(model, place.frames, (middle,), (1,))
        self._start(_Job(request, place))

    def drop(self) -> None:
        """Want nothing any more; what is under way ends soon."""
        self._wanted = self._held = None
        if self._job is not None:
            self._job.cancelled.set()

    def close(self) -> None:
        """End for good."""
        self._closed = True
        self.drop()

    def _start_wanted(self) -> None:
        opened = self._wanted
        if opened is None or self._closed or not opened.marks.given or opened.marks.answer:
            return
        job = _Job(opened.request(), opened.place, opened, opened.marks.state)
        self._start(job)

    def _start(self, job: _Job) -> None:
        self._job = job
        job.worker = create_worker(
            refine_steps(self._runner, job.request, job.place.placement, job.cancelled),
            _worker_class=RunWorker,
            # Given here and not connected later: superqt would raise errors in the GUI thread too.
            _connect={
                "yielded": self._on_event,
                "errored": self._on_error,
                "finished": self._on_finished,
            },
        )

    def _on_event(self, event: Event | Candidates | Warm) -> None:
        job = self._job
        if job is None or self._closed:
            return
        match event:
            case ModelLoading():
                self.stage.emit(event.message)
            case Looking():
                self.stage.emit("Looking at the image")
            case ModelReady() if job.request is not None:
                job.ready = event
                now = event, job.request.model
                if now != self._ready:
                    self._ready = now
                    self.ready.emit(*now)
            case Warm():
                self.warm.emit()
            case Candidates() if job.opened is not None and job.request is not None:
                if job.cancelled.is_set():  # it can be on its way here already
                    return
                detail = request_detail(job.request)
                if job.ready is not None:
                    detail = with_model(detail, job.ready)
                self.found.emit(job.opened, job.state, Found(event.masks, detail=detail))

    def _on_error(self, error: Exception) -> None:
        job = self._job
        if job is None or self._closed:
            return
        job.failed = True
        text = str(error) or type(error).__name__
        if not isinstance(error, Sa2VAError):
            text = f"The correction failed ({type(error).__name__}): {text}"
        self.failed.emit(text)

    def _on_finished(self) -> None:
        job, self._job = self._job, None
        if job is None or self._closed:
            return
        self.stage.emit("")
        opened = self._wanted
        if job.failed and opened is job.opened and opened is not None:
            if opened.marks.state == job.state:
                return  # the same would fail again
        self._start_wanted()
