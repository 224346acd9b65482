"""What a correction would change, shown over the image before anything is changed."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap

from napari_sa2va.annotation.painting import shifted
from napari_sa2va.annotation.prompts import border
from napari_sa2va.viewer.entries import NOWHERE, axes_of, is_empty
from napari_sa2va.viewer.geometry import world_matrix
from napari_sa2va.viewer.labels import METADATA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_sa2va.annotation.painting import Box
    from napari_sa2va.frames import PlaneIndex
    from napari_sa2va.viewer.geometry import LayerGeometry
    from napari_sa2va.viewer.placement import Placement

KIND: Final = "preview"
INSIDE, BORDER, LOST = 1, 2, 3
_BORDER_COLOUR: Final = (1.0, 0.9, 0.0, 1.0)
_LOST_COLOUR: Final = (0.0, 0.0, 0.0, 0.6)
_TINT: Final = 0.35
# Of the screen: a border one pixel of the image wide is not seen in a large image zoomed out.
_BORDER_WIDTH: Final = 2.0
_THICKEST: Final = 12
_LEAST_ROOM: Final = 32
_SMALL_PLANE: Final = 512 * 512
"""Pixels that are drawn as fast as a few."""


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """What Accept would do to a rectangle of a plane.

    Attributes
    ----------
    box : tuple of slice
        Rows and columns of the Labels layer's plane.
    gains : bool array
        Pixels that will have the object's label: those of the mask that it may have.
    loses : bool array
        Pixels that have it now and will not.
    blocked : int
        Pixels of the mask that stay another object's.
    """

    box: Box
    gains: NDArray[np.bool_]
    loses: NDArray[np.bool_]
    blocked: int


class PreviewLayer:
    """A layer above all others, in one plane, as large as the change.

    The mask is tinted with a bright border; what the object would lose is darkened.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
        Where the layer is added.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._layer: Labels | None = None
        self._colour: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)
        self._placed: Placement | None = None
        self._room: Box = NOWHERE

    @property
    def layer(self) -> Labels | None:
        """The layer; None before the first preview, and after a user deleted it."""
        return self._layer if self._layer in self._viewer.layers else None

    def prepare(self, placement: Placement) -> Labels:
        """Return the layer; made and added if need be, so that a first preview need not wait."""
        ndim = len(placement.labels_shape)
        layer = self.layer
        if layer is not None and layer.ndim == ndim:
            return layer
        if layer is not None:
            self._viewer.layers.remove(layer)
        self._layer = layer = Labels(
            np.zeros((1,) * ndim, dtype=np.uint8),
            name="Correction",
            colormap=_colours(self._colour),
            opacity=1.0,
            visible=False,
            metadata={METADATA: {"kind": KIND}},
            **placement.labels_geometry(),
        )
        layer.editable = False
        self._placed = None
        add_quietly(self._viewer, layer)
        return layer

    def show(
        self, placement: Placement, change: Change, colour: NDArray[Any] | tuple[float, ...]
    ) -> None:
        """Show a change.

        Parameters
        ----------
        placement : Placement
            Of the plane.
        change : Change
        colour : four numbers
            Of the object, 0 to 1.
        """
        if is_empty(change.box):
            self.clear()
            return
        thickness = border_thickness(self._viewer, placement.index, placement.geometry)
        values = np.zeros(change.gains.shape, dtype=np.uint8)
        values[change.loses] = LOST
        values[change.gains] = INSIDE
        values[border(change.gains, thickness)] = BORDER
        layer = self.prepare(placement)
        self._make_room(layer, placement, change.box)
        pixels = self._pixels(layer, placement)
        pixels[:] = 0
        pixels[shifted(change.box, (self._room[0].start, self._room[1].start))] = values
        if tuple(colour) != self._colour:
            self._colour = tuple(colour)
            layer.colormap = _colours(self._colour)
        if not layer.visible:
            layer.visible = True
        layer.refresh(extent=False, thumbnail=False, highlight=False)

    def remove(self) -> None:
        """Take the layer away."""
        if (layer := self.layer) is not None:
            self._viewer.layers.remove(layer)
        self._layer = None

    def clear(self) -> None:
        """Show nothing."""
        if (layer := self.layer) is not None and layer.data.any():
            layer.data[:] = 0
            layer.refresh(extent=False, thumbnail=False, highlight=False)

    def hide(self) -> None:
        """Show nothing for a long time."""
        self.clear()
        if (layer := self.layer) is not None:
            layer.visible = False

    def _make_room(self, layer: Labels, placement: Placement, box: Box) -> None:
        """Let the layer cover a box of the plane, with room for the next change.

        For another array, or another place of it, napari measures the whole scene: that takes
        longer than to draw the change.
        """
        if self._placed is placement and is_within(box, self._room):
            return
        height, width = placement.plane_shape
        if height * width <= _SMALL_PLANE:
            rows, columns = slice(0, height), slice(0, width)
        else:
            rows, columns = _with_room(box[0], height), _with_room(box[1], width)
        self._placed, self._room = placement, (rows, columns)
        corner = [0 if at is None else at for at in placement.index]
        shape = [1] * len(corner)
        for axis, side in zip(axes_of(placement.index), self._room, strict=True):
            corner[axis], shape[axis] = side.start, side.stop - side.start
        with layer.events.blocker_all():
            layer.data = np.zeros(shape, dtype=np.uint8)
        lie_on(layer, placement, corner)

    def _pixels(self, layer: Labels, placement: Placement) -> NDArray[np.uint8]:
        rows, columns = self._room
        shape = rows.stop - rows.start, columns.stop - columns.start
        pixels: NDArray[np.uint8] = layer.data.reshape(shape)  # a view: other axes have length 1
        return pixels


