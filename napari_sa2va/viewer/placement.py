"""The way back: from a mask of the frame to pixels of a Labels layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sa2va.frames import Orientation, PlaneIndex, Region
    from napari_sa2va.viewer.geometry import LayerGeometry


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """Where the masks of one frame belong.

    Parameters
    ----------
    labels_shape : tuple of int
        Full shape of the Labels layer, all dimensions.
    index : PlaneIndex
        The plane in it: a position on every axis, None on the two of the plane.
    region : Region
        The part of that plane the frame shows, in pixels of the Labels layer.
    orientation : Orientation
        How the plane lay on the screen.
    frame_region : Region
        The same part in pixels of the level that the model looked at; equal to ``region`` where
        that is the labels' own level.
    factors : tuple of float
        Pixels of the Labels per pixel of the frame, along rows and columns of the data plane.
    geometry : LayerGeometry
        Of the Labels layer.
    """

    labels_shape: tuple[int, ...]
    index: PlaneIndex
    region: Region
    orientation: Orientation
    frame_region: Region
    factors: tuple[float, float]
    geometry: LayerGeometry

    @property
    def plane_shape(self) -> tuple[int, int]:
        """Rows and columns of the Labels plane, in the data's order."""
        rows, columns = (
            n for n, at in zip(self.labels_shape, self.index, strict=True) if at is None
        )
        return rows, columns

    @property
    def frame_shape(self) -> tuple[int, int]:
        """Height and width of the frame, as the model saw it."""
        return self.orientation.shape_on_screen(self.frame_region.shape)

    @property
    def where(self) -> tuple[int | slice, ...]:
        """Index of the region in the Labels layer's data."""
        sides = iter(self.region.slices)
        return tuple(next(sides) if at is None else at for at in self.index)

    @property
    def box(self) -> tuple[slice, ...]:
        """The region in the Labels layer's data as a box: a slice on every axis."""
        return tuple(at if isinstance(at, slice) else slice(at, at + 1) for at in self.where)

    def paste(self, mask: NDArray[Any]) -> tuple[tuple[int | slice, ...], NDArray[np.bool_]]:
        """Turn a mask of the frame into pixels of the Labels layer.

        Parameters
        ----------
        mask : (height, width) array
            At the frame's size: bool, or the logits of a probability map, whose border (0) is then
            drawn between the frame's pixels where the Labels layer is finer.

        Returns
        -------
        where : tuple of int and slice
            ``labels.data[where]`` is the region looked at.
        inside : bool array
            Of the shape of that region: which of its pixels are in the mask.

        Raises
        ------
        InvalidInput
            The mask is not of the frame's size.
        """
        if mask.shape != self.frame_shape:
            raise InvalidInput(
                f"A mask of {mask.shape} pixels does not belong to a frame of {self.frame_shape}."
            )
        plane = self.orientation.to_data(mask)
        if self.factors == (1.0, 1.0):
            inside = plane if plane.dtype == np.bool_ else plane > 0
        else:
            rows = self._sources(0, self.region.top, self.region.bottom, self.frame_region.top)
            columns = self._sources(1, self.region.left, self.region.right, self.frame_region.left)
            inside = (
                plane[np.ix_(_nearest(rows, plane.shape[0]), _nearest(columns, plane.shape[1]))]
                if plane.dtype == np.bool_
                else _between(_between(plane, rows, 0), columns, 1) > 0
            )
        return self.where, np.ascontiguousarray(inside)

    def labels_geometry(self) -> dict[str, Any]:
        """Return scale, translate, rotate, shear, affine, units and axis labels for the Labels."""
        return self.geometry.layer_arguments()

    def _sources(self, side: int, start: int, stop: int, origin: int) -> NDArray[np.float64]:
        """Where the centres of the Labels' rows (or columns) lie among those of the frame."""
        return np.asarray((np.arange(start, stop) + 0.5) / self.factors[side] - 0.5 - origin)


def _nearest(positions: NDArray[np.float64], length: int) -> NDArray[np.intp]:
    return np.clip(np.floor(positions + 0.5).astype(np.intp), 0, length - 1)


def _between(values: NDArray[Any], positions: NDArray[np.float64], axis: int) -> NDArray[Any]:
    """Interpolate linearly along one axis; beyond the outermost pixels their values go on."""
    last = values.shape[axis] - 1
    inner = np.clip(positions, 0, last)
    low = np.floor(inner).astype(np.intp)
    high = np.minimum(low + 1, last)
    weight = (inner - low).astype(np.float32)
    weight = weight[:, None] if axis == 0 else weight[None, :]
    return np.asarray(
        np.take(values, low, axis) * (1 - weight) + np.take(values, high, axis) * weight
    )
