"""The life of a correction: marks, what is found for them, and its end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_sa2va.errors import InvalidInput
from napari_sa2va.widgets.correct_drawing import CorrectDrawing
from napari_sa2va.widgets.correct_ending import goes_into, made
from napari_sa2va.widgets.refining import Refining
from napari_sa2va.zoo import DEMO

if TYPE_CHECKING:
    from napari_sa2va.annotation.prompts import Mark
    from napari_sa2va.engine import Runner
    from napari_sa2va.viewer.objects import LabelObjects
    from napari_sa2va.viewer.results import Results
    from napari_sa2va.widgets.asked import Asked
    from napari_sa2va.widgets.correct_target import CorrectTarget
    from napari_sa2va.widgets.correct_telling import CorrectTelling
    from napari_sa2va.widgets.open_correction import Found, OpenCorrection


class CurrentCorrection:
    """The correction that is open, if one is; nothing changes before it is accepted.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
    results : Results
        Of that viewer.
    runner : Runner
    target : CorrectTarget
    telling : CorrectTelling

    Attributes
    ----------
    opened : OpenCorrection or None
    order : tuple of int
        The order of the viewer's axes at the newest mark.
    accept_soon : bool
        It is accepted as soon as it is known.
    busy : str
        What the model does; empty for nothing.
    refining : Refining
    drawing : CorrectDrawing
    """

    changed = Signal()
    """Anything of it may be news."""
    accepted = Signal(object)
    """An `Accepted`."""
    ended = Signal()
    """It was accepted or thrown away."""

    def __init__(
        self,
        viewer: Any,
        results: Results,
        runner: Runner,
        target: CorrectTarget,
        telling: CorrectTelling,
    ) -> None:
        self.opened: OpenCorrection | None = None
        self.order: tuple[int, ...] = ()
        self.accept_soon = False
        self.busy = ""
        self.refining = Refining(runner)
        self.drawing = CorrectDrawing(viewer, self.undo)
        self._viewer, self._results = viewer, results
        self._target, self._telling = target, telling
        self._thrown: OpenCorrection | None = None
        self._by_hand: OpenCorrection | None = None
        self.refining.found.connect(self._on_found)
        self.refining.failed.connect(self._on_failed)
        self.refining.stage.connect(self._on_stage)
        telling.failed.connect(self._on_mistake)

    @property
    def found(self) -> Found | None:
        """What is proposed for all its marks; None while that is not known."""
        return None if self.opened is None else self.opened.marks.answer

    # --- marks ---

    def add(self, opened: OpenCorrection, mark: Mark) -> None:
        """Add a mark to a correction, which is open from now on."""
        self._telling.settle()
        if self.opened is None:
            self.drawing.begin(opened.place.placement)
        self.opened, self._thrown, self.accept_soon = opened, None, False
        self._target.held = True
        self.order = tuple(self._viewer.dims.order)
        opened.marks.add(mark)
        self.drawing.show_marks(opened)
        self.refining.want(opened)
        self.changed.emit()

    def add_paint(self, opened: OpenCorrection) -> None:
        """Add the object's pixels, as somebody painted them, as a mark.

        Raises
        ------
        InvalidInput
            It has none in view.
        """
        if opened.label is None and opened.objects is not None:
            label = int(opened.objects.labels.selected_label)
            if opened.objects.entry(label) is None:  # painted by hand, and no object yet
                opened.label = label
                self._by_hand = opened
        self.add(opened, opened.painted())

    def undo(self) -> None:
        """Take the newest mark back; without any, the correction is over."""
        opened = self.opened
        if opened is None:
            return
        self.accept_soon = False
        opened.marks.undo()
        if not opened.marks.given:
            self._end()
            return
        self.drawing.show_marks(opened)
        self.refining.want(opened)
        self.show()

    def use(self, asked: Asked) -> None:
        """Go on with another model or other options."""
        opened = self.opened
        if opened is None:
            return
        other = asked.model != opened.asked.model
        opened.asked = replace(opened.asked, model=asked.model, replace=asked.replace)
        if other:  # its logits mean nothing to another model
            opened.marks.found.clear()
            self.refining.hold(opened)  # to choose a model is not to fetch it
            if asked.model.name == DEMO:
                self.refining.want(opened)
        self.show()

    # --- what comes back ---

    def show(self) -> None:
        """Draw the newest proposal."""
        if self.opened is not None:
            self.drawing.show_proposal(self.opened)
        self.changed.emit()

    def turn_candidates(self, step: int) -> None:
        """Show another mask that fits the marks."""
        found = self.found
        if found is not None:
            found.at = (found.at + step) % len(found.masks)
            self.show()

    def _on_found(self, opened: OpenCorrection, state: tuple[Mark, ...], found: Found) -> None:
        if opened is not self.opened or not opened.marks.note(state, found):
            return
        self.show()
        if self.accept_soon and opened.marks.answer is not None:
            self.accept()

    def _on_failed(self, text: str) -> None:
        self.accept_soon = False
        self._telling.say(text, "error")
        self.changed.emit()

    def _on_stage(self, text: str) -> None:
        self.busy = text
        self.changed.emit()

    def _on_mistake(self) -> None:
        """Draw what is, not what somebody tried."""
        self.changed.emit()
        if self.opened is not None:
            self.drawing.show_marks(self.opened)
        else:
            self.drawing.clear()

    # --- its end ---

    def accept(self) -> bool:
        """Make the correction, or as soon as it is known; return whether it was made."""
        opened, found = self.opened, self.found
        if opened is None:
            return False
        if found is None:
            self.refining.want(opened)  # it may have been held back
            self.accept_soon = self.refining.busy
            self.changed.emit()
            return False
        with self._telling.errors():
            if not found.mask.inside.any():
                raise InvalidInput("Nothing was found there, so there is nothing to accept.")
            objects = goes_into(self._viewer, self._results, opened)
            if self._is_gone(opened, objects):
                return False
            opened.objects = objects
            accepted = made(opened, objects, found)
            self._target.accept(accepted)
            self._end()
            self.accepted.emit(accepted)
            return True
        return False

    def _is_gone(self, opened: OpenCorrection, objects: LabelObjects) -> bool:
        """Whether the object of a correction is no more; it is about a new object then."""
        label = opened.label
        if label is None or opened is self._by_hand or objects.entry(label) is not None:
            return False
        opened.label = None
        self._telling.say(
            f"Object {label} is not there any more: it was deleted or undone meanwhile. Accept "
            "again to make a new object of the correction, or reject it.",
            "warning",
        )
        self.show()
        return True

    def throw_away(self) -> OpenCorrection | None:
        """End the correction without making it, and return it; it is kept for a while."""
        opened = self.opened
        if opened is not None:
            self._thrown = opened
            self._end()
        return opened

    def taken_back(self) -> OpenCorrection | None:
        """Return the correction that was thrown away last, once, if none is open now."""
        opened, self._thrown = self._thrown, None
        return opened if self.opened is None else None

    def open_again(self, opened: OpenCorrection) -> None:
        """Go on with a correction that was thrown away."""
        self.opened, self._target.held = opened, True
        self.drawing.begin(opened.place.placement)
        self.drawing.show_marks(opened)
        self.refining.want(opened)
        self.show()

    def forget_image(self, layer: Any) -> None:
        """Take note that a layer is gone: a correction on it ends."""
        if self._thrown is not None and layer in self._thrown.asked.images:
            self._thrown = None
        if self.opened is not None and layer in self.opened.asked.images:
            self._end()
            self._telling.say("The image was deleted, and its correction with it.", "warning")

    def forget_objects(self, objects: LabelObjects) -> None:
        """Take note that labels are gone: a correction of one of their objects ends."""
        if self._thrown is not None and self._thrown.objects is objects:
            self._thrown = None
        opened = self.opened
        if opened is None or opened.objects is not objects:
            return
        opened.objects = None
        if opened.label is not None:
            self._end()
            self._telling.say("The labels were deleted, and the correction with them.", "warning")
        else:
            self.show()

    def _end(self) -> None:
        self.opened, self.accept_soon = None, False
        self._target.held = False
        self.ended.emit()
        self.refining.drop()
        self.drawing.clear()
        self.changed.emit()
