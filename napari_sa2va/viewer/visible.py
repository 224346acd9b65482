"""Which part of a plane to look at: all of it, what is on the screen, or a drawn rectangle."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from napari.layers import Shapes

from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames import Region
from napari_sa2va.viewer.geometry import LayerGeometry, displayed_axes, world_matrix

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_sa2va.viewer.geometry import ViewedPlane

LookAt: TypeAlias = "Literal['whole', 'screen'] | Shapes | ArrayLike"
"""``"whole"``, ``"screen"``, a Shapes layer (its selected, else its last shape), or the corners
of a rectangle in world coordinates, (4, D)."""


def region_of(
    viewer: Any, plane: ViewedPlane, shape: tuple[int, int], look_at: LookAt = "whole"
) -> Region:
    """Return the part of a data plane to look at, as the smallest box of whole pixels around it.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        In 2-D mode.
    plane : ViewedPlane
        The plane that it shows.
    shape : tuple of int
        Rows and columns of that plane.
    look_at : LookAt
        What the user chose.

    Raises
    ------
    InvalidInput
        There is no such rectangle, or the plane is not there.
    """
    if isinstance(look_at, str):
        if look_at == "whole":
            return Region.whole(shape)
        if look_at != "screen":
            raise InvalidInput(f"Look at 'whole', 'screen' or a rectangle, not {look_at!r}.")
        corners, nothing = _screen_corners(viewer), "No part of the image is on the screen"
    else:
        corners, nothing = _drawn_corners(viewer, look_at), "The rectangle lies beside the image"
    try:
        return Region.around(plane.to_data(corners), shape)
    except InvalidInput as error:
        raise InvalidInput(f"{nothing}. Move it there, or look at the whole plane.") from error


def _screen_corners(viewer: Any) -> NDArray[np.float64]:
    """Corners of the canvas in world coordinates, down and right.

    Worked out from the camera rather than read from ``layer.corner_pixels``: those lag behind for
    multiscale layers, which keep a tile as long as it covers the screen.
    """
    camera = viewer.scene.camera
    centre = np.asarray(camera.center, dtype=float)[-2:]
    # In grid mode each cell has a view of its own, all with the same camera.
    cells = viewer.canvas.grid.actual_shape(viewer.layers)
    size = np.asarray(viewer.canvas.size, dtype=float) / cells
    half = size / camera.zoom / 2
    return np.asarray(centre + half * np.array(list(itertools.product((-1, 1), repeat=2))))


def _drawn_corners(viewer: Any, drawn: Any) -> NDArray[np.float64]:
    """Corners of a drawn shape, or given ones, in world coordinates, down and right."""
    if isinstance(drawn, Shapes):
        corners = _shape_in_world(viewer, drawn)
    else:
        corners = np.asarray(drawn, dtype=float)
        if corners.ndim != 2 or len(corners) < 2 or not 2 <= corners.shape[1] <= viewer.dims.ndim:
            raise InvalidInput(
                "A rectangle is given by its corners, one row each, in the viewer's coordinates."
            )
    return corners[:, list(displayed_axes(viewer.dims, corners.shape[1]))]


def _shape_in_world(viewer: Any, shapes: Shapes) -> NDArray[np.float64]:
    if len(shapes.data) == 0:
        raise InvalidInput(
            f"The layer {shapes.name!r} holds no rectangle. Draw one around what you want to look "
            "at, or look at the whole plane."
        )
    selected = sorted(shapes.selected_data)
    vertices = np.asarray(shapes.data[selected[0] if len(selected) == 1 else -1], dtype=float)
    matrix = world_matrix(LayerGeometry.of(shapes), viewer.dims)
    return np.asarray(vertices @ matrix[:-1, :-1].T + matrix[:-1, -1])
