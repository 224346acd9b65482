"""Where the viewer is while an object is corrected: its plane, its layers, the tool in hand."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from napari_sa2va.errors import InvalidInput
from napari_sa2va.viewer.pointing import plane_shown
from napari_sa2va.widgets.marking import plane_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sa2va.viewer.placement import Placement


class CorrectView:
    """Follows a viewer until it is closed.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
    """

    moved = Signal()
    """Another plane is in view, or it is seen another way."""
    tool_changed = Signal()
    """Another layer is active, or another of its tools is in hand."""
    layer_removed = Signal(object)
    """A layer."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._watched: Any = None
        for event, slot in self._slots():
            event.connect(slot)
        self._watch(viewer.layers.selection.active)

    def _slots(self) -> list[tuple[Any, Callable[..., None]]]:
        dims, layers = self._viewer.dims.events, self._viewer.layers
        return [
            (dims.point, self._on_moved),
            (dims.order, self._on_moved),
            (dims.ndisplay, self._on_moved),
            (layers.events.removed, self._on_layer_removed),
            (layers.selection.events.active, self._on_active),
        ]

    def close(self) -> None:
        """Follow nothing any more."""
        self._watch(None)
        for event, slot in self._slots():
            event.disconnect(slot)

    @property
    def flat(self) -> bool:
        """Whether the view is in 2-D."""
        return bool(self._viewer.dims.ndisplay == 2)

    def elsewhere(self, placement: Placement) -> str:
        """Name the plane of a placement, where another one is in view; else return nothing."""
        with suppress(InvalidInput):  # seen edge-on
            if self.flat and plane_shown(self._viewer, placement) == placement.index:
                return ""
        return plane_name(placement)

    def go_to(self, placement: Placement, order: tuple[int, ...]) -> None:
        """Show the plane of a placement, with the axes in this order."""
        dims = self._viewer.dims
        dims.ndisplay = 2
        if len(order) == dims.ndim:
            dims.order = order
        index = np.array([0 if at is None else at for at in placement.index] + [1], dtype=float)
        world = placement.geometry.matrix @ index
        offset = dims.ndim - len(placement.index)
        for axis, at in enumerate(placement.index):
            if at is not None:
                dims.set_point(axis + offset, world[axis])

    def _on_moved(self) -> None:
        self.moved.emit()

    def _on_layer_removed(self, event: Any) -> None:
        self.layer_removed.emit(event.value)

    def _on_active(self, event: Any) -> None:
        self._watch(event.value)
        self.tool_changed.emit()

    def _watch(self, layer: Any) -> None:
        """Follow which tool of a layer is in hand, and of no other layer."""
        if self._watched is not None:
            self._watched.events.mode.disconnect(self._on_mode)
        self._watched = layer
        if layer is not None:
            layer.events.mode.connect(self._on_mode)

    def _on_mode(self, *_: object) -> None:
        self.tool_changed.emit()
