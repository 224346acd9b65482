"""What a session must know of layers to show them again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image

from napari_sa2va.annotation.session import About, ImageInfo, LabelsInfo
from napari_sa2va.viewer.geometry import LayerGeometry
from napari_sa2va.viewer.labels import METADATA

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari.layers import Labels


def about_of(viewer: Any, labels: Labels, otherwise: Sequence[Image] = ()) -> About:
    """Take down a Labels layer and the images that it belongs to.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
        Has the images.
    labels : Labels
        With its own notes of which images those are.
    otherwise : sequence of Image
        Taken where it has none.
    """
    wanted = set(labels.metadata.get(METADATA, {}).get("images", ()))
    images = [
        layer for layer in viewer.layers if isinstance(layer, Image) and layer.unique_id in wanted
    ]
    infos = tuple(image_info(layer) for layer in images or otherwise)
    return About(infos, labels_info(labels))


def labels_info(labels: Labels) -> LabelsInfo:
    """Take down a Labels layer."""
    data = labels.data[0] if labels.multiscale else labels.data
    shown = _geometry(labels) | {
        "opacity": float(labels.opacity),
        "visible": bool(labels.visible),
        "contour": int(labels.contour),
    }
    return LabelsInfo(
        labels.name, tuple(int(n) for n in data.shape), str(np.dtype(data.dtype)), shown
    )


def image_info(layer: Image) -> ImageInfo:
    """Take down an image layer."""
    data = layer.data[0] if layer.multiscale else layer.data
    # A layer that came with a session has the session's folder for its source.
    marks = layer.metadata.get(METADATA, {})
    path = marks.get("path", layer.source.path or "")
    sample = marks.get("sample", layer.source.sample or ())
    shown = _geometry(layer) | {
        "opacity": float(layer.opacity),
        "visible": bool(layer.visible),
        "blending": str(layer.blending),
        "contrast_limits": [float(limit) for limit in layer.contrast_limits],
        "gamma": float(layer.gamma),
    }
    if not layer.rgb:
        shown["colormap"] = str(layer.colormap.name)
    return ImageInfo(
        name=layer.name,
        path="" if sample else str(path),
        sample=tuple(str(part) for part in sample),
        shape=tuple(int(n) for n in data.shape),
        dtype=str(np.dtype(layer.dtype)),
        rgb=bool(layer.rgb),
        shown=shown,
    )


def _geometry(layer: Any) -> dict[str, Any]:
    return plain_geometry(LayerGeometry.of(layer).layer_arguments())


def plain_geometry(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments that say where a layer lies as JSON has them."""
    return {
        name: [str(part) for part in value] if isinstance(value, tuple) else value.tolist()
        for name, value in arguments.items()
    }