@functools.cache
def warm_up() -> None:
    """Have napari compile what such a layer needs; takes seconds once, in any thread."""
    layer = Labels(np.ones((1, 1), dtype=np.uint8), colormap=_colours((1.0, 1.0, 1.0, 1.0)))
    layer.data = np.ones((2, 2), dtype=np.uint8)


def border_thickness(viewer: Any, plane: PlaneIndex, geometry: LayerGeometry) -> int:
    """Return how many pixels of a plane make a border that can be seen at this zoom."""
    width = np.ceil(_BORDER_WIDTH / pixel_on_screen(viewer, plane, geometry))
    return int(np.clip(width, 1, _THICKEST))


def pixel_on_screen(viewer: Any, plane: PlaneIndex, geometry: LayerGeometry) -> float:
    """Return how many pixels of the screen a pixel of a layer's plane is wide at this zoom."""
    sides = world_matrix(geometry, viewer.dims)[:-1, axes_of(plane)]
    pixel = float(np.linalg.norm(sides, axis=0).min())
    return max(pixel * float(viewer.scene.camera.zoom), 1e-6)


def lie_on(layer: Any, placement: Placement, corner: Sequence[int] = ()) -> None:
    """Let a layer lie on the Labels layer of a placement, its origin on the pixel `corner`."""
    place = placement.labels_geometry()
    if len(corner):
        place["translate"] = place["translate"] + placement.geometry.physical @ np.array(corner)
    for name, value in place.items():
        now = layer.affine.affine_matrix if name == "affine" else getattr(layer, name)
        if not np.array_equal(now, value):
            setattr(layer, name, value)


def to_top(viewer: Any, layer: Any) -> None:
    """Draw a layer above all others but those of corrections."""
    layers = list(viewer.layers)  # a slice of napari's own list takes 30 ms
    place = layers.index(layer)
    if any(above.metadata.get(METADATA, {}).get("kind") != KIND for above in layers[place + 1 :]):
        viewer.layers.move(place, len(viewer.layers))


def add_quietly(viewer: Any, layer: Any) -> None:
    """Add a layer on top; the active layer stays active."""
    selection = viewer.layers.selection
    active, selected = selection.active, set(selection)
    viewer.add_layer(layer)
    selection.clear()
    selection.update(selected)
    selection.active = active


def is_within(box: Box, other: Box) -> bool:
    """Whether a box lies in another one."""
    sides = zip(box, other, strict=True)
    return all(outer.start <= inner.start and inner.stop <= outer.stop for inner, outer in sides)


def _with_room(side: slice, length: int) -> slice:
    more = max((side.stop - side.start) // 2, _LEAST_ROOM)
    return slice(max(side.start - more, 0), min(side.stop + more, length))


def _colours(colour: tuple[float, ...]) -> DirectLabelColormap:
    tint = (*colour[:3], _TINT)
    return DirectLabelColormap(
        color_dict={
            None: "transparent",
            0: "transparent",
            INSIDE: tint,
            BORDER: _BORDER_COLOUR,
            LOST: _LOST_COLOUR,
        }
    )
