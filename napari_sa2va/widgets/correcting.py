"""From clicks on the canvas to a corrected object: nothing changes before it is accepted."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakMethod

import numpy as np
from psygnal import Signal

from napari_sa2va.errors import InvalidInput, Sa2VAError
from napari_sa2va.viewer import snapshot
from napari_sa2va.viewer.clicks import CanvasClicks
from napari_sa2va.viewer.correction import accept
from napari_sa2va.viewer.labels import check_target
from napari_sa2va.viewer.pointing import in_frame, label_at, plane_shown
from napari_sa2va.widgets.correct_drawing import CorrectDrawing
from napari_sa2va.widgets.correct_state import CorrectState, hint
from napari_sa2va.widgets.correct_target import Accepted, CorrectTarget
from napari_sa2va.widgets.looking_ahead import LookingAhead
from napari_sa2va.widgets.marking import click_at, outside, plane_name, stroke_along
from napari_sa2va.widgets.messages import Message
from napari_sa2va.widgets.open_correction import OpenCorrection
from napari_sa2va.widgets.propagation import propagation
from napari_sa2va.widgets.refining import Refining

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_sa2va.annotation.prompts import Mark
    from napari_sa2va.engine import Runner
    from napari_sa2va.model.track_state import Direction
    from napari_sa2va.viewer.clicks import Drag
    from napari_sa2va.viewer.objects import LabelObjects
    from napari_sa2va.viewer.results import Results
    from napari_sa2va.widgets.asked import Asked
    from napari_sa2va.widgets.open_correction import Found
    from napari_sa2va.widgets.propagation import Propagation


class Correcting:
    """Takes clicks while it is on, shows what they would change, and changes it when told to.

    One correction is open at a time, and belongs to the plane that it was begun in.

    Parameters
    ----------
    viewer : napari.Viewer
    results : Results
        Of that viewer.
    runner : Runner
        Shared by all docks.
    asked : bound method
        Returns an `Asked`: image, model and options as they are chosen now. Not kept alive.
    """

    state_changed = Signal(object)
    """A `CorrectState`."""
    told = Signal(object)
    """A `Message`, or None when the last one no longer holds."""
    accepted = Signal(object)
    """An `Accepted`."""

    def __init__(
        self, viewer: Any, results: Results, runner: Runner, asked: Callable[[], Asked]
    ) -> None:
        self.state = CorrectState()
        self.refining = Refining(runner)
        self.target = CorrectTarget()
        self._viewer, self._results = viewer, results
        self._asked = WeakMethod(asked)
        self.drawing = CorrectDrawing(viewer, self.undo_click)
        self._clicks = CanvasClicks(viewer)
        self._ahead = LookingAhead(viewer, runner, self.refining, self.drawing, self._waited_for)
        self._open: OpenCorrection | None = None
        self._thrown: OpenCorrection | None = None
        self._order: tuple[int, ...] = ()
        self._accept_soon = self._warned = False
        self._positive = True
        self._busy = ""
        self._growing: OpenCorrection | None = None
        self._by_hand: OpenCorrection | None = None
        self._watched: Any = None
        self._closed = False
        self.target.changed.connect(self._on_target)
        self._clicks.clicked.connect(self._on_click)
        self._clicks.drawing.connect(self._on_drawing)
        self._clicks.drawn.connect(self._on_drawn)
        self.refining.found.connect(self._on_found)
        self.refining.failed.connect(self._on_failed)
        self.refining.stage.connect(self._on_stage)
        results.removed.connect(self._on_objects_removed)
        for event, slot in self._slots():
            event.connect(slot)
        self._watch(viewer.layers.selection.active)

    def _slots(self) -> list[tuple[Any, Callable[..., None]]]:
        dims, layers = self._viewer.dims.events, self._viewer.layers
        return [
            (dims.point, self._on_view),
            (dims.order, self._on_view),
            (dims.ndisplay, self._on_view),
            (layers.events.removed, self._on_layer_removed),
            (layers.selection.events.active, self._on_active),
        ]

    def close(self) -> None:
        """End everything: the viewer goes, or the dock does."""
        self._closed = True
        self._clicks.on = False
        self._watch(None)
        self.refining.close()
        self._results.removed.disconnect(self._on_objects_removed)
        for event, slot in self._slots():
            event.disconnect(slot)
        self.target.follow(None)

    # --- what the user chooses ---

    def toggle(self) -> None:
        """Begin or end taking clicks."""
        self.turn(not self._clicks.on)

    def turn(self, on: bool) -> None:
        """Begin or end taking clicks; an open correction is rejected, and can be brought back."""
        if on == self._clicks.on:
            return
        if on:
            with self._telling():
                asked = self._asked_now()
                snapshot(self._viewer, asked.images, asked.look_at)
                self._clicks.on = True
                self._clicks.put_down()
                self._ahead.look()
        else:
            self._clicks.on = False
            self.reject()
            self.drawing.hide()
        self._tell()

    def begin_new(self) -> None:
        """Let the next mark begin a new object."""
        self._choose(new=True)

    def take_selected(self) -> None:
        """Let the next mark correct the selected object."""
        self._choose(new=False)

    def _choose(self, *, new: bool) -> None:
        if self._open is not None:
            self._warn(
                f"The correction of {self._open.name} is open. Accept or reject it first.",
                "warning",
            )
        else:
            self.target.new = new
        self.turn(True)
        self._tell()

    def set_phrase(self, phrase: str) -> None:
        """Name the next new object."""
        self.target.phrase = phrase.strip()
        if self._open is not None and self._open.label is None:
            self._open.phrase = self.target.phrase

    def click_positive(self) -> None:
        """Let clicks and strokes say what belongs to the object."""
        self._positive = True
        self._tell()

    def click_negative(self) -> None:
        """Let clicks and strokes say what does not belong to it."""
        self._positive = False
        self._tell()

    def drag_box(self) -> None:
        """Let drags draw boxes, or no longer."""
        self._drag("box")

    def drag_scribble(self) -> None:
        """Let drags draw strokes, or no longer."""
        self._drag("scribble")

    def _drag(self, drag: Drag) -> None:
        self._clicks.drag = "pan" if self._clicks.drag == drag else drag
        if self._clicks.on:
            self._clicks.put_down()
        self._tell()

    def settings_changed(self) -> None:
        """Take note of another model or other options."""
        opened, asked = self._open, self._asked()
        if opened is None or asked is None:
            return
        now = asked()
        other = now.model != opened.asked.model
        opened.asked = replace(opened.asked, model=now.model, replace=now.replace)
        if other:  # its logits mean nothing to another model
            opened.marks.found.clear()
            self.refining.want(opened)
        self._show()

    # --- marks ---

    def _on_click(self, world: Any, negative: bool) -> None:
        positive = self._positive and not negative
        with self._telling():
            opened = self._opened(positive, world)
            if opened is not None:
                self._add(opened, click_at(self._viewer, opened, world, positive=positive))

    def _on_drawing(self, path: list[Any], negative: bool) -> None:
        """Show a stroke while it grows."""
        if self._growing is None:
            with suppress(Sa2VAError):  # said when it is drawn
                self._growing = self._opened(self._says(negative))
        if self._growing is not None:
            mark = self._stroke(self._growing, path, negative)
            self.drawing.show_marks(self._growing, mark)

    def _on_drawn(self, path: list[Any], negative: bool) -> None:
        self._growing = None
        with self._telling():
            opened = self._opened(self._says(negative))
            if opened is not None:
                mark = self._stroke(opened, path, negative)
                if mark is None:
                    raise InvalidInput(outside(opened.asked))
                self._add(opened, mark)

    def _says(self, negative: bool) -> bool:
        """Whether a drag says what is in the object; a box always does."""
        return self._clicks.drag == "box" or (self._positive and not negative)

    def _stroke(self, opened: OpenCorrection, path: list[Any], negative: bool) -> Mark | None:
        drag, positive = self._clicks.drag, self._says(negative)
        return stroke_along(self._viewer, opened, path, drag, positive=positive)

    def use_paint(self) -> None:
        """Take the object's pixels, as somebody painted them, for the object."""
        with self._telling():
            opened = self._opened(True)
            if opened is None:
                return
            if opened.label is None and opened.objects is not None:
                label = int(opened.objects.labels.selected_label)
                if opened.objects.entry(label) is None:  # painted by hand, and no object yet
                    opened.label = label
                    self._by_hand = opened
            self._add(opened, opened.painted())

    def undo_click(self) -> None:
        """Take the newest mark back; without any, the correction is over."""
        opened = self._open
        if opened is None:
            return
        self._accept_soon = False
        opened.marks.undo()
        if not opened.marks.given:
            self._close()
            return
        self.drawing.show_marks(opened)
        self.refining.want(opened)
        self._show()

    def _opened(self, positive: bool, world: Any = None) -> OpenCorrection | None:
        """Return the open correction, or one that a mark in view would open.

        None where a click has chosen another object instead.

        Raises
        ------
        Sa2VAError
            No mark can be made there.
        """
        if self._open is not None:
            if self._elsewhere():
                raise InvalidInput(
                    f"The correction of {self._open.name} is open in {self._elsewhere()}. Accept "
                    "or reject it first, or go back there."
                )
            return self._open
        asked = self._asked_now()
        place = snapshot(self._viewer, asked.images, asked.look_at)
        objects = self._results.existing(asked.images, place.placement, asked.target)
        target = self.target
        target.follow(objects)
        label, last = target.label, target.last
        if world is not None and positive and objects is not None and not target.new:
            there = label_at(
                objects, place.placement, in_frame(self._viewer, place.placement, world)
            )
            if there not in (0, label) and (label is None or not asked.replace):
                objects.labels.selected_label = there
                self._tell()
                return None
        opened = OpenCorrection.begin(asked, place, objects, label, target.phrase)
        if not positive and opened.marks.base is None:
            raise InvalidInput("Click in the object first, then take away what is too much.")
        if last is not None and last.objects is objects and last.label == label:
            opened.go_on_from(last.opened, last.found)
        return opened

    def _add(self, opened: OpenCorrection, mark: Mark) -> None:
        if self._warned:
            self._warned = False
            self.told.emit(None)
        if self._open is None:
            self.drawing.begin(opened.place.placement)
        self._open, self._thrown, self._accept_soon = opened, None, False
        self.target.held = True
        self._order = tuple(self._viewer.dims.order)
        opened.marks.add(mark)
        self.drawing.show_marks(opened)
        self.refining.want(opened)
        self._tell()

    # --- what comes back ---

    def _on_found(self, opened: OpenCorrection, state: tuple[Mark, ...], found: Found) -> None:
        if opened is not self._open or not opened.marks.note(state, found):
            return
        self._show()
        if self._accept_soon and opened.marks.answer is not None:
            self.accept()

    def _on_failed(self, text: str) -> None:
        self._accept_soon = False
        self._warn(text, "error")
        self._tell()

    def _on_stage(self, text: str) -> None:
        self._busy = text
        self._tell()

    def _show(self) -> None:
        """Draw the newest proposal."""
        if self._open is not None:
            self.drawing.show_proposal(self._open)
        self._tell()

    def next_candidate(self) -> None:
        """Show another mask that fits the marks."""
        self._turn_candidates(1)

    def previous_candidate(self) -> None:
        """Show the mask before."""
        self._turn_candidates(-1)

    def _turn_candidates(self, step: int) -> None:
        found = None if self._open is None else self._open.marks.answer
        if found is not None:
            found.at = (found.at + step) % len(found.masks)
            self._show()

    # --- the end of a correction ---

    def accept(self) -> bool:
        """Make the correction, or as soon as it is known; return whether it was made."""
        opened = self._open
        if opened is None:
            return False
        found = opened.marks.answer
        if found is None:
            self._accept_soon = self.refining.busy
            self._tell()
            return False
        with self._telling():
            if not found.mask.inside.any():
                raise InvalidInput("Nothing was found there, so there is nothing to accept.")
            asked, placement = opened.asked, opened.place.placement
            objects = self._goes_into(opened)
            if self._is_gone(opened, objects):
                return False
            opened.objects = objects
            label = accept(
                objects,
                placement.index,
                opened.label,
                opened.change(found),
                found.mask,
                phrase=opened.phrase,
                model=asked.model.name,
                detail={**found.detail, "candidate": found.at},
            )
            accepted = Accepted(objects, label, opened, found)
            self.target.accept(accepted)
            self._close()
            self.accepted.emit(accepted)
            return True
        return False

    def _goes_into(self, opened: OpenCorrection) -> LabelObjects:
        """Return the objects that a correction is of, whatever layers have come since.

        Raises
        ------
        Sa2VAError
            The layer cannot be written to.
        """
        asked, placement = opened.asked, opened.place.placement
        if opened.objects is None:
            return self._results.prepared(asked.images, placement, asked.target)
        labels = opened.objects.labels
        if labels not in self._viewer.layers:
            raise InvalidInput("The labels layer of this correction was deleted. Reject it.")
        check_target(labels, placement)
        return opened.objects

    def _is_gone(self, opened: OpenCorrection, objects: LabelObjects) -> bool:
        """Whether the object of a correction is no more; it is about a new object then."""
        label = opened.label
        if label is None or opened is self._by_hand or objects.entry(label) is not None:
            return False
        opened.label = None
        self._warn(
            f"Object {label} is not there any more: it was deleted or undone meanwhile. Accept "
            "again to make a new object of the correction, or reject it.",
            "warning",
        )
        self._show()
        return True

    def reject(self) -> None:
        """Throw the correction away; it can be brought back."""
        opened = self._open
        if opened is None:
            return
        self._thrown = opened
        self._close()
        count = len(opened.marks.given)
        marks = f"{count} mark{'s' * (count > 1)}"
        self._warn(f"Rejected: {marks} on {opened.name}.", "info", "Bring back", self.bring_back)

    def bring_back(self) -> None:
        """Open the correction again that was rejected last."""
        opened, self._thrown = self._thrown, None
        if opened is None or self._open is not None:
            return
        self.turn(True)
        self._open, self.target.held = opened, True
        self.drawing.begin(opened.place.placement)
        self.drawing.show_marks(opened)
        self.refining.want(opened)
        self._show()

    def go_back(self) -> None:
        """Show the plane that the open correction is in."""
        if self._open is None:
            return
        dims, placement = self._viewer.dims, self._open.place.placement
        dims.ndisplay = 2
        if len(self._order) == dims.ndim:
            dims.order = self._order
        index = np.array([0 if at is None else at for at in placement.index] + [1], dtype=float)
        world = placement.geometry.matrix @ index
        offset = dims.ndim - len(placement.index)
        for axis, at in enumerate(placement.index):
            if at is not None:
                dims.set_point(axis + offset, world[axis])

    def to_propagate(self, direction: Direction) -> Propagation | None:
        """Return how to propagate the object; None where a message says why not.

        An open correction is accepted first.
        """
        if self._open is not None and not self.accept():
            if self._accept_soon:
                self._accept_soon = False
                self._warn("The correction is not found yet. Wait a moment.", "warning")
            return None
        with self._telling():
            objects, label, plane = self.target.to_propagate
            asked = self._asked_now()
            return propagation(self._viewer, asked, objects, label, direction, plane)
        return None

    def _close(self) -> None:
        self._open, self._accept_soon = None, False
        self.target.held = False
        self._positive = True  # what begins with what it is not, has no beginning
        self.refining.drop()
        self.drawing.clear()
        self._tell()

    # --- the viewer ---

    def _on_target(self) -> None:
        if self._open is not None:
            self._show()
        else:
            self._tell()

    def _on_view(self) -> None:
        if self._clicks.on:
            self._tell()
            if self._open is None:
                self._ahead.look_soon()

    def _on_active(self, event: Any) -> None:
        self._watch(event.value)
        self._tell()

    def _watch(self, layer: Any) -> None:
        """Follow which tool of a layer is in hand, and of no other layer."""
        if self._watched is not None:
            self._watched.events.mode.disconnect(self._tell)
        self._watched = layer
        if layer is not None:
            layer.events.mode.connect(self._tell)

    def _on_layer_removed(self, event: Any) -> None:
        if self._thrown is not None and event.value in self._thrown.asked.images:
            self._thrown = None
        if self._open is not None and event.value in self._open.asked.images:
            self._close()
            self._warn("The image was deleted, and its correction with it.", "warning")

    def _on_objects_removed(self, objects: LabelObjects) -> None:
        self.target.forget(objects)
        if self._thrown is not None and self._thrown.objects is objects:
            self._thrown = None
        opened = self._open
        if opened is not None and opened.objects is objects:
            opened.objects = None
            if opened.label is not None:
                self._close()
                self._warn("The labels were deleted, and the correction with them.", "warning")
            else:
                self._show()

    def _waited_for(self) -> Asked | None:
        """Return what a first click would be on; None while none is waited for."""
        return self._asked_now() if self._clicks.on and self._open is None else None

    def _elsewhere(self) -> str:
        """Name the plane of the open correction, where another one is in view."""
        if self._open is None:
            return ""
        placement = self._open.place.placement
        with suppress(InvalidInput):  # seen edge-on
            shown = self._viewer.dims.ndisplay == 2
            if shown and plane_shown(self._viewer, placement) == placement.index:
                return ""
        return plane_name(placement)

    # --- telling ---

    def _asked_now(self) -> Asked:
        asked = self._asked()
        assert asked is not None  # the dock owns this
        return asked()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Say what goes wrong inside."""
        try:
            yield
        except Sa2VAError as error:
            self._warn(str(error), "warning")
            self._tell()
            if self._open is not None:
                self.drawing.show_marks(self._open)
            else:
                self.drawing.clear()

    def _warn(self, text: str, level: Any, button: str = "", action: Any = None) -> None:
        if self._closed:
            return
        self._warned = True
        self.told.emit(Message(text, level, button, action))

    def _tell(self, *_: object) -> None:
        """Say what is, if that is news."""
        if self._closed:  # who listened may be gone
            return
        opened, target = self._open, self.target
        selected = target.selected
        found = None if opened is None else opened.marks.answer
        state = CorrectState(
            on=self._clicks.on,
            selected=selected,
            phrase=target.selected_phrase,
            new=target.label is None if opened is None else opened.label is None,
            open=opened is not None,
            marks=0 if opened is None else len(opened.marks.given),
            positive=self._positive,
            drag=self._clicks.drag,
            busy=self._busy,
            candidate=0 if found is None else found.at + 1,
            candidates=0 if found is None else len(found.masks),
            elsewhere=self._elsewhere(),
            propagates=target.propagates,
            in_hand=self._clicks.in_hand,
            flat=self._viewer.dims.ndisplay == 2,
            name="" if opened is None else opened.name,
            iou=None if found is None else found.mask.iou,
            empty=found is not None and not found.mask.inside.any(),
            blocked=self.drawing.blocked,
            accepting=self._accept_soon,
        )
        state = replace(state, text=hint(state))
        if state != self.state:
            self.state = state
            self.state_changed.emit(state)
