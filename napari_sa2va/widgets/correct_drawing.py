"""What of a correction is drawn on the canvas: its marks, and what they would change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from napari_sa2va.viewer.clicks import CanvasUndo
from napari_sa2va.viewer.highlighting import own_colour
from napari_sa2va.viewer.preview import PreviewLayer, to_top
from napari_sa2va.viewer.prompt_layer import PromptLayer

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sa2va.annotation.prompts import Mark
    from napari_sa2va.viewer.placement import Placement
    from napari_sa2va.widgets.open_correction import OpenCorrection

_NEW_COLOUR: Final = (0.3, 0.8, 1.0, 1.0)


class CorrectDrawing:
    """The layers of corrections, and napari's undo key while one is open.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
    undo : callable
        What the undo key does while a correction is open.
    """

    def __init__(self, viewer: Any, undo: Callable[[], object]) -> None:
        self.preview, self.marks = PreviewLayer(viewer), PromptLayer(viewer)
        self.blocked = 0
        self._viewer = viewer
        self._key = CanvasUndo(viewer, undo)

    def prepare(self, placement: Placement) -> None:
        """Add the layers if need be."""
        self.preview.prepare(placement)
        self.marks.prepare(placement)

    def begin(self, placement: Placement) -> None:
        """Draw above all other layers; the undo key is for marks now."""
        for layer in (self.preview.prepare(placement), self.marks.prepare(placement)):
            to_top(self._viewer, layer)
        self._key.take()

    def show_marks(self, opened: OpenCorrection, growing: Mark | None = None) -> None:
        """Draw all marks, and one that grows."""
        marks = [*opened.marks.given, *([] if growing is None else [growing])]
        self.marks.show(opened.place.placement, marks)

    def show_proposal(self, opened: OpenCorrection) -> None:
        """Draw what the newest answer would change; `blocked` is what it may not."""
        found = opened.marks.answer or opened.marks.latest
        if found is None:
            self.preview.clear()
            return
        change = opened.change(found)
        self.blocked = change.blocked
        colour: tuple[float, ...] = _NEW_COLOUR
        if opened.label is not None and opened.objects is not None:
            colour = own_colour(opened.objects.labels, opened.label)
        self.preview.show(opened.place.placement, change, colour)

    def clear(self) -> None:
        """Draw nothing; the undo key is napari's again."""
        self.blocked = 0
        self._key.give_back()
        self.marks.clear()
        self.preview.clear()

    def remove(self) -> None:
        """Take the layers away: nobody corrects any more."""
        self.clear()
        self.marks.remove()
        self.preview.remove()

    def hide(self) -> None:
        """Draw nothing for a long time."""
        self.clear()
        self.marks.hide()
        self.preview.hide()
