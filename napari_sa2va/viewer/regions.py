"""Regions to ask about: labels and shapes of the plane in view, as masks of the frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from napari.layers import Labels, Shapes

from napari_sa2va.annotation.packed import PackedMask
from napari_sa2va.annotation.regions import regions_in
from napari_sa2va.errors import InvalidInput
from napari_sa2va.viewer.geometry import LayerGeometry, view_plane
from napari_sa2va.viewer.labels import METADATA
from napari_sa2va.viewer.store import new_array

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari.layers import Image
    from numpy.typing import NDArray

    from napari_sa2va.frames import PlaneIndex
    from napari_sa2va.viewer.geometry import ViewedPlane
    from napari_sa2va.viewer.placement import Placement

REGIONS: Final = "regions"
_OURS: Final = ("labels", REGIONS)  # kinds of our own layers that hold regions
_BRUSH: Final = 1 / 25  # of the image's shorter side
_STRAIGHT: Final = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class RegionChoice:
    """Which regions of which layer.

    Attributes
    ----------
    layer : Labels or Shapes
    labels : tuple of int or None
        Labels, or the numbers of shapes from 1; None for all.
    """

    layer: Any
    labels: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RegionSnapshot:
    """Regions as they were when asked about.

    Attributes
    ----------
    choice : RegionChoice
    plane : PlaneIndex
        Of the layer, that was in view.
    values : (height, width) integer array or None
        Labels at the frame's size.
    shapes : dict of int to bool array
        Masks of shapes, which may overlap.
    count : int
        Of all shapes of the layer: with another, their numbers stand for others.
    """

    choice: RegionChoice
    plane: PlaneIndex
    values: NDArray[Any] | None
    shapes: dict[int, NDArray[np.bool_]]
    count: int = 0

    def masks(self, *, every: bool = False) -> dict[int, PackedMask]:
        """Return the regions by label, in order; touches no layer, so any thread may call it.

        Parameters
        ----------
        every : bool
            All of the plane, not only those chosen.

        Raises
        ------
        InvalidInput
            A chosen one is not there.
        """
        wanted = None if every else self.choice.labels
        if self.values is not None:
            found = regions_in(self.values, wanted)
        else:
            found = {
                number: PackedMask.pack(mask)
                for number, mask in self.shapes.items()
                if wanted is None or number in wanted
            }
        missing = [label for label in wanted or () if label not in found]
        if missing:
            kind = "label" if self.values is not None else "shape"
            raise InvalidInput(
                f"There is no {kind} {missing[0]} of {self.choice.layer.name!r} in the part of the "
                "plane that is looked at. Go to it, or choose another."
            )
        return found


def region_layers(viewer: Any) -> Iterator[Labels | Shapes]:
    """Go through the layers of a viewer that can hold regions, from the top."""
    for layer in reversed(viewer.layers):
        kind = layer.metadata.get(METADATA, {}).get("kind", REGIONS)
        if isinstance(layer, Labels | Shapes) and kind in _OURS:
            yield layer


def add_regions_layer(viewer: Any, images: Sequence[Image], placement: Placement) -> Labels:
    """Add an empty Labels layer over an image, ready to paint region 1 with the brush.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
        Whose active layer it becomes.
    images : sequence of Image
        Named after the first.
    placement : Placement
        Of a frame of it.

    Raises
    ------
    CannotWrite
        It is large, and cannot be kept in the folder for such.
    """
    name = f"{images[0].name} · regions"
    layer = Labels(
        new_array(placement.labels_shape, name),
        name=name,
        metadata={METADATA: {"kind": REGIONS, "image": images[0].name}},
        **placement.labels_geometry(),
    )
    viewer.add_layer(layer)
    layer.selected_label = 1
    layer.brush_size = max(1, round(min(placement.plane_shape) * _BRUSH))
    layer.mode = "paint"
    return layer


def region_snapshot(viewer: Any, choice: RegionChoice, placement: Placement) -> RegionSnapshot:
    """Take down the regions of the plane in view, as pixels of the frame.

    The layer may lie on the image in any way. Where the frame's pixels are larger than the
    layer's, the label at their centre counts.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
        In 2-D mode.
    choice : RegionChoice
    placement : Placement
        Of the frame.

    Raises
    ------
    InvalidInput
        The layer is seen edge-on, or was deleted.
    """
    layer = choice.layer
    if layer not in viewer.layers:
        raise InvalidInput(f"The layer {layer.name!r} was deleted. Choose other regions.")
    plane = view_plane(viewer, LayerGeometry.of(layer))
    if isinstance(layer, Shapes):
        drawn = dict(_drawn(viewer, layer, plane, placement))
        return RegionSnapshot(choice, plane.index, None, drawn, len(layer.data))
    return RegionSnapshot(choice, plane.index, _labels(viewer, layer, plane, placement), {})


def _labels(viewer: Any, layer: Labels, plane: ViewedPlane, placement: Placement) -> NDArray[Any]:
    data = layer.data[0] if layer.multiscale else layer.data
    index, shape = plane.index, placement.frame_region.shape
    if any(at is not None and not 0 <= at < n for at, n in zip(index, data.shape, strict=True)):
        return np.zeros(placement.frame_shape, dtype=data.dtype)
    values = np.asarray(data[tuple(slice(None) if at is None else at for at in index)])
    rows, columns = _pixels(placement)
    to_layer = _to_layer(viewer, plane, placement)
    if abs(to_layer[0, 1]) < _STRAIGHT and abs(to_layer[1, 0]) < _STRAIGHT:
        down = _nearest(rows * to_layer[0, 0] + to_layer[0, 2])
        right = _nearest(columns * to_layer[1, 1] + to_layer[1, 2])
        found = np.zeros(shape, dtype=values.dtype)
        there = (down >= 0) & (down < values.shape[0]), (right >= 0) & (right < values.shape[1])
        found[np.ix_(*there)] = values[np.ix_(down[there[0]], right[there[1]])]
    else:
        across = np.stack(np.broadcast_arrays(rows[:, None], columns[None, :], 1.0))
        at = _nearest(np.tensordot(to_layer, across, 1))
        inside = ((at >= 0) & (at < np.array(values.shape)[:, None, None])).all(axis=0)
        found = np.zeros(shape, dtype=values.dtype)
        found[inside] = values[at[0][inside], at[1][inside]]
    return np.ascontiguousarray(placement.orientation.to_screen(found))


def _drawn(
    viewer: Any, layer: Shapes, plane: ViewedPlane, placement: Placement
) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Go through the closed shapes of the plane in view, by their number from 1."""
    from skimage.draw import polygon

    to_layer = _to_layer(viewer, plane, placement)
    (top, left), factors = _origin(placement), placement.factors
    for number, (kind, vertices) in enumerate(
        zip(layer.shape_type, layer.data, strict=True), start=1
    ):
        outline = _outline(kind, np.asarray(vertices, float)[:, list(plane.axes)])
        if outline is None or not _in_view(np.asarray(vertices, float), plane):
            continue
        on_image = np.linalg.solve(to_layer[:, :2], (outline - to_layer[:, 2]).T).T
        corners = (on_image + 0.5) / factors - 0.5 - (top, left)
        mask = np.zeros(placement.frame_region.shape, dtype=bool)
        mask[polygon(corners[:, 0], corners[:, 1], mask.shape)] = True  # type: ignore[no-untyped-call]
        if not mask.any():  # smaller than a pixel
            row, column = _nearest(corners.mean(axis=0))
            if 0 <= row < mask.shape[0] and 0 <= column < mask.shape[1]:
                mask[row, column] = True
        if mask.any():
            yield number, np.ascontiguousarray(placement.orientation.to_screen(mask))


