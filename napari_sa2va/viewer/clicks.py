"""Clicks and drags on the canvas, whatever layer is active, without taking pan and zoom away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from psygnal import Signal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    World = NDArray[np.float64]

LEFT: Final = 1
MIDDLE: Final = 3
_NEGATIVE: Final = {"Shift", "Alt"}
_NAPARIS_OWN: Final = "Alt"
"""With it, napari's zoom box follows a drag."""
_STILL: Final = 4.0
"""Pixels of the screen that a hand moves while it clicks."""
_LAYER_TOOLS_AT_REST: Final = "pan_zoom"

Drag = Literal["pan", "box", "scribble"]


class CanvasClicks:
    """Follows the mouse on a viewer's canvas while it is `on`.

    A press and a release at one place are a click. What a drag with the left button does is
    `drag`: move the view as ever, or draw. The middle button moves the view in any case, the
    wheel zooms. Where the active layer has a tool in hand (its brush, say), the mouse is its own.

    A double click is two clicks here: napari's zoom on a double click is put aside meanwhile.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
    """

    clicked = Signal(object, bool)
    """World coordinates; whether Shift or Alt was held."""
    drawing = Signal(object, bool)
    """The path of a drag as it grows, in world coordinates; whether Shift or Alt was held."""
    drawn = Signal(object, bool)
    """The whole path of a drag."""

    drag: Drag = "pan"

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._on = False
        self._put_aside: list[Any] = []

    @property
    def on(self) -> bool:
        """Whether clicks are taken."""
        return self._on

    @on.setter
    def on(self, on: bool) -> None:
        if on == self._on:
            return
        self._on = on
        viewer = self._viewer
        if on:
            viewer.mouse_drag_callbacks.insert(0, self._on_press)
            doubles = viewer.mouse_double_click_callbacks
            self._put_aside = [one for one in doubles if one.__name__ == "double_click_to_zoom"]
            for callback in self._put_aside:
                doubles.remove(callback)
            doubles.append(self._on_double_click)
        else:
            viewer.mouse_drag_callbacks.remove(self._on_press)
            viewer.mouse_double_click_callbacks.remove(self._on_double_click)
            viewer.mouse_double_click_callbacks.extend(self._put_aside)

    @property
    def in_hand(self) -> str:
        """The tool of the active layer that has the mouse, such as ``"paint"``; else empty."""
        layer = self._viewer.layers.selection.active
        mode = "" if layer is None else str(layer.mode)
        return "" if mode == _LAYER_TOOLS_AT_REST else mode

    def put_down(self) -> None:
        """Put the active layer's tool down: the mouse is for clicks again."""
        layer = self._viewer.layers.selection.active
        if layer is not None and self.in_hand:
            layer.mode = _LAYER_TOOLS_AT_REST

    # --- napari's callbacks ---

    def _on_double_click(self, _: Any, event: Any) -> None:
        # The second press of two quick clicks comes as this event only.
        if event.button == LEFT and self._is_ours():
            self.clicked.emit(np.asarray(event.position, dtype=float), _is_negative(event))

    def _on_press(self, _: Any, event: Any) -> Iterator[None]:
        if not self._is_ours():
            return
        if event.button == MIDDLE:
            yield from self._pan(event)
        elif event.button == LEFT:
            yield from self._click_or_draw(event)

    def _is_ours(self) -> bool:
        return self._viewer.dims.ndisplay == 2 and not self.in_hand

    def _pan(self, event: Any) -> Iterator[None]:
        """Move the view with the mouse: napari's camera knows the left button only."""
        start = np.asarray(event.position, dtype=float)
        shown = list(self._viewer.dims.displayed)
        yield
        while event.type == "mouse_move":
            # The place under the mouse is told for the camera as it is now.
            moved = start - np.asarray(event.position, dtype=float)
            centre = np.array(self._viewer.scene.camera.center, dtype=float)
            centre[-len(shown) :] += moved[shown]
            self._viewer.scene.camera.center = tuple(centre)
            yield

    def _click_or_draw(self, event: Any) -> Iterator[None]:
        negative = _is_negative(event)
        pressed = np.asarray(event.pos, dtype=float)
        path = [np.asarray(event.position, dtype=float)]
        camera, pans = self._viewer.scene.camera, self._viewer.scene.camera.mouse_pan
        draws = self.drag != "pan" and _NAPARIS_OWN not in _keys(event)
        if draws:
            camera.mouse_pan = False
        moved = False
        try:
            yield
            while event.type == "mouse_move":
                moved = moved or _distance(event.pos, pressed) > _STILL
                if moved and draws:
                    path.append(np.asarray(event.position, dtype=float))
                    self.drawing.emit(path, negative)
                yield
        finally:
            if draws:
                camera.mouse_pan = pans
        moved = moved or _distance(event.pos, pressed) > _STILL
        if not moved:
            self.clicked.emit(path[0], negative)
        elif draws:
            path.append(np.asarray(event.position, dtype=float))
            self.drawn.emit(path, negative)


def _is_negative(event: Any) -> bool:
    return bool(_NEGATIVE & _keys(event))


def _keys(event: Any) -> set[str]:
    # Keys of vispy compare with strings, but have no hash of theirs.
    return {str(getattr(key, "name", key)) for key in event.modifiers}


def _distance(one: Any, other: Any) -> float:
    return float(np.linalg.norm(np.asarray(one, dtype=float)[:2] - np.asarray(other)[:2]))


class CanvasUndo:
    """napari's undo key, lent to something else while that is under way.

    Who clicks and presses Ctrl+Z means the click, not what was done to the labels before.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
        Each of its layers has keys of its own.
    undo : callable
        What the key does meanwhile.
    """

    key: Final = "Control-Z"

    def __init__(self, viewer: Any, undo: Callable[[], object]) -> None:
        self._viewer = viewer
        self._undo = undo
        self._lent: list[Any] = []

    def take(self) -> None:
        """Take the key of the layers that are there."""
        for layer in self._viewer.layers:
            if layer not in self._lent:
                layer.bind_key(self.key, self._act, overwrite=True)
                self._lent.append(layer)

    def give_back(self) -> None:
        """Let the layers have their key again."""
        for layer in self._lent:
            layer.bind_key(self.key, None)
        self._lent = []

    def _act(self, _: Any) -> None:
        self._undo()
