"""What is said of regions, into their rows: some at a time, while a run goes on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from napari.layers import Labels

from napari_sa2va.errors import InvalidInput, Sa2VAError
from napari_sa2va.viewer import PlaneSnapshot
from napari_sa2va.viewer.descriptions import describe_regions
from napari_sa2va.viewer.regions import region_snapshot
from napari_sa2va.viewer.renewal import renew
from napari_sa2va.widgets.messages import Message

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sa2va.engine import QuestionDone
    from napari_sa2va.viewer.descriptions import Said
    from napari_sa2va.viewer.objects import LabelObjects
    from napari_sa2va.viewer.placement import Placement
    from napari_sa2va.viewer.regions import RegionSnapshot
    from napari_sa2va.viewer.results import Results
    from napari_sa2va.widgets.active_run import ActiveRun
    from napari_sa2va.widgets.asked import Asked

# Describing a thousand labels can take hours: what is older than that must survive a crash.
_MOST_SECONDS: Final = 60.0
_MOST_UNWRITTEN: Final = 200

NO_REGIONS: Final = (
    "There is no layer with regions. Make one with “New regions” and paint, draw shapes, or open "
    "a label image."
)


def regions_asked_about(viewer: Any, asked: Asked, placement: Placement) -> RegionSnapshot | None:
    """Take down the regions of a question; None where it is about the image.

    Raises
    ------
    InvalidInput
        If it is about regions, and there are none to be had.
    """
    if not asked.about_regions:
        return None
    if asked.regions is None:
        raise InvalidInput(NO_REGIONS)
    return region_snapshot(viewer, asked.regions, placement)


def renewed(run: ActiveRun, results: Results, done: QuestionDone) -> tuple[int, ...]:
    """Give an object what was found for its phrase; return its label, or none if it stays."""
    asked, place = run.asked, run.place
    label, target = asked.again_for, asked.target
    assert label is not None and target is not None and isinstance(place, PlaneSnapshot)
    fields = {"answer": done.answer, "model": asked.model.name}
    try:
        objects = results.existing(asked.images, place.placement, target)
        assert objects is not None
        changed = renew(
            objects,
            label,
            place.placement,
            run.renewed,
            replace=asked.replace,
            detail=run.detail,
            **fields,
        )
    except Sa2VAError as error:
        run.notes.append(Message(str(error), "error"))
        return ()
    return (label,) if changed else ()


class Describing:
    """Keeps descriptions until they are written, a step of the layer's time-line at a time.

    Parameters
    ----------
    viewer : napari.Viewer
    results : Results
        Of that viewer.
    writing : callable
        Called with the `LabelObjects` whose rows are about to be written.
    """

    def __init__(
        self, viewer: Any, results: Results, writing: Callable[[LabelObjects], object]
    ) -> None:
        self._viewer = viewer
        self._results = results
        self._writing = writing
        self._said: dict[int, Said] = {}
        self._since = 0.0

    def begin(self) -> None:
        """Forget what belongs to an earlier run."""
        self._said, self._since = {}, time.monotonic()

    def add(self, run: ActiveRun, done: QuestionDone) -> None:
        """Take an answer; write it, and those before it, when that is due."""
        label = run.questions[done.index].label
        if run.asked.mode != "describe" or label is None:
            return
        self._said[label] = done.answer.strip(), done.looked
        due = time.monotonic() - self._since > _MOST_SECONDS
        if due or len(self._said) >= _MOST_UNWRITTEN:
            self.write(run)

    def write(self, run: ActiveRun) -> None:
        """Write what is not written yet; if that is not possible the run is told why."""
        said, self._said = self._said, {}
        self._since = time.monotonic()
        if not said or run.regions is None:
            return
        layer = run.regions.choice.layer
        if layer not in self._viewer.layers:
            text = f"{layer.name!r} was deleted: its descriptions stand in the conversation only."
            run.notes.append(Message(text, "warning"))
            return
        if isinstance(layer, Labels) and not layer.multiscale:
            self._writing(self._results.of(layer))
        try:
            describe_regions(self._results, run.regions, said, run.detail)
        except Sa2VAError as error:
            run.notes.append(Message(str(error), "error"))
