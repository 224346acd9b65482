"""Regions in the dock: what is chosen, painted, described and followed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_sa2va.errors import InvalidInput, Sa2VAError
from napari_sa2va.viewer import snapshot
from napari_sa2va.viewer.descriptions import entries_for
from napari_sa2va.viewer.navigation import show_object
from napari_sa2va.viewer.regions import (
    RegionChoice,
    add_regions_layer,
    region_layers,
    region_snapshot,
)
from napari_sa2va.viewer.stack import stack_snapshot
from napari_sa2va.widgets.describing import NO_REGIONS
from napari_sa2va.widgets.messages import Message
from napari_sa2va.widgets.regions_panel import RegionsPanel

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sa2va.viewer.objects import LabelObjects
    from napari_sa2va.viewer.placement import Placement
    from napari_sa2va.viewer.results import Results
    from napari_sa2va.widgets.asked import Asked
    from napari_sa2va.widgets.controller import RunController


class RegionsPart:
    """Puts the regions panel, the viewer and the runs together.

    Parameters
    ----------
    viewer : napari.Viewer
    results : Results
        Of that viewer.
    controller : RunController
        Runs what is asked.
    asked : callable
        Returns what Run would send now.
    """

    told = Signal(object)
    """A `Message`."""

    def __init__(
        self,
        viewer: Any,
        results: Results,
        controller: RunController,
        asked: Callable[[], Asked],
    ) -> None:
        self._viewer = viewer
        self._results = results
        self._controller = controller
        self._asked = asked
        self.panel = RegionsPanel()
        self.panel.new_clicked.connect(self.new)
        self.panel.follow_clicked.connect(self.follow)

    @property
    def actions(self) -> dict[str, Callable[[], None]]:
        """What keys are for, by their names in `shortcuts.SHORTCUTS`."""
        return {"new_regions": self.new, "follow_region": self.follow}

    @property
    def choice(self) -> RegionChoice | None:
        """The regions that a question is about."""
        return self.panel.choice

    @property
    def described(self) -> LabelObjects | None:
        """The objects of the chosen layer, where it has rows already."""
        choice = self.choice
        of = {objects.labels: objects for objects in self._results.all}
        return None if choice is None else of.get(choice.layer)

    def refresh(self, objects: LabelObjects | None, *, follows: bool) -> None:
        """Offer the layers that there are; that of the objects before others."""
        own = None if objects is None else objects.labels
        self.panel.set_layers(list(region_layers(self._viewer)), own)
        self.panel.offer_follow(follows)

    def new(self) -> None:
        """Add a layer to paint regions in, and choose it."""
        asked = self._asked()
        try:
            placement = snapshot(self._viewer, asked.images, "whole").placement
            layer = add_regions_layer(self._viewer, asked.images, placement)
        except Sa2VAError as error:
            self.told.emit(Message(str(error), "error"))
            return
        self.panel.set_layers(list(region_layers(self._viewer)), layer)
        self.panel.choose(layer)

    def describe(self, objects: LabelObjects, labels: tuple[int, ...]) -> None:
        """Describe objects in the plane in view, or the first of them where it is."""
        here = [label for label in labels if _is_in_view(objects, label)]
        if not here and labels and (point := objects.point(labels[0])) is not None:
            show_object(self._viewer, objects.labels, labels[0], point)
            here = [labels[0]]
        asked = replace(
            self._asked(),
            text="",
            mode="describe",
            movie=None,
            regions=RegionChoice(objects.labels, tuple(here)),
        )
        elsewhere = [str(label) for label in labels if label not in here]
        if self._controller.ask(asked) and elsewhere:
            text = f"Not in the plane in view, so not described: {', '.join(elsewhere)}."
            self.told.emit(Message(text, "info"))

    def ask_again(self, objects: LabelObjects, label: int) -> None:
        """Ask for the phrase of an object again, in the plane in view; it gets what is found."""
        entry = objects.entry(label)
        if entry is None:
            return
        phrase = entry.record.phrase
        problem = ""
        if not phrase:
            problem = f"Object {label} has no phrase. Give it one first."
        elif objects.locked(label):
            problem = f"Object {label} is locked. Unlock it to change it."
        if problem:
            self.told.emit(Message(problem, "warning"))
            return
        again = replace(
            self._asked(),
            text=phrase,
            mode="segment",
            target=objects.labels,
            track=None,
            movie=None,
            again_for=label,
        )
        self._controller.ask(again, again=True)

    def follow(self) -> None:
        """Follow the chosen regions through the stack."""
        try:
            self._follow(self._asked())
        except Sa2VAError as error:
            self.told.emit(Message(str(error), "error"))

    def _follow(self, asked: Asked) -> None:
        choice, track = self.choice, asked.track
        if choice is None:
            raise InvalidInput(NO_REGIONS)
        if track is None:
            raise InvalidInput(
                "Choose what to follow the region through, under “Through z or time”."
            )
        stack = stack_snapshot(self._viewer, asked.images, track.axis, asked.look_at)
        placement = stack.placement(stack.axis.current)
        regions = region_snapshot(self._viewer, choice, placement)
        masks = regions.masks()
        if not masks:
            raise InvalidInput(
                f"{choice.layer.name!r} has no region in the plane in view. Paint one, or go to "
                "a plane that has one."
            )
        name, into = self.panel.name.text().strip(), None
        phrases = [name] * len(masks)
        objects = self._results.existing(asked.images, placement, asked.target)
        if objects is not None and objects.labels is choice.layer and not self._controller.busy:
            into = tuple(masks)
            self._name(objects, into, placement, name)
            phrases = [_phrase(objects, label) for label in into]
        seeds = {stack.axis.current: tuple(masks.values())}
        if self._controller.follow(stack, seeds, phrases, into, track, asked):
            self.panel.name.clear()

    def _name(
        self, objects: LabelObjects, labels: tuple[int, ...], placement: Placement, name: str
    ) -> None:
        """Give rows to labels that the user painted into the layer of results."""
        missing = [label for label in labels if objects.entry(label) is None]
        if not missing:
            return
        text = f"Take up {', '.join(map(str, missing))}"
        with objects.step("found", text, labels=missing) as step:
            for entry in entries_for(objects, missing, placement.index, name):
                step.add(entry)


def _is_in_view(objects: LabelObjects, label: int) -> bool:
    entry, view = objects.entry(label), objects.view
    return entry is not None and view is not None and entry.is_in(view)


def _phrase(objects: LabelObjects, label: int) -> str:
    entry = objects.entry(label)
    return "" if entry is None else entry.record.phrase
