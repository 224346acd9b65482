"""From what the user sees in napari to what the model looks at: a frozen snapshot of one plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image

from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames import ArrayFrames, Channel, Region, choose_levels
from napari_sa2va.frames.render import check_dtype
from napari_sa2va.viewer.geometry import LayerGeometry, view_plane
from napari_sa2va.viewer.placement import Placement
from napari_sa2va.viewer.visible import region_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

    from napari_sa2va.frames import PlaneIndex
    from napari_sa2va.viewer.geometry import ViewedPlane
    from napari_sa2va.viewer.visible import LookAt


@dataclass(frozen=True, slots=True, eq=False)
class PlaneSnapshot:
    """One plane as the viewer showed it when asked.

    Parameters
    ----------
    frames : ArrayFrames
        One frame; reads the layers' arrays when asked for it, with the contrast of that moment.
    placement : Placement
        Where the frame's masks go.
    title : str
        For people: layer names, size, kind, and where on the other axes.
    key : hashable
        Equal for snapshots of the same plane of the same layers.
    """

    frames: ArrayFrames
    placement: Placement
    title: str
    key: Hashable


def snapshot(viewer: Any, layers: Sequence[Image], look_at: LookAt = "whole") -> PlaneSnapshot:
    """Take down what the viewer shows of one image layer, or of several as its channels.

    Reads no pixels: safe and quick on the GUI thread, where it must be called.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
        Its current slice, axis order, camera and canvas are used.
    layers : sequence of napari.layers.Image
        Ticked layers. Several are drawn over each other with their colours added, opacity applied;
        they must have the same shape and lie at the same place.
    look_at : LookAt
        The whole plane, what is on the screen, or a rectangle.

    Raises
    ------
    InvalidInput
        Nothing can be looked at; the sentence says why and what to do.
    """
    _check_view(viewer, layers)
    first = layers[0]
    geometry = LayerGeometry.of(first)
    _check_same_grid(layers, geometry)
    plane = view_plane(viewer, geometry)
    shapes = _level_shapes(first)
    index = _index_at_full_resolution(plane, shapes[0], first.name)

    plane_shapes = [(shape[plane.axes[0]], shape[plane.axes[1]]) for shape in shapes]
    region = region_of(viewer, plane, plane_shapes[0], look_at)
    levels = choose_levels(plane_shapes, region)
    frame_factors = _factors(shapes, levels.frame)
    frame_region = region.reduced(_on_plane(frame_factors, plane), plane_shapes[levels.frame])

    labels_factors = _factors(shapes, levels.labels)
    relative = frame_factors / labels_factors
    frames = ArrayFrames(
        arrays=tuple(
            layer.data[levels.frame] if layer.multiscale else layer.data for layer in layers
        ),
        channels=tuple(_channel(layer, faded=len(layers) > 1) for layer in layers),
        planes=(_index_at_level(index, frame_factors),),
        region=frame_region,
        orientation=plane.orientation,
        rgb=tuple(bool(layer.rgb) for layer in layers),
    )
    placement = Placement(
        labels_shape=shapes[levels.labels],
        index=_index_at_level(index, labels_factors),
        region=_labels_region(
            frame_region, _on_plane(relative, plane), plane_shapes[levels.labels]
        ),
        orientation=plane.orientation,
        frame_region=frame_region,
        factors=_on_plane(relative, plane),
        geometry=geometry.reduced(labels_factors),
    )
    key = (tuple(layer.unique_id for layer in layers), index)
    return PlaneSnapshot(frames, placement, _title(layers, frames.shape, index), key)


def _check_view(viewer: Any, layers: Sequence[Any]) -> None:
    if not layers:
        raise InvalidInput("There is no image to look at. Open one, or tick an image layer.")
    for layer in layers:
        if not isinstance(layer, Image):
            raise InvalidInput(f"{layer.name!r} is no image layer. Choose an image.")
        try:
            check_dtype(np.dtype(layer.dtype))
        except InvalidInput as error:
            raise InvalidInput(f"{layer.name!r}: {error}") from error
    if viewer.dims.ndisplay != 2:
        raise InvalidInput(
            "The viewer is in 3-D mode, and the model looks at one plane. Switch to 2-D (the "
            "square at the lower left, or Ctrl+Y) and choose the plane with the sliders."
        )
    thick = np.any(viewer.dims.margin_left) or np.any(viewer.dims.margin_right)
    for layer in layers:
        if thick and str(layer.projection_mode) != "none":
            raise InvalidInput(
                f"{layer.name!r} shows a projection of several planes. Set its projection mode to "
                "'none', or make an image of the projection and choose that."
            )


def _check_same_grid(layers: Sequence[Image], geometry: LayerGeometry) -> None:
    first = layers[0]
    matrix, shapes = geometry.matrix, _level_shapes(first)
    for layer in layers[1:]:
        other = LayerGeometry.of(layer)
        if _level_shapes(layer) != shapes or other.units != geometry.units:
            same = False
        else:
            # To a thousandth of a pixel at the far corner of the image.
            far = np.array([*shapes[0], 1.0])
            pixel = np.linalg.norm(matrix[:-1, :-1], axis=0).min()
            same = bool(np.all(np.abs(other.matrix - matrix) @ far < 1e-3 * pixel))
        if not same:
            raise InvalidInput(
                f"{first.name!r} and {layer.name!r} do not have their pixels at the same places. "
                "Only channels of one image (equal shape, scale and position) can be looked at "
                "together."
            )


def _level_shapes(layer: Image) -> list[tuple[int, ...]]:
    """Shapes without colour, full resolution first."""
    arrays = layer.data if layer.multiscale else [layer.data]
    return [tuple(int(n) for n in array.shape[: layer.ndim]) for array in arrays]


def _factors(shapes: Sequence[tuple[int, ...]], level: int) -> NDArray[np.float64]:
    """Pixels of full resolution per pixel of a level: the ratio of shapes, as napari takes it."""
    return np.divide(shapes[0], shapes[level])


def _on_plane(factors: NDArray[np.float64], plane: ViewedPlane) -> tuple[float, float]:
    return float(factors[plane.axes[0]]), float(factors[plane.axes[1]])


def _labels_region(
    frame_region: Region, factors: tuple[float, float], shape: tuple[int, int]
) -> Region:
    return frame_region if factors == (1.0, 1.0) else frame_region.enlarged(factors, shape)


def _index_at_full_resolution(plane: ViewedPlane, shape: tuple[int, ...], name: str) -> PlaneIndex:
    index: list[int | None] = []
    for axis, (position, length) in enumerate(zip(plane.position, shape, strict=True)):
        if axis in plane.axes:
            index.append(None)
            continue
        at = int(np.round(position))
        if not 0 <= at < length:
            raise InvalidInput(
                f"The current slice lies outside {name!r}, which shows nothing there. Move the "
                "sliders until the image appears."
            )
        index.append(at)
    return tuple(index)


def _index_at_level(index: PlaneIndex, factors: NDArray[np.float64]) -> PlaneIndex:
    """Return the plane of a level that holds the centre of a plane of full resolution."""
    return tuple(
        None if at is None else int(np.floor((at + 0.5) / factor))
        for at, factor in zip(index, factors, strict=True)
    )


def _channel(layer: Image, *, faded: bool) -> Channel:
    """Take down a layer's colours: those of its colormap over black.

    ``faded`` applies the layer's opacity, with which channels are weighed against each other.
    """
    low, high = (float(limit) for limit in layer.contrast_limits)
    colours = np.ones((256, 4))
    if layer.rgb:
        colours[:, :3] = np.linspace(0, 1, 256)[:, None]
    else:
        colours = np.asarray(layer.colormap.map(np.linspace(0, 1, 256)), dtype=float)
    weight = colours[:, 3:] * (layer.opacity if faded else 1.0)
    lut = np.clip(colours[:, :3] * weight * 255 + 0.5, 0, 255).astype(np.uint8)
    return Channel((low, high), float(layer.gamma), lut)


def _title(layers: Sequence[Image], shape: tuple[int, int], index: PlaneIndex) -> str:
    first = layers[0]
    if len(layers) > 1:
        kind = f"{len(layers)} channels"
    else:
        kind = "RGB" if first.rgb else str(np.dtype(first.dtype))
    parts = [" + ".join(layer.name for layer in layers), f"{shape[0]}×{shape[1]}", kind]  # noqa: RUF001
    for axis, at in enumerate(index):
        if at is not None:
            label = first.axis_labels[axis]
            # napari's own names for axes nobody named are "-3", "-2", ...
            parts.append(f"axis {axis}: {at}" if label.startswith("-") else f"{label} {at}")
    return " · ".join(parts)
