"""Chips of the conversation and the objects that they name: one changes with the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from napari_sa2va.annotation.conversation import Home
from napari_sa2va.viewer.highlighting import Highlight, own_colour
from napari_sa2va.viewer.navigation import show_object
from napari_sa2va.viewer.results import results_of
from napari_sa2va.widgets.chat_turns import Look

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sa2va.annotation import Conversation
    from napari_sa2va.annotation.conversation import Chip
    from napari_sa2va.viewer.objects import LabelObjects
    from napari_sa2va.widgets.transcript import Transcript


class ChatChips:
    """Colours chips as their labels, and goes from a chip to its object and back.

    Parameters
    ----------
    viewer : napari.Viewer
    conversation : Conversation
    view : Transcript
        Shows some turns of it.
    busy : callable
        Whether an answer is being said: then nothing is scrolled.
    """

    def __init__(
        self,
        viewer: Any,
        conversation: Conversation,
        view: Transcript,
        busy: Callable[[], bool],
    ) -> None:
        self._viewer = viewer
        self._conversation = conversation
        self._view = view
        self._busy = busy
        self._highlight = Highlight(viewer)
        self._followed: LabelObjects | None = None
        self._watched: WeakSet[LabelObjects] = WeakSet()
        self._clicked = False
        view.looks = self.looks
        view.chip_entered.connect(self._on_entered)
        view.chip_clicked.connect(self._on_clicked)
        viewer.layers.events.removed.connect(self._on_layer_removed)
        self._results = results_of(viewer)
        self._results.made.connect(self._on_made)

    def close(self) -> None:
        """Stop following the viewer."""
        self.follow(None)
        self._viewer.layers.events.removed.disconnect(self._on_layer_removed)
        self._results.made.disconnect(self._on_made)
        for objects in list(self._watched):
            self._let_go(objects)

    def remove_highlight(self) -> None:
        """Take away the layer in which objects stand out."""
        self._highlight.remove()

    def watch(self, objects: LabelObjects | None) -> None:
        """Let chips change with the objects of a layer."""
        if objects is not None and objects not in self._watched:
            self._watched.add(objects)
            objects.changed.connect(self._on_changed)
            objects.labels.events.colormap.connect(self._on_changed)

    def _let_go(self, objects: LabelObjects) -> None:
        self._watched.discard(objects)
        objects.changed.disconnect(self._on_changed)
        objects.labels.events.colormap.disconnect(self._on_changed)

    def follow(self, objects: LabelObjects | None) -> None:
        """Look for the selected label of these objects in the conversation from now on."""
        if objects is self._followed:
            return
        if self._followed is not None:
            self._followed.labels.events.selected_label.disconnect(self._on_label)
        self._followed = objects
        if objects is not None:
            self.watch(objects)
            objects.labels.events.selected_label.connect(self._on_label)

    def looks(self, number: int) -> list[Look | None]:
        """Say how the chips of a turn are drawn now; None for those that name no object."""
        chips = self._conversation.turns[number].chips
        return [self._look(number, at) if chip.labels else None for at, chip in enumerate(chips)]

    def _look(self, number: int, at: int) -> Look:
        found = self._found(number, at)
        there = [] if found is None else _present(*found)
        if found is None or not there:
            return Look(None)
        labels, chip = found[0].labels, found[1]
        return Look(own_colour(labels, there[0]), int(labels.selected_label) in chip.labels)

    def _found(self, number: int, at: int) -> tuple[LabelObjects, Chip] | None:
        """Return a chip and whose objects it names; None where that is not known, or gone."""
        if not 0 <= number < len(self._conversation.turns):
            return None
        home = self._conversation.homes.get(number)
        chips = self._conversation.turns[number].chips
        objects = None if home is None else home.objects
        if objects is None or not 0 <= at < len(chips):
            return None
        return (objects, chips[at]) if objects.labels in self._viewer.layers else None

    # --- what happens ---

    def _on_changed(self) -> None:
        self._view.refresh_soon()

    def _on_layer_removed(self, event: Any) -> None:
        """Keep nothing of a layer that was deleted: what was said stays, its chips are struck."""
        if self._followed is not None and self._followed.labels is event.value:
            self.follow(None)
        for objects in [one for one in self._watched if one.labels is event.value]:
            self._let_go(objects)
        self._view.refresh_soon()

    def _on_made(self, objects: LabelObjects) -> None:
        """Give chips of a layer that was deleted and added again their objects back."""
        layer, homes = objects.labels.unique_id, self._conversation.homes
        for number, home in homes.items():
            if home.layer == layer and home.objects is not objects:
                homes[number] = Home(home.images, objects)
                self.watch(objects)
        self._view.refresh_soon()

    def _on_entered(self, number: int, at: int) -> None:
        found = self._found(number, at)
        if found is None:
            self._highlight.hide()
        else:
            self._highlight.show(found[0], _present(*found))

    def _on_clicked(self, number: int, at: int) -> None:
        """Go to the object; of several to the next one after the one that is selected."""
        found = self._found(number, at)
        there = [] if found is None else _present(*found)
        if found is None or not there:
            return
        objects = found[0]
        now = int(objects.labels.selected_label)
        label = there[(there.index(now) + 1) % len(there)] if now in there else there[0]
        point = objects.point(label)
        if point is not None:
            self._highlight.hide()
            self._clicked = True  # the text stays where it was clicked
            try:
                show_object(self._viewer, objects.labels, label, point)
            finally:
                self._clicked = False

    def _on_label(self) -> None:
        """Scroll to where the selected object is named last."""
        objects = self._followed
        self._view.refresh_soon()
        if objects is None or self._clicked or self._busy():
            return
        label = int(objects.labels.selected_label)
        for number in reversed(self._view.numbers):
            home = self._conversation.homes.get(number)
            if home is None or home.objects is not objects:
                continue
            for at, chip in enumerate(self._conversation.turns[number].chips):
                if label in chip.labels:
                    self._view.show_chip(number, at)
                    return


def _present(objects: LabelObjects, chip: Chip) -> list[int]:
    return [label for label in chip.labels if objects.entry(label) is not None]
