"""The part of the dock where objects are corrected: its panel, and what the panel's buttons do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject

from napari_sa2va.widgets.correct_panel import CorrectPanel
from napari_sa2va.widgets.correcting import Correcting

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sa2va.engine import Runner
    from napari_sa2va.model.track_state import Direction
    from napari_sa2va.viewer.results import Results
    from napari_sa2va.widgets.asked import Asked


class CorrectPart(QObject):
    """Panel and controller of corrections, wired.

    Parameters
    ----------
    viewer : napari.Viewer
    results : Results
        Of that viewer.
    runner : Runner
        Shared by all docks.
    asked : bound method
        Returns an `Asked`. Not kept alive.
    follow : callable
        `RunController.follow`.
    """

    def __init__(
        self,
        viewer: Any,
        results: Results,
        runner: Runner,
        asked: Callable[[], Asked],
        follow: Callable[..., bool],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._follow = follow
        self.panel = CorrectPanel()
        self.correcting = Correcting(viewer, results, runner, asked)
        panel, correcting = self.panel, self.correcting
        correcting.state_changed.connect(panel.show_state)
        for signal, slot in (
            (panel.toggled, correcting.toggle),
            (panel.selected_clicked, correcting.take_selected),
            (panel.new_clicked, correcting.begin_new),
            (panel.phrase_changed, correcting.set_phrase),
            (panel.positive_clicked, correcting.click_positive),
            (panel.negative_clicked, correcting.click_negative),
            (panel.box_clicked, correcting.drag_box),
            (panel.scribble_clicked, correcting.drag_scribble),
            (panel.paint_clicked, correcting.use_paint),
            (panel.accept_clicked, correcting.accept),
            (panel.reject_clicked, correcting.reject),
            (panel.undo_clicked, correcting.undo_click),
            (panel.next_clicked, correcting.next_candidate),
            (panel.previous_clicked, correcting.previous_candidate),
            (panel.back_clicked, correcting.go_back),
        ):
            signal.connect(slot)
        panel.propagate_clicked.connect(self.propagate)

    def propagate(self, direction: Direction) -> None:
        """Follow the object that was corrected, or is selected, through the other planes."""
        found = self.correcting.to_propagate(direction)
        if found is not None:
            self._follow(
                found.stack, found.masks, found.phrases, found.into, found.track, found.asked
            )

    def propagate_forward(self) -> None:
        """Follow it to higher planes, or later in time."""
        self.propagate("forward")

    def propagate_backward(self) -> None:
        """Follow it to lower planes, or earlier in time."""
        self.propagate("backward")

    def propagate_both(self) -> None:
        """Follow it both ways."""
        self.propagate("both")

    @property
    def actions(self) -> dict[str, Callable[[], Any]]:
        """What has a key, by the names in `shortcuts.SHORTCUTS`."""
        correcting = self.correcting
        return {
            "correct": correcting.toggle,
            "positive": correcting.click_positive,
            "negative": correcting.click_negative,
            "box": correcting.drag_box,
            "scribble": correcting.drag_scribble,
            "use_paint": correcting.use_paint,
            "accept_correction": correcting.accept,
            "reject_correction": correcting.reject,
            "undo_click": correcting.undo_click,
            "next_candidate": correcting.next_candidate,
            "previous_candidate": correcting.previous_candidate,
            "new_object": correcting.begin_new,
            "propagate_forward": self.propagate_forward,
            "propagate_backward": self.propagate_backward,
            "propagate_both": self.propagate_both,
        }
