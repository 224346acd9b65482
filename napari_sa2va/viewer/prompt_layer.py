"""What the user clicks and draws on an object, shown until it is accepted or rejected."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from napari.layers import Points

from napari_sa2va.annotation.prompts import Box, Click, Scribble
from napari_sa2va.viewer.labels import METADATA
from napari_sa2va.viewer.pointing import on_layer
from napari_sa2va.viewer.preview import KIND, add_quietly, lie_on, pixel_on_screen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_sa2va.annotation.prompts import Mark, Point
    from napari_sa2va.viewer.placement import Placement

# Not only by colour: who cannot tell red from green sees a disc and a cross.
_COLOURS: Final = {True: "#2ee65c", False: "#ff3b3b"}
_SYMBOLS: Final = {True: "disc", False: "x"}
_BOX_COLOUR: Final = "#ffe600"
# In pixels of the screen.
_CLICK, _DOT, _DOT_DISTANCE = 13.0, 3.5, 5.0
_RIM: Final = 0.15  # of the size
_MOST_DOTS: Final = 400


class PromptLayer:
    """A Points layer for all marks: clicks as large points, strokes and boxes as dotted lines.

    Not a Shapes layer: adding one again after it was removed ends Python on some graphics drivers
    (napari 0.9.2, Mesa), and its triangles take longer than the mouse moves.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
        Where the layer is added.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._layer: Points | None = None

    @property
    def layer(self) -> Points | None:
        """The layer; None before `prepare`, and after a user deleted it."""
        return self._layer if self._layer in self._viewer.layers else None

    def prepare(self, placement: Placement) -> Points:
        """Return the layer; made and added if need be, so that a first click need not wait."""
        ndim = len(placement.labels_shape)
        layer = self.layer
        if layer is not None and layer.ndim == ndim:
            return layer
        if layer is not None:
            self._viewer.layers.remove(layer)
        self._layer = layer = Points(
            np.zeros((0, ndim)),
            ndim=ndim,
            name="Correction · marks",
            border_width=_RIM,
            border_color="white",
            # Not more than 0: napari draws a point without size where none is in view.
            canvas_size_limits=(0, _CLICK),
            metadata={METADATA: {"kind": KIND}},
            **placement.labels_geometry(),
        )
        add_quietly(self._viewer, layer)
        return layer

    def show(self, placement: Placement, marks: Sequence[Mark]) -> None:
        """Show marks, all of them."""
        pixel = pixel_on_screen(self._viewer, placement.index, placement.geometry)
        places: list[Point] = []
        colours: list[str] = []
        symbols: list[str] = []
        sizes: list[float] = []
        boxes = [mark for mark in marks if isinstance(mark, Box)]
        for mark in marks:
            if isinstance(mark, Scribble) or (isinstance(mark, Box) and mark is boxes[-1]):
                if isinstance(mark, Box):
                    path, colour = _corners(mark), _BOX_COLOUR
                else:
                    path, colour = list(mark.path), _COLOURS[mark.positive]
                dots = dotted(path, _DOT_DISTANCE / pixel)
                places += dots
                colours += [colour] * len(dots)
                symbols += ["disc"] * len(dots)
                sizes += [_DOT / pixel] * len(dots)
        for mark in marks:
            if isinstance(mark, Click):  # above the lines
                places.append(mark.at)
                colours.append(_COLOURS[mark.positive])
                symbols.append(_SYMBOLS[mark.positive])
                sizes.append(_CLICK / pixel)
        layer = self.prepare(placement)
        lie_on(layer, placement)
        if not layer.visible:
            layer.visible = True
        rims = [_RIM * (size > _DOT / pixel) for size in sizes]  # dots would be all rim
        _fill(layer, on_layer(placement, places), colours, symbols, sizes, rims)

    def remove(self) -> None:
        """Take the layer away."""
        if (layer := self.layer) is not None:
            self._viewer.layers.remove(layer)
        self._layer = None

    def clear(self) -> None:
        """Show no marks; the layer stays."""
        if (layer := self.layer) is not None and len(layer.data):
            _fill(layer, np.zeros((0, layer.ndim)), [], [], [], [])

    def hide(self) -> None:
        """Show no marks for a long time."""
        self.clear()
        if (layer := self.layer) is not None:
            layer.visible = False


def _fill(
    layer: Points,
    points: NDArray[np.float64],
    colours: list[str],
    symbols: list[str],
    sizes: list[float],
    rims: list[float],
) -> None:
    # One event for all: napari would measure the scene and draw for each.
    with layer.events.blocker_all():
        layer.data = points
        if len(points):
            layer.face_color = colours
            layer.symbol = symbols
            layer.size = sizes
            layer.border_width = rims
        layer.selected_data = set()
    layer.refresh(extent=False, thumbnail=False, highlight=False)


def dotted(path: Sequence[Point], distance: float) -> list[Point]:
    """Return points along a path, about so far from each other; at most a few hundred."""
    lengths = [float(np.hypot(*np.subtract(b, a))) for a, b in pairwise(path)]
    if not lengths:
        return list(path)
    along = np.cumsum([0.0, *lengths])
    count = int(np.clip(along[-1] / max(distance, 1e-9), 1, _MOST_DOTS)) + 1
    wanted = np.linspace(0, along[-1], count)
    rows, columns = (np.interp(wanted, along, side) for side in zip(*path, strict=True))
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def _corners(box: Box) -> list[Point]:
    top, left, bottom, right = box.sides
    return [(top, left), (top, right), (bottom, right), (bottom, left), (top, left)]
