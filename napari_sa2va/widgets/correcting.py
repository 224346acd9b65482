"""From clicks on the canvas to a corrected object: nothing changes before it is accepted."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakMethod

from psygnal import Signal

from napari_sa2va.errors import InvalidInput, Sa2VAError
from napari_sa2va.viewer import snapshot
from napari_sa2va.widgets.correct_hand import CorrectHand
from napari_sa2va.widgets.correct_opening import opening
from napari_sa2va.widgets.correct_state import CorrectState, state_of
from napari_sa2va.widgets.correct_target import CorrectTarget
from napari_sa2va.widgets.correct_telling import CorrectTelling
from napari_sa2va.widgets.correct_view import CorrectView
from napari_sa2va.widgets.current_correction import CurrentCorrection
from napari_sa2va.widgets.looking_ahead import LookingAhead
from napari_sa2va.widgets.propagation import propagation

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sa2va.engine import Runner
    from napari_sa2va.model.track_state import Direction
    from napari_sa2va.viewer.objects import LabelObjects
    from napari_sa2va.viewer.results import Results
    from napari_sa2va.widgets.asked import Asked
    from napari_sa2va.widgets.open_correction import OpenCorrection
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

    Attributes
    ----------
    told : signal
        A `Message`, or None when the last one no longer holds.
    accepted : signal
        An `Accepted`.
    """

    state_changed = Signal(object)
    """A `CorrectState`."""

    def __init__(
        self, viewer: Any, results: Results, runner: Runner, asked: Callable[[], Asked]
    ) -> None:
        self.state = CorrectState()
        self.target = CorrectTarget()
        self._viewer, self._results = viewer, results
        self._asked = WeakMethod(asked)
        self._telling = CorrectTelling()
        self._current = CurrentCorrection(viewer, results, runner, self.target, self._telling)
        self.refining, self.drawing = self._current.refining, self._current.drawing
        self.told, self.accepted = self._telling.told, self._current.accepted
        self._hand = CorrectHand(viewer)
        self._clicks = self._hand.clicks
        self._view = CorrectView(viewer)
        self._ahead = LookingAhead(viewer, runner, self.refining, self.drawing, self._waited_for)
        self._growing: OpenCorrection | None = None
        self._current.changed.connect(self._tell)
        self._current.ended.connect(self._on_ended)
        self.target.changed.connect(self._current.show)
        self._clicks.clicked.connect(self._on_click)
        self._clicks.drawing.connect(self._on_drawing)
        self._clicks.drawn.connect(self._on_drawn)
        self._view.moved.connect(self._on_moved)
        self._view.tool_changed.connect(self._tell)
        self._view.layer_removed.connect(self._current.forget_image)
        results.removed.connect(self._on_objects_removed)

    def close(self) -> None:
        """End everything: the viewer goes, or the dock does."""
        self._telling.closed = True
        self._clicks.on = False
        self.refining.close()
        self._results.removed.disconnect(self._on_objects_removed)
        self._view.close()
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
            with self._telling.errors():
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
            self._telling.say(
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
        self._hand.positive = True
        self._tell()

    def click_negative(self) -> None:
        """Let clicks and strokes say what does not belong to it."""
        self._hand.positive = False
        self._tell()

    def drag_box(self) -> None:
        """Let drags draw boxes, or no longer."""
        self._hand.take("box")
        self._tell()

    def drag_scribble(self) -> None:
        """Let drags draw strokes, or no longer."""
        self._hand.take("scribble")
        self._tell()

    def settings_changed(self) -> None:
        """Take note of another model or other options."""
        asked = self._asked()
        if self._open is not None and asked is not None:
            self._current.use(asked())

    # --- marks ---

    def _on_click(self, world: Any, negative: bool) -> None:
        with self._telling.errors():
            opened = self._opened(self._hand.click_says(negative), world)
            if opened is not None:
                self._current.add(opened, self._hand.click(opened, world, negative))

    def _on_drawing(self, path: list[Any], negative: bool) -> None:
        """Show a stroke while it grows."""
        if self._growing is None:
            with suppress(Sa2VAError):  # said when it is drawn
                self._growing = self._opened(self._hand.drag_says(negative))
        if self._growing is not None:
            mark = self._hand.growing(self._growing, path, negative)
            self.drawing.show_marks(self._growing, mark)

    def _on_drawn(self, path: list[Any], negative: bool) -> None:
        self._growing = None
        with self._telling.errors():
            opened = self._opened(self._hand.drag_says(negative))
            if opened is not None:
                self._current.add(opened, self._hand.drag(opened, path, negative))

    def use_paint(self) -> None:
        """Take the object's pixels, as somebody painted them, for the object."""
        with self._telling.errors():
            opened = self._opened(True)
            if opened is not None:
                self._current.add_paint(opened)

    def undo_click(self) -> None:
        """Take the newest mark back; without any, the correction is over."""
        self._current.undo()

    def _opened(self, positive: bool, world: Any = None) -> OpenCorrection | None:
        """Return the open correction, or one that a mark in view would open.

        None where a click has chosen another object instead.

        Raises
        ------
        Sa2VAError
            No mark can be made there.
        """
        if self._open is None:
            asked = self._asked_now()
            return opening(
                self._viewer, self._results, asked, self.target, positive=positive, world=world
            )
        if self._elsewhere():
            raise InvalidInput(
                f"The correction of {self._open.name} is open in {self._elsewhere()}. Accept "
                "or reject it first, or go back there."
            )
        return self._open

    # --- what comes of it ---

    def next_candidate(self) -> None:
        """Show another mask that fits the marks."""
        self._current.turn_candidates(1)

    def previous_candidate(self) -> None:
        """Show the mask before."""
        self._current.turn_candidates(-1)

    def accept(self) -> bool:
        """Make the correction, or as soon as it is known; return whether it was made."""
        return self._current.accept()

    def reject(self) -> None:
        """Throw the correction away; it can be brought back."""
        opened = self._current.throw_away()
        if opened is not None:
            count = len(opened.marks.given)
            text = f"Rejected: {count} mark{'s' * (count > 1)} on {opened.name}."
            self._telling.say(text, "info", "Bring back", self.bring_back)

    def bring_back(self) -> None:
        """Open the correction again that was rejected last."""
        opened = self._current.taken_back()
        if opened is not None:
            self.turn(True)
            self._current.open_again(opened)

    def go_back(self) -> None:
        """Show the plane that the open correction is in."""
        if self._open is not None:
            self._view.go_to(self._open.place.placement, self._current.order)

    def to_propagate(self, direction: Direction) -> Propagation | None:
        """Return how to propagate the object; None where a message says why not.

        An open correction is accepted first.
        """
        if self._open is not None and not self.accept():
            if self._current.accept_soon:
                self._current.accept_soon = False
                self._telling.say("The correction is not found yet. Wait a moment.", "warning")
            return None
        with self._telling.errors():
            objects, label, plane = self.target.to_propagate
            asked = self._asked_now()
            return propagation(self._viewer, asked, objects, label, direction, plane)
        return None

    # --- what happens elsewhere ---

    def _on_moved(self) -> None:
        if self._clicks.on:
            self._tell()
            if self._open is None:
                self._ahead.look_soon()

    def _on_objects_removed(self, objects: LabelObjects) -> None:
        self.target.forget(objects)
        self._current.forget_objects(objects)

    def _on_ended(self) -> None:
        self._hand.positive = True  # what begins with what it is not, has no beginning

    # --- what is ---

    @property
    def _open(self) -> OpenCorrection | None:
        return self._current.opened

    def _elsewhere(self) -> str:
        """Name the plane of the open correction, where another one is in view."""
        return "" if self._open is None else self._view.elsewhere(self._open.place.placement)

    def _asked_now(self) -> Asked:
        asked = self._asked()
        assert asked is not None  # the dock owns this
        return asked()

    def _waited_for(self) -> Asked | None:
        """Return what a first click would be on; None while none is waited for."""
        return self._asked_now() if self._clicks.on and self._open is None else None

    def _tell(self) -> None:
        """Say what is, if that is news."""
        if self._telling.closed:  # who listened may be gone
            return
        state = state_of(self._current, self.target, self._hand, self._view)
        if state != self.state:
            self.state = state
            self.state_changed.emit(state)
