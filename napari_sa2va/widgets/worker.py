"""A run in a worker thread of napari."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from napari.qt.threading import GeneratorWorker

from napari_sa2va.annotation.masks import SoftMask
from napari_sa2va.engine.events import MaskFound, ModelLoading
from napari_sa2va.engine.imports import only_new_collected, uncollected
from napari_sa2va.errors import EngineError
from napari_sa2va.viewer.labels import warm_up

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from napari_sa2va.engine.events import Event
    from napari_sa2va.engine.request import AnyRequest, Question
    from napari_sa2va.engine.runner import Runner


_NEEDED_SOON: Final = ("pandas", "scipy.ndimage")
_LOOK_UP_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class MaskPrepared:
    """A `MaskFound`, made ready for painting outside the GUI thread.

    Attributes
    ----------
    index : int
        Of the question.
    phrase : str
        What it answers to.
    soft : SoftMask
        The mask and its probabilities, cropped.
    iou : float
        SAM2's estimate.
    """

    index: int
    phrase: str
    soft: SoftMask
    iou: float


@dataclass(frozen=True, slots=True)
class QuestionsMade:
    """What the user typed has become questions; none where masks are followed."""

    questions: tuple[Question, ...]


class RunWorker(GeneratorWorker):
    """A generator worker that also closes its generator.

    superqt leaves the generator of an aborted worker as it is: the runner's lock would never be
    given back, and no dock could run anything again.
    """

    def work(self) -> Any:
        """Go through the generator; called by Qt in a worker thread."""
        try:
            return super().work()
        finally:
            self._gen.close()


def steps(
    runner: Runner,
    make_request: Callable[[], AnyRequest],
    cancelled: threading.Event,
    handled: threading.Semaphore,
) -> Callable[[], Iterator[Event | MaskPrepared | QuestionsMade]]:
    """Return a generator function for a worker, which makes a request and runs it.

    The request is made there too: turning phrases into questions takes the model's package, whose
    first import takes seconds. Each event waits until the one before was `handled` in the GUI
    thread: a fast model would fill Qt's queue, and Qt would work on nothing else. Errors that are
    ``RuntimeError`` leave the generator as `EngineError`: superqt would swallow them.
    """

    def run() -> Iterator[Event | MaskPrepared | QuestionsMade]:
        with only_new_collected():
            yield from quiet_run()

    def quiet_run() -> Iterator[Event | MaskPrepared | QuestionsMade]:
        try:
            yield ModelLoading("Loading")
            # For the masks' labels and rows; loaded here, the window need not wait for them.
            with uncollected():
                for needed in _NEEDED_SOON:
                    import_module(needed)
                warm_up()
            request = make_request()
            yield QuestionsMade(getattr(request, "questions", ()))
            for event in runner.run(request, cancelled):
                yield _prepared(event) if isinstance(event, MaskFound) else event
                while not (handled.acquire(timeout=_LOOK_UP_SECONDS) or cancelled.is_set()):
                    pass
        except RuntimeError as error:
            raise EngineError(f"The model failed while running: {error}") from error

    return run


def _prepared(found: MaskFound) -> MaskPrepared:
    soft = SoftMask.from_model(found.logits, found.mask)
    return MaskPrepared(found.index, found.phrase, soft, found.iou)
