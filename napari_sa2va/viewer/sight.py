"""What every snapshot begins with: the layers looked at, their grid, and the part on the screen."""

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
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_sa2va.frames import PlaneIndex
    from napari_sa2va.viewer.geometry import ViewedPlane
    from napari_sa2va.viewer.visible import LookAt


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """One image layer, or several as its channels, as a 2-D view shows them.

    Attributes
    ----------
    layers : sequence of Image
        With their pixels at the same places.
    geometry : LayerGeometry
        Of full resolution.
    plane : ViewedPlane
        What the viewer cuts out of them.
    shapes : tuple of tuple of int
        Of the levels of the pyramid, without colour, full resolution first.
    frame_level, labels_level : int
        What is looked at, and where masks go.
    frame_region : Region
        The part of each plane to look at, at that level.
    """

    layers: Sequence[Image]
    geometry: LayerGeometry
    plane: ViewedPlane
    shapes: Sequence[tuple[int, ...]]
    frame_level: int
    labels_level: int
    frame_region: Region

    @classmethod
    def of(
        cls, viewer: Any, layers: Sequence[Image], look_at: LookAt, stack_axis: int | None = None
    ) -> Sight:
        """Look at layers, without reading pixels.

        Parameters
        ----------
        viewer : napari.Viewer or napari.components.ViewerModel
            In 2-D mode.
        layers : sequence of Image
            Ticked layers.
        look_at : LookAt
            Which part of the plane.
        stack_axis : int, optional
            An axis of the layers of which masks must come back at every position: levels that
            have fewer are no place for masks.

        Raises
        ------
        InvalidInput
            Nothing can be looked at; the sentence says why and what to do.
        """
        _check_view(viewer, layers)
        geometry = LayerGeometry.of(layers[0])
        _check_same_grid(layers, geometry)
        plane = view_plane(viewer, geometry)
        shapes = _level_shapes(layers[0])
        plane_shapes = [(shape[plane.axes[0]], shape[plane.axes[1]]) for shape in shapes]
        region = region_of(viewer, plane, plane_shapes[0], look_at)
        levels = choose_levels(plane_shapes, region)
        labels_level = levels.labels
        if stack_axis is not None:
            while shapes[labels_level][stack_axis] < shapes[0][stack_axis]:
                labels_level -= 1
        factors = _on_plane(_factors(shapes, levels.frame), plane)
        frame_region = region.reduced(factors, plane_shapes[levels.frame])
        return cls(layers, geometry, plane, shapes, levels.frame, labels_level, frame_region)

    def index(self, chosen: dict[int, int] | None = None) -> PlaneIndex:
        """Return the plane at the sliders, at full resolution.

        Parameters
        ----------
        chosen : dict, optional
            Positions to take on some axes, whatever the sliders say.

        Raises
        ------
        InvalidInput
            There is no such plane.
        """
        chosen = chosen or {}
        name = self.layers[0].name
        index: list[int | None] = []
        for axis, (position, length) in enumerate(
            zip(self.plane.position, self.shapes[0], strict=True)
        ):
            if axis in self.plane.axes:
                index.append(None)
                continue
            at = chosen.get(axis, int(np.round(position)))
            if not 0 <= at < length and axis in chosen:
                raise InvalidInput(
                    f"{name!r} has no plane {at} on axis {axis}: there are {length}, from 0."
                )
            if not 0 <= at < length:
                raise InvalidInput(
                    f"The current slice lies outside {name!r}, which shows nothing there. Move the "
                    "sliders until the image appears."
                )
            index.append(at)
        return tuple(index)

    def frames(self, planes: Sequence[PlaneIndex]) -> ArrayFrames:
        """Return planes of full resolution as frames, read when asked for."""
        factors = _factors(self.shapes, self.frame_level)
        return ArrayFrames(
            arrays=tuple(
                layer.data[self.frame_level] if layer.multiscale else layer.data
                for layer in self.layers
            ),
            channels=tuple(channel_of(layer, faded=len(self.layers) > 1) for layer in self.layers),
            planes=tuple(_index_at_level(plane, factors) for plane in planes),
            region=self.frame_region,
            orientation=self.plane.orientation,
            rgb=tuple(bool(layer.rgb) for layer in self.layers),
        )

    def placement(self, index: PlaneIndex) -> Placement:
        """Return where the masks of a plane of full resolution go."""
        labels_factors = _factors(self.shapes, self.labels_level)
        relative = _on_plane(_factors(self.shapes, self.frame_level) / labels_factors, self.plane)
        labels_shape = self.shapes[self.labels_level]
        plane_shape = labels_shape[self.plane.axes[0]], labels_shape[self.plane.axes[1]]
        return Placement(
            labels_shape=labels_shape,
            index=_index_at_level(index, labels_factors),
            region=_labels_region(self.frame_region, relative, plane_shape),
            orientation=self.plane.orientation,
            frame_region=self.frame_region,
            factors=relative,
            geometry=self.geometry.reduced(labels_factors),
        )

    def title(self, shape: tuple[int, int], where: Sequence[str | None]) -> str:
        """Describe for people: layer names, size, kind, and where on the other axes.

        Parameters
        ----------
        shape : tuple of int
            Height and width of the frames.
        where : sequence of str or None
            For each axis, what is looked at; None on the two of the plane.
        """
        first = self.layers[0]
        if len(self.layers) > 1:
            kind = f"{len(self.layers)} channels"
        else:
            kind = "RGB" if first.rgb else str(np.dtype(first.dtype))
        names = " + ".join(layer.name for layer in self.layers)
        parts = [names, f"{shape[0]}×{shape[1]}", kind]  # noqa: RUF001
        for axis, at in enumerate(where):
            if at is not None:
                name = axis_name(first, axis)
                parts.append(f"{name}: {at}" if name.startswith("axis") else f"{name} {at}")
        return " · ".join(parts)


def axis_name(layer: Image, axis: int) -> str:
    """Return the label of an axis; ``"axis 0"`` where nobody named it."""
    label = str(layer.axis_labels[axis])
    # napari's own names for axes nobody named are "-3", "-2", ...
    return f"axis {axis}" if not label or label.startswith("-") else label


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


def _index_at_level(index: PlaneIndex, factors: NDArray[np.float64]) -> PlaneIndex:
    """Return the plane of a level that holds the centre of a plane of full resolution."""
    return tuple(
        None if at is None else int(np.floor((at + 0.5) / factor))
        for at, factor in zip(index, factors, strict=True)
    )


def channel_of(layer: Image, *, faded: bool) -> Channel:
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
