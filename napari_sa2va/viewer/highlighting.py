"""One object made to stand out on the canvas, for as long as somebody points at its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap

from napari_sa2va.annotation.prompts import border
from napari_sa2va.viewer.geometry import LayerGeometry
from napari_sa2va.viewer.labels import METADATA
from napari_sa2va.viewer.preview import KIND, add_quietly, border_thickness, to_top

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_sa2va.annotation.painting import Box
    from napari_sa2va.frames import PlaneIndex
    from napari_sa2va.viewer.objects import LabelObjects

_INSIDE, _BORDER = 1, 2
# White round the object and yellow over it: one of them stands out on any image.
_COLOURS: Final = {
    None: "transparent",
    0: "transparent",
    _INSIDE: (1.0, 0.9, 0.0, 0.35),
    _BORDER: (1.0, 1.0, 1.0, 1.0),
}
_ROOM: Final = 2


class Highlight:
    """A layer above the others that covers some objects in the plane in view.

    It is made when it is first needed, and invisible while nothing is pointed at.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
        Where the layer is added.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._layer: Labels | None = None

    @property
    def layer(self) -> Labels | None:
        """The layer; None before it was needed, and after a user deleted it."""
        return self._layer if self._layer in self._viewer.layers else None

    def show(self, objects: LabelObjects, labels: Sequence[int]) -> bool:
        """Let objects stand out; return whether any pixel of them is in the plane in view."""
        plane = objects.view
        found = [] if plane is None else _pixels(objects, labels, plane)
        if plane is None or not found:
            self.hide()
            return False
        rows = slice(min(b[0].start for b, _ in found), max(b[0].stop for b, _ in found))
        columns = slice(min(b[1].start for b, _ in found), max(b[1].stop for b, _ in found))
        thickness = border_thickness(self._viewer, plane, LayerGeometry.of(objects.labels))
        room = thickness + _ROOM
        inside = np.zeros(
            (rows.stop - rows.start + 2 * room, columns.stop - columns.start + 2 * room), bool
        )
        for (own_rows, own_columns), mask in found:
            top, left = own_rows.start - rows.start + room, own_columns.start - columns.start + room
            inside[top : top + mask.shape[0], left : left + mask.shape[1]] |= mask
        values = np.where(inside, _INSIDE, 0).astype(np.uint8)
        values[border(inside, thickness)] = _BORDER
        self._draw(objects, plane, (rows.start - room, columns.start - room), values)
        return True

    def hide(self) -> None:
        """Let nothing stand out."""
        if (layer := self.layer) is not None and layer.visible:
            layer.visible = False

    def remove(self) -> None:
        """Take the layer away."""
        if (layer := self.layer) is not None:
            self._viewer.layers.remove(layer)
        self._layer = None

    def _draw(
        self,
        objects: LabelObjects,
        plane: PlaneIndex,
        corner: tuple[int, int],
        values: NDArray[np.uint8],
    ) -> None:
        sides, ends = iter(values.shape), iter(corner)
        shape = tuple(next(sides) if at is None else 1 for at in plane)
        origin = [next(ends) if at is None else at for at in plane]
        geometry = LayerGeometry.of(objects.labels)
        place = geometry.layer_arguments()
        place["translate"] = place["translate"] + geometry.physical @ np.array(origin, dtype=float)
        layer = self.layer
        if layer is not None and layer.ndim != len(shape):
            self._viewer.layers.remove(layer)
            layer = None
        if layer is None:
            self._layer = layer = Labels(
                values.reshape(shape),
                name="Pointed at",
                colormap=DirectLabelColormap(color_dict=_COLOURS),
                opacity=1.0,
                metadata={METADATA: {"kind": KIND}},
                **place,
            )
            layer.editable = False
            add_quietly(self._viewer, layer)
            return
        with layer.events.blocker_all():
            layer.data = values.reshape(shape)
        for name, value in place.items():
            now = layer.affine.affine_matrix if name == "affine" else getattr(layer, name)
            if not np.array_equal(now, value):
                setattr(layer, name, value)
        to_top(self._viewer, layer)
        layer.visible = True
        layer.refresh(thumbnail=False, highlight=False)


def own_colour(labels: Labels, label: int) -> tuple[float, float, float]:
    """Return a label's red, green and blue, 0 to 1, also while its layer shows only another label.

    ``Labels.get_color`` is as transparent then as what is on the canvas.
    """
    colormap = labels.colormap
    if isinstance(colormap, DirectLabelColormap):
        colour = colormap.color_dict.get(label, colormap.default_color)
    else:  # colour 0 is the background's, the others come again and again
        colour = colormap.colors[(label - 1) % (len(colormap.colors) - 1) + 1]
    red, green, blue = (float(part) for part in colour[:3])
    return red, green, blue


def _pixels(
    objects: LabelObjects, labels: Sequence[int], plane: PlaneIndex
) -> list[tuple[Box, NDArray[np.bool_]]]:
    found = (objects.pixels_of(label, plane) for label in labels)
    return [pixels for pixels in found if pixels is not None]
