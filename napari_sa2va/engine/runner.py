"""One model, one request at a time: turns a request into events."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from napari_sa2va.engine.answering import ask
from napari_sa2va.engine.background import reports_of
from napari_sa2va.engine.chatting import chat
from napari_sa2va.engine.events import (
    Looking,
    ModelLoading,
    ModelReady,
    QuestionStarted,
    RunDone,
)
from napari_sa2va.engine.failures import guarded, release_unused_memory
from napari_sa2va.engine.loading import identify, load_model
from napari_sa2va.engine.reading import only_frame
from napari_sa2va.engine.refining import refine
from napari_sa2va.engine.request import (
    ChatRequest,
    MaskTrackRequest,
    RefineRequest,
    Request,
    TrackRequest,
)
from napari_sa2va.engine.tracking import follow_masks, has_own_decoder, track
from napari_sa2va.errors import Cancelled, InvalidInput, Sa2VAError
from napari_sa2va.zoo.weights import WeightsIdentity

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from napari_sa2va.engine.events import Event
    from napari_sa2va.engine.request import AnyRequest, ModelChoice
    from napari_sa2va.model import Sa2VA

    Loader = Callable[[ModelChoice, Callable[[ModelLoading], None], Callable[[], bool]], Sa2VA]

_LOG: Final = logging.getLogger(__name__)
_LOOK_UP_SECONDS: Final = 0.05


class Runner:
    """Runs requests, and keeps the last model loaded.

    Several docks share one runner (`shared_runner`). Requests take turns: while one runs, others
    wait.

    Parameters
    ----------
    load : callable, optional
        Finds and reads a model; `napari_sa2va.engine.loading.load_model`.
    """

    def __init__(self, load: Loader = load_model) -> None:
        self._load = load
        self._identity = WeightsIdentity("", "")
        self._turn = threading.Lock()
        self._model: Sa2VA | None = None
        self._loaded: ModelChoice | None = None
        self._unload_wanted = False
        self._cache_bytes: int | None = None

    # --- what it holds

    @property
    def busy(self) -> bool:
        """Whether a request is running."""
        return self._turn.locked()

    @property
    def loaded(self) -> ModelChoice | None:
        """The choice whose model is in memory."""
        return self._loaded

    @property
    def bytes_held(self) -> int:
        """Bytes of the model's weights and of its caches; 0 without a model."""
        model = self._model
        return 0 if model is None else model.bytes_held

    def unload(self) -> bool:
        """Free the model and its caches; never waits.

        Returns
        -------
        bool
            False when a request is running: then it happens as soon as that one has ended.
        """
        self._unload_wanted = True
        return self._unload_if_wanted()

    def clear_cache(self) -> None:
        """Forget the images that were looked at; a running request keeps its own to its end."""
        if (model := self._model) is not None:
            model.clear_cache()
            release_unused_memory()

    @property
    def cache_bytes(self) -> int | None:
        """How many bytes may be kept of images looked at; None for the model's own default."""
        return self._cache_bytes

    @cache_bytes.setter
    def cache_bytes(self, capacity: int) -> None:
        self._cache_bytes = capacity
        if (model := self._model) is not None:
            model.cache_bytes = capacity

    # --- what it does

    def run(self, request: AnyRequest, cancelled: threading.Event) -> Iterator[Event]:
        """Run a request, yielding what happens.

        Parameters
        ----------
        request : Request, ChatRequest, TrackRequest, RefineRequest or MaskTrackRequest
        cancelled : threading.Event
            Set it, from any thread, to end the run between two tokens, masks, frames or questions.
            What was yielded before is valid.

        Yields
        ------
        Event
            `ModelLoading` while another request or the model is waited for, `ModelReady`,
            `Looking`, then for each question `QuestionStarted`, `TextChunk` and `MaskFound` as
            they come, `QuestionDone`; last `RunDone`, after a cancel too. A tracking has no
            `MaskFound`, but after its questions `TrackStarted`, a `FrameDone` a frame and
            `TrackSaved` now and then. A correction has one `RefineDone` after `Looking`.

        Raises
        ------
        Sa2VAError
            Whatever fails. The runner is ready for another request after it.
        """
        started = time.monotonic()
        was_cancelled = False
        try:
            yield from guarded(self._in_turn(request, cancelled), self.clear_cache)
        except Cancelled:
            was_cancelled = True
        except Sa2VAError as error:
            _LOG.warning("%s: %s", type(error).__name__, error)
            raise
        finally:
            self._unload_if_wanted()  # here, where no step of the run holds the model any more
        seconds = time.monotonic() - started
        _LOG.info("Run %s after %.1f s", "cancelled" if was_cancelled else "done", seconds)
        yield RunDone(seconds, was_cancelled)

    def _in_turn(self, request: AnyRequest, cancelled: threading.Event) -> Iterator[Event]:
        if isinstance(request, Request | TrackRequest) and not request.questions:
            raise InvalidInput("There is no question to ask.")
        if isinstance(request, ChatRequest) and not request.text.strip():
            raise InvalidInput("Type a question, for example: What is in this image?")
        yield from self._wait_for_turn(cancelled)
        try:
            model = yield from self._ready(request.model, cancelled)
            _stop_if(cancelled)
            match request:
                case Request():
                    yield from self._answer(model, request, cancelled)
                case ChatRequest():
                    yield from chat(model, request, cancelled)
                case TrackRequest():
                    yield from track(model, request, cancelled)
                case RefineRequest():
                    yield from refine(model, request, cancelled)
                case MaskTrackRequest():
                    yield from follow_masks(model, request, cancelled)
        finally:
            self._turn.release()

    def _wait_for_turn(self, cancelled: threading.Event) -> Iterator[Event]:
        if self._turn.acquire(blocking=False):
            return
        yield ModelLoading("Waiting for another run to end")
        while not self._turn.acquire(timeout=_LOOK_UP_SECONDS):
            _stop_if(cancelled)

    def _answer(
        self, model: Sa2VA, request: Request, cancelled: threading.Event
    ) -> Iterator[Event]:
        yield Looking()
        image = only_frame(request.frames)
        total = len(request.questions)
        for index, question in enumerate(request.questions):
            _stop_if(cancelled)
            yield QuestionStarted(index, total, question.text)
            yield from ask(model, image, question, index, cancelled)

    def _ready(
        self, choice: ModelChoice, cancelled: threading.Event
    ) -> Generator[Event, None, Sa2VA]:
        """Load the model unless it is there; the one before it goes first."""
        if self._model is None or self._loaded != choice:
            self._drop_model()
            _LOG.info("Loading %s", choice)
            yield ModelLoading(f"Loading {choice.name}")

            def load(
                report: Callable[[ModelLoading], None], stopped: Callable[[], bool]
            ) -> tuple[Sa2VA, WeightsIdentity]:
                return self._load(choice, report, stopped), identify(choice, report, stopped)

            self._model, self._identity = yield from reports_of(load, cancelled)
            self._loaded = choice
            if self._cache_bytes is not None:
                self._model.cache_bytes = self._cache_bytes
        model = self._model
        yield ModelReady(
            model.name,
            str(model.device),
            model.dtype_name,
            model.bytes_held,
            has_own_decoder(model),
            self._identity.digest,
            self._identity.revision,
        )
        return model

    # --- memory

    def _drop_model(self) -> None:
        if self._model is not None:
            self._model = self._loaded = None
            release_unused_memory()

    def _unload_if_wanted(self) -> bool:
        """Do what `unload` asked for, unless a request is running.

        Called after each wish and after each run, and looks again after it has let others pass: a
        wish uttered at any moment is seen by somebody.
        """
        while self._unload_wanted:
            if not self._turn.acquire(blocking=False):
                return False
            try:
                self._unload_wanted = False
                self._drop_model()
            finally:
                self._turn.release()
        return True


def _stop_if(cancelled: threading.Event) -> None:
    if cancelled.is_set():
        raise Cancelled("The run was cancelled.")


_shared: Final = Runner()


def shared_runner() -> Runner:
    """Return the one runner of this process."""
    return _shared