def _outline(kind: str, corners: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return the corners of a shape's outline; None for lines, which hold nothing."""
    if kind in ("rectangle", "polygon"):
        return corners
    if kind != "ellipse":
        return None
    # napari keeps an ellipse as the four corners of the rectangle that it fills.
    first, second = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)[:, None]
    return np.asarray(corners.mean(axis=0) + np.cos(turn) * first + np.sin(turn) * second)


def _in_view(vertices: NDArray[np.float64], plane: ViewedPlane) -> bool:
    hidden = [axis for axis in range(plane.ndim) if axis not in plane.axes]
    at = np.round(plane.position[hidden])
    across = np.round(vertices[:, hidden])
    return bool(np.all((across.min(axis=0) <= at) & (at <= across.max(axis=0))))


def _to_layer(viewer: Any, plane: ViewedPlane, placement: Placement) -> NDArray[np.float64]:
    """Return rows and columns of the image's plane → those of the layer's plane, (2, 3)."""
    image = view_plane(viewer, placement.geometry)
    moved = image.to_screen.copy()
    moved[:, 2] -= plane.to_screen[:, 2]
    return np.asarray(np.linalg.solve(plane.to_screen[:, :2], moved))


def _pixels(placement: Placement) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where the frame's rows and columns, unturned, are in the plane of the image."""
    sides = zip(_origin(placement), placement.frame_region.shape, placement.factors, strict=True)
    rows, columns = (
        np.asarray((start + np.arange(length) + 0.5) * factor - 0.5, dtype=np.float64)
        for start, length, factor in sides
    )
    return rows, columns


def _origin(placement: Placement) -> tuple[int, int]:
    return placement.frame_region.top, placement.frame_region.left


def _nearest(positions: NDArray[np.float64]) -> NDArray[np.intp]:
    # A hair more than a half, so that rounding errors do not decide between two pixels.
    return np.floor(positions + 0.5 + 1e-6).astype(np.intp)
