"""Objects that an answer found in one plane, followed through the others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import ref

from psygnal import Signal

from napari_sa2va.errors import Sa2VAError
from napari_sa2va.viewer.navigation import show_object
from napari_sa2va.viewer.regions import RegionChoice, region_snapshot
from napari_sa2va.viewer.stack import stack_axes, stack_snapshot
from napari_sa2va.widgets.asked import TrackOptions
from napari_sa2va.widgets.messages import Message, combined

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_sa2va.viewer.objects import LabelObjects
    from napari_sa2va.widgets.active_run import ActiveRun
    from napari_sa2va.widgets.asked import Asked
    from napari_sa2va.widgets.controller import RunController


class ChatFollowing:
    """Offers to follow what an answer found, where there are planes to follow it through.

    Parameters
    ----------
    viewer : napari.Viewer
    controller : RunController
    asked : callable
        Returns what Run would send now: how to follow is chosen in the dock.
    """

    told = Signal(object)
    """A `Message`."""

    def __init__(self, viewer: Any, controller: RunController, asked: Callable[[], Asked]) -> None:
        self._viewer = viewer
        self._controller = controller
        self._asked = asked
        controller.finished.connect(self._on_finished)

    def _on_finished(self, run: ActiveRun) -> None:
        result = run.result
        if run.chat is None or result is None or not result.labels or run.cancelled.is_set():
            return
        track = self._track(run.asked)
        # There is one button: what the run itself offers, to overwrite, comes first.
        if track is None or any(note.action is not None for note in run.notes):
            return
        labels, many = result.labels, len(result.labels) > 1
        # The offer keeps no layer that is deleted.
        asked, there = replace(run.asked, target=None, regions=None), ref(result.objects)
        axes = stack_axes(self._viewer, run.asked.images)
        name = next(one.name for one in axes if one.axis == track.axis)
        offer = Message(
            f"{len(labels)} object{'s' * many} found in this plane.",
            "info",
            f"Follow {'them' if many else 'it'} through {name}",
            lambda: self._follow(there(), labels, asked),
        )
        self.told.emit(combined([*run.notes, offer]))

    def _track(self, asked: Asked) -> TrackOptions | None:
        """Return how to follow: as chosen in the dock, else through the first axis there is."""
        chosen = self._asked().track
        axes = stack_axes(self._viewer, asked.images)
        if chosen is not None and any(axis.axis == chosen.axis for axis in axes):
            return replace(chosen, keys="current", each=False)
        if not axes:
            return None
        return TrackOptions(axes[0].axis, "current", "both", None, (0, axes[0].length))

    def _follow(self, objects: LabelObjects | None, labels: Sequence[int], asked: Asked) -> None:
        layers, there = self._viewer.layers, list[int]()
        if objects is not None and all(one in layers for one in (objects.labels, *asked.images)):
            there = [label for label in labels if objects.entry(label) is not None]
        track = self._track(asked) if there else None
        if objects is None or track is None:
            self.told.emit(Message("What was found is not there any more.", "warning"))
            return
        point = objects.point(there[0])
        if point is not None:
            show_object(self._viewer, objects.labels, there[0], point)
        try:
            stack = stack_snapshot(self._viewer, asked.images, track.axis, asked.look_at)
            placement = stack.placement(stack.axis.current)
            choice = RegionChoice(objects.labels, tuple(there))
            masks = region_snapshot(self._viewer, choice, placement).masks()
        except Sa2VAError as error:
            self.told.emit(Message(str(error), "error"))
            return
        records = [objects.record_of(label) for label in masks]
        phrases = ["" if record is None else record.phrase for record in records]
        seeds = {stack.axis.current: tuple(masks.values())}
        target = replace(asked, target=objects.labels)
        self._controller.follow(stack, seeds, phrases, tuple(masks), track, target)
