"""The layer in which a user draws what the model shall look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.layers import Shapes

from napari_sa2va.viewer.geometry import LayerGeometry
from napari_sa2va.viewer.labels import METADATA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Image


def add_rectangle_layer(viewer: Any, images: Sequence[Image]) -> Shapes:
    """Add an empty Shapes layer over an image, ready for a rectangle.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
        Whose active layer it becomes.
    images : sequence of Image
        It lies like the first; without any, like the world.
    """
    place = LayerGeometry.of(images[0]).layer_arguments() if images else {}
    layer = Shapes(
        ndim=images[0].ndim if images else viewer.dims.ndim,
        name="Look here",
        edge_color="yellow",
        face_color="transparent",
        # In pixels of the image, whatever the zoom: a hundredth of its larger side.
        edge_width=max(1, round(max(images[0].extent.data[1]) / 200)) if images else 1,
        metadata={METADATA: {"kind": "region"}},
        **place,
    )
    viewer.add_layer(layer)
    layer.mode = "add_rectangle"
    return layer
