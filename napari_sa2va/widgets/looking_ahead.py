"""Getting ready for a first click: the layers are there, and the image was looked at."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from superqt.utils import qdebounced

from napari_sa2va.errors import Sa2VAError
from napari_sa2va.viewer import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sa2va.engine import Runner
    from napari_sa2va.widgets.asked import Asked
    from napari_sa2va.widgets.correct_drawing import CorrectDrawing
    from napari_sa2va.widgets.refining import Refining

# Planes that a slider passes on its way are not looked at.
_WAIT_MILLISECONDS: Final = 300


class LookingAhead:
    """Looks at the plane in view before anybody clicks.

    Only with a model that is there already: nobody has asked to load, or fetch, another one yet.

    Parameters
    ----------
    viewer : napari.Viewer
    runner : Runner
    refining : Refining
        Does it.
    drawing : CorrectDrawing
        Whose layers are added when that takes no pause any more.
    wanted : callable
        Returns what is chosen now; None while no click is waited for.
    """

    def __init__(
        self,
        viewer: Any,
        runner: Runner,
        refining: Refining,
        drawing: CorrectDrawing,
        wanted: Callable[[], Asked | None],
    ) -> None:
        self._viewer, self._runner = viewer, runner
        self._refining, self._drawing, self._wanted = refining, drawing, wanted
        refining.warm.connect(self._on_warm)

    def look(self) -> None:
        """Look now."""
        asked = self._wanted()
        if asked is None:
            return
        with suppress(Sa2VAError):  # said at the first click
            place = snapshot(self._viewer, asked.images, asked.look_at)
            there = asked.model.name == "demo" or self._runner.loaded == asked.model
            free = there and not self._runner.busy
            self._refining.look(asked.model if free else None, place)

    @qdebounced(timeout=_WAIT_MILLISECONDS)
    def look_soon(self) -> None:
        """Look when the view has come to rest."""
        self.look()

    def _on_warm(self) -> None:
        asked = self._wanted()
        if asked is not None:
            with suppress(Sa2VAError):
                place = snapshot(self._viewer, asked.images, asked.look_at)
                self._drawing.prepare(place.placement)
