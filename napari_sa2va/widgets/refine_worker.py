"""One correction in a worker thread: from prompts to masks on the Labels layer's pixels."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final

from napari_sa2va.engine import ModelLoading, RefineDone, RefineRequest
from napari_sa2va.engine.imports import only_new_collected, uncollected
from napari_sa2va.errors import EngineError
from napari_sa2va.viewer.correction import Proposed
from napari_sa2va.viewer.preview import warm_up

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from napari_sa2va.engine import Event, Runner
    from napari_sa2va.viewer.placement import Placement

_NEEDED_SOON: Final = ("pandas", "scipy.ndimage")


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """What a model proposes.

    Attributes
    ----------
    masks : tuple of Proposed
        The one it chose first, then the others, best estimate first.
    """

    masks: tuple[Proposed, ...]


@dataclass(frozen=True, slots=True)
class Warm:
    """What the layers of a correction need is compiled: they can be added without a pause."""


def refine_steps(
    runner: Runner, request: RefineRequest | None, placement: Placement, cancelled: threading.Event
) -> Callable[[], Iterator[Event | Candidates | Warm]]:
    """Return a generator function for a worker: the runner's events, and `Candidates` at the end.

    Parameters
    ----------
    runner : Runner
    request : RefineRequest or None
        None to get ready only.
    placement : Placement
        Of the request's frame.
    cancelled : threading.Event
        Set it to end it.
    """

    def run() -> Iterator[Event | Candidates | Warm]:
        with only_new_collected():
            yield from quiet_run()

    def quiet_run() -> Iterator[Event | Candidates | Warm]:
        try:
            yield ModelLoading("Loading")
            with uncollected():
                for needed in _NEEDED_SOON:
                    import_module(needed)
            warm_up()
            yield Warm()
            if request is None:
                return
            for event in runner.run(request, cancelled):
                if isinstance(event, RefineDone):
                    yield _candidates(event, placement)
                else:
                    yield event
        # superqt would swallow it.
        except RuntimeError as error:
            raise EngineError(f"The model failed while running: {error}") from error

    return run


def _candidates(done: RefineDone, placement: Placement) -> Candidates:
    masks = ((done.mask, done.logits, done.iou, done.score), *done.candidates)
    return Candidates(tuple(Proposed.of(placement, *mask) for mask in masks))
