"""Where a layer's pixels are in the world, and how they lie on the screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames import Orientation

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_sa2va.frames import PlaneIndex


@dataclass(frozen=True, slots=True, eq=False)
class LayerGeometry:
    """The parts of a layer's transform, copied: data → physical (these) → world (``affine``).

    Parameters
    ----------
    scale, translate : (D,) arrays
        D is the layer's number of dimensions, a colour axis not counted.
    rotate : (D, D) array
        Rotation matrix.
    shear : array
        As napari gives it: the D (D - 1) / 2 values above the diagonal, or a (D, D) matrix.
    affine : (D + 1, D + 1) array
        Applied after all others.
    units, axis_labels : tuple
        One per dimension.
    """

    scale: NDArray[np.float64]
    translate: NDArray[np.float64]
    rotate: NDArray[np.float64]
    shear: NDArray[np.float64]
    affine: NDArray[np.float64]
    units: tuple[Any, ...]
    axis_labels: tuple[str, ...]

    @classmethod
    def of(cls, layer: Any) -> LayerGeometry:
        """Copy the transform of a napari layer."""
        return cls(
            scale=np.array(layer.scale, dtype=float),
            translate=np.array(layer.translate, dtype=float),
            rotate=np.array(layer.rotate, dtype=float),
            shear=np.array(layer.shear, dtype=float),
            affine=np.array(layer.affine.affine_matrix, dtype=float),
            units=tuple(layer.units),
            axis_labels=tuple(layer.axis_labels),
        )

    @property
    def ndim(self) -> int:
        """Number of dimensions, without colour."""
        return len(self.scale)

    @property
    def physical(self) -> NDArray[np.float64]:
        """Linear part of data → physical: rotate · shear · scale, in napari's order."""
        shear = self.shear
        if shear.ndim == 1:
            values, shear = shear, np.eye(self.ndim)
            shear[np.triu_indices(self.ndim, k=1)] = values
        return np.asarray(self.rotate @ shear @ np.diag(self.scale))

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Data → world, (D + 1, D + 1), in the layer's own units."""
        matrix = np.eye(self.ndim + 1)
        matrix[:-1, :-1] = self.physical
        matrix[:-1, -1] = self.translate
        return np.asarray(self.affine @ matrix)

    def reduced(self, factors: ArrayLike) -> LayerGeometry:
        """Return the geometry of a smaller copy of the same data.

        Parameters
        ----------
        factors : (D,) array
            Pixels of the data per pixel of the copy, along each dimension.

        Notes
        -----
        Pixel i of the copy covers factor pixels, so its centre is at (i + 0.5) · factor - 0.5 of
        the data: scale grows, and the origin moves by half of what a pixel has grown.
        """
        growth = np.asarray(factors, dtype=float)
        return LayerGeometry(
            scale=self.scale * growth,
            translate=self.translate + self.physical @ ((growth - 1) / 2),
            rotate=self.rotate,
            shear=self.shear,
            affine=self.affine,
            units=self.units,
            axis_labels=self.axis_labels,
        )

    def layer_arguments(self) -> dict[str, Any]:
        """Return what a new layer must be given to lie exactly here.

        Units and axis labels too: where they differ between layers, napari stops using units.
        """
        return {
            "scale": self.scale.copy(),
            "translate": self.translate.copy(),
            "rotate": self.rotate.copy(),
            "shear": self.shear.copy(),
            "affine": self.affine.copy(),
            "units": self.units,
            "axis_labels": self.axis_labels,
        }


