"""Stacks and movies: a frozen snapshot of all planes along one axis."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from napari.layers import Image

from napari_sa2va.errors import InvalidInput
from napari_sa2va.viewer.geometry import LayerGeometry, displayed_axes, view_plane
from napari_sa2va.viewer.sight import Sight, axis_name

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from napari_sa2va.frames import ArrayFrames
    from napari_sa2va.viewer.placement import Placement
    from napari_sa2va.viewer.visible import LookAt

_TIME: Final = ("t", "time", "times", "frame", "frames")
_DEPTH: Final = ("z", "depth", "slice", "slices", "plane", "planes")
_CHANNEL: Final = ("c", "ch", "channel", "channels")


@dataclass(frozen=True, slots=True)
class StackAxis:
    """An axis along which planes can be followed.

    Attributes
    ----------
    axis : int
        Of the image layer, a colour axis not counted.
    name : str
        Its label; ``"axis 0"`` where nobody named it.
    length : int
        Planes along it, at full resolution: frames of a stack are numbered 0 to length - 1.
    current : int
        The plane at the slider, or the nearest that there is.
    """

    axis: int
    name: str
    length: int
    current: int


@dataclass(frozen=True, slots=True, eq=False)
class StackSnapshot:
    """All planes along one axis, drawn as the viewer showed them when asked.

    Parameters
    ----------
    frames : ArrayFrames
        One frame a plane, read when asked for; contrast and region are the same for all.
    axis : StackAxis
        The axis they run along.
    title : str
        For people: layer names, size, kind, and where on the other axes.
    key : hashable
        Equal for snapshots of the same stack of the same layers.
    first : Placement
        Where the masks of frame 0 go.
    """

    frames: ArrayFrames
    axis: StackAxis
    title: str
    key: Hashable
    first: Placement

    def placement(self, index: int) -> Placement:
        """Return where the masks of a frame go.

        Raises
        ------
        IndexError
            There is no such frame.
        """
        if not 0 <= index < len(self.frames):
            raise IndexError(f"there is no frame {index}, but 0 to {len(self.frames) - 1}")
        at = list(self.first.index)
        at[self.axis.axis] = index
        return replace(self.first, index=tuple(at))

    @property
    def line(self) -> tuple[int | None, ...]:
        """The stack among others in the Labels layer: its place on the axes that stay.

        None on the two axes of the plane and on that of the stack.
        """
        return tuple(
            None if axis == self.axis.axis else at for axis, at in enumerate(self.first.index)
        )


def stack_axes(viewer: Any, layers: Sequence[Any]) -> tuple[StackAxis, ...]:
    """Return the axes of image layers along which there are planes to follow.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
        Whose displayed axes are left out.
    layers : sequence of napari.layers.Image
        Ticked layers; the first one counts.

    Returns
    -------
    tuple of StackAxis
        Time before depth before others, channels last; ``()`` if there is none.
    """
    if not layers or not isinstance(layers[0], Image):
        return ()
    layer = layers[0]
    dims, ndim = viewer.dims, layer.ndim
    offset = dims.ndim - ndim
    if dims.ndisplay == 2:
        shown: set[int] = set(displayed_axes(dims, ndim))
    else:
        shown = set([axis - offset for axis in dims.order if axis >= offset][-dims.ndisplay :])
    shape = (layer.data[0] if layer.multiscale else layer.data).shape
    position = _position(viewer, layer)
    found = [
        StackAxis(
            axis, axis_name(layer, axis), int(shape[axis]), _clipped(position[axis], shape[axis])
        )
        for axis in range(ndim)
        if axis not in shown and shape[axis] > 1
    ]
    return tuple(sorted(found, key=lambda axis: _rank(layer, axis)))


def stack_snapshot(
    viewer: Any,
    layers: Sequence[Image],
    axis: int,
    look_at: LookAt = "whole",
    at: Mapping[int, int] | None = None,
) -> StackSnapshot:
    """Take down all planes of image layers along one axis, drawn as the viewer shows them.

    Reads no pixels: safe and quick on the GUI thread, where it must be called.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
        Its axis order, camera, canvas and sliders are used.
    layers : sequence of napari.layers.Image
        Ticked layers; several are channels of one image, as in `snapshot`.
    axis : int
        `StackAxis.axis` of one of `stack_axes`.
    look_at : LookAt
        The whole planes, what is on the screen, or a rectangle: the same part of every plane.
    at : mapping of int to int, optional
        Positions on other axes of the layer; where the sliders are if left out.

    Raises
    ------
    InvalidInput
        Nothing can be looked at, or there are no planes along that axis.
    """
    found = {candidate.axis: candidate for candidate in stack_axes(viewer, layers)}
    sight = Sight.of(viewer, layers, look_at, axis if axis in found else None)
    if axis not in found:
        there = ", ".join(f"{known.name!r} ({known.axis})" for known in found.values())
        raise InvalidInput(
            f"There are no planes to follow along axis {axis} of {layers[0].name!r}. "
            + (f"Choose one of: {there}." if there else "It is one single plane in this view.")
        )
    chosen = {**(at or {}), axis: 0}
    start = sight.index(chosen)
    length = found[axis].length
    planes = [(*start[:axis], position, *start[axis + 1 :]) for position in range(length)]
    frames = sight.frames(planes)
    where = [None if at is None else str(at) for at in start]
    where[axis] = f"0–{length - 1}"  # noqa: RUF001
    key = (
        tuple(layer.unique_id for layer in layers),
        (*start[:axis], "stack", *start[axis + 1 :]),
    )
    return StackSnapshot(
        frames, found[axis], sight.title(frames.shape, where), key, sight.placement(start)
    )


def _position(viewer: Any, layer: Image) -> list[float]:
    """Where the view cuts a layer; 0 on the axes of the plane."""
    if viewer.dims.ndisplay == 2:
        try:
            return list(np.nan_to_num(view_plane(viewer, LayerGeometry.of(layer)).position))
        except InvalidInput:  # squeezed flat: there is nothing to see, but axes there are
            return [0.0] * layer.ndim
    return list(layer.world_to_data(viewer.dims.point))[-layer.ndim :]


def _clipped(position: float, length: int) -> int:
    return int(np.clip(np.round(position), 0, length - 1))


def _rank(layer: Image, axis: StackAxis) -> tuple[int, int]:
    """Time, depth, others, channels; among equals the data's order."""
    name = axis.name.casefold()
    unit = str(layer.units[axis.axis].dimensionality)
    if name in _TIME or unit == "[time]":
        kind = 0
    elif name in _DEPTH or unit == "[length]":
        kind = 1
    else:
        kind = 3 if name in _CHANNEL else 2
    return kind, axis.axis
