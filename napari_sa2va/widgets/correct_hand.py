"""The mouse on the canvas as it is used for corrections: what a click or a drag says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sa2va.errors import InvalidInput
from napari_sa2va.viewer.clicks import CanvasClicks
from napari_sa2va.widgets.marking import click_at, outside, stroke_along

if TYPE_CHECKING:
    from napari_sa2va.annotation.prompts import Mark
    from napari_sa2va.viewer.clicks import Drag
    from napari_sa2va.widgets.open_correction import OpenCorrection


class CorrectHand:
    """Turns the mouse's places into marks.

    Attributes
    ----------
    clicks : CanvasClicks
    positive : bool
        Whether a click without a key says what belongs to the object.
    """

    def __init__(self, viewer: Any) -> None:
        self.clicks = CanvasClicks(viewer)
        self.positive = True
        self._viewer = viewer

    def take(self, drag: Drag) -> None:
        """Let drags draw this, or move the view if they drew it already."""
        self.clicks.drag = "pan" if self.clicks.drag == drag else drag
        if self.clicks.on:
            self.clicks.put_down()

    def click_says(self, negative: bool) -> bool:
        """Whether a click says what is in the object; with a key that means no, it does not."""
        return self.positive and not negative

    def drag_says(self, negative: bool) -> bool:
        """Whether a drag says what is in the object; a box always does."""
        return self.clicks.drag == "box" or self.click_says(negative)

    def click(self, opened: OpenCorrection, world: Any, negative: bool) -> Mark:
        """Return the mark of a click.

        Raises
        ------
        InvalidInput
            It is outside what is looked at.
        """
        return click_at(self._viewer, opened, world, positive=self.click_says(negative))

    def growing(self, opened: OpenCorrection, path: list[Any], negative: bool) -> Mark | None:
        """Return the mark of a drag so far; None if nothing of it is in what is looked at."""
        drag, positive = self.clicks.drag, self.drag_says(negative)
        return stroke_along(self._viewer, opened, path, drag, positive=positive)

    def drag(self, opened: OpenCorrection, path: list[Any], negative: bool) -> Mark:
        """Return the mark of a drag.

        Raises
        ------
        InvalidInput
            Nothing of it is in what is looked at.
        """
        mark = self.growing(opened, path, negative)
        if mark is None:
            raise InvalidInput(outside(opened.asked))
        return mark