@dataclass(frozen=True, slots=True, eq=False)
class ViewedPlane:
    """The plane of one layer that a 2-D view shows.

    Parameters
    ----------
    ndim : int
        The layer's number of dimensions.
    axes : tuple of int
        Its two axes in the data's order: rows and columns of the data plane.
    position : (D,) array
        Where the view cuts the layer, in data coordinates; NaN on the two axes of the plane.
    to_screen : (2, 3) array
        (row, column, 1) of the data plane → world coordinates down and to the right, before the
        camera's own flips.
    flips : tuple of float
        1, or -1 where the camera turns the screen's vertical or horizontal axis round.
    """

    ndim: int
    axes: tuple[int, int]
    position: NDArray[np.float64]
    to_screen: NDArray[np.float64]
    flips: tuple[float, float]

    @property
    def index(self) -> PlaneIndex:
        """The plane in the layer's data; outside of it where the view is."""
        return tuple(
            None if axis in self.axes else round(at)
            for axis, at in enumerate(self.position.tolist())
        )

    @property
    def orientation(self) -> Orientation:
        """How the data plane lies on the screen, to the nearest turn."""
        return Orientation.from_matrix(np.diag(self.flips) @ self.to_screen[:, :2])

    def to_data(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn (n, 2) world coordinates down and right into rows and columns of the data."""
        linear, offset = self.to_screen[:, :2], self.to_screen[:, 2]
        return np.asarray(np.linalg.solve(linear, (points - offset).T).T)


def displayed_axes(dims: Any, ndim: int) -> tuple[int, int]:
    """Return the axes of an ``ndim``-dimensional layer that run down and to the right.

    Layers are aligned with the viewer's last dimensions, and show their own last two in the
    viewer's order, even where the viewer shows an axis they lack (as napari does).
    """
    offset = dims.ndim - ndim
    down, right = [axis - offset for axis in dims.order if axis >= offset][-2:]
    return down, right


def world_matrix(geometry: LayerGeometry, dims: Any) -> NDArray[np.float64]:
    """Return data → the viewer's world, (D + 1, D + 1).

    The viewer has one unit per axis, and shows layers with other units scaled to it; where their
    kinds differ it has none, and shows the bare numbers.
    """
    matrix = geometry.matrix
    world_units = dims.units
    if world_units is None or len(world_units) < geometry.ndim:
        return matrix
    factors = [
        1.0 if own == world else _ratio(own, world)
        for own, world in zip(geometry.units, world_units[-geometry.ndim :], strict=True)
    ]
    return np.asarray(np.diag([*factors, 1.0]) @ matrix)


def view_plane(viewer: Any, geometry: LayerGeometry) -> ViewedPlane:
    """Work out which plane of a layer the viewer shows, and how.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        In 2-D mode.
    geometry : LayerGeometry
        Of the layer.

    Raises
    ------
    InvalidInput
        The layer is squeezed flat in the view, so that no plane of it is seen.
    """
    dims, ndim = viewer.dims, geometry.ndim
    matrix = world_matrix(geometry, dims)
    shown = list(displayed_axes(dims, ndim))
    axes = sorted(shown)
    hidden = [axis for axis in range(ndim) if axis not in shown]
    to_screen = matrix[np.ix_(shown, [*axes, ndim])]
    if abs(np.linalg.det(matrix)) == 0 or abs(np.linalg.det(to_screen[:, :2])) == 0:
        raise InvalidInput(
            "The image is seen edge-on in this view. Choose other axes to display, or reset its "
            "transform."
        )
    position = np.full(ndim, np.nan)
    # napari cuts with the hidden axes' own part of the inverse, so a tilt out of the plane is not
    # followed: the plane it draws is the plane taken here.
    inverse = np.linalg.inv(matrix)
    point = np.asarray(dims.point, dtype=float)[-ndim:]
    position[hidden] = inverse[np.ix_(hidden, hidden)] @ point[hidden] + inverse[hidden, ndim]
    vertical, horizontal = viewer.scene.camera.orientation2d
    flips = (
        -1.0 if str(vertical) == "up" else 1.0,
        -1.0 if str(horizontal) == "left" else 1.0,
    )
    return ViewedPlane(ndim, (axes[0], axes[1]), position, to_screen, flips)


def _ratio(own: Any, world: Any) -> float:
    """How many world units one of the layer's own units is."""
    import pint

    registry: Any = pint.get_application_registry()  # type: ignore[no-untyped-call]
    return float(registry.get_base_units(own)[0] / registry.get_base_units(world)[0])
