"""Bringing a session back into a viewer that may show its image already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.layers import Image, Layer

from napari_sa2va.io.session_reader import image_layers, restored
from napari_sa2va.viewer.labels import METADATA
from napari_sa2va.viewer.session_info import image_info

if TYPE_CHECKING:
    from pathlib import Path

    from napari.layers import Labels

    from napari_sa2va.annotation.session import ImageInfo


def restore(viewer: Any, path: Path) -> Labels:
    """Add the labels of a session to a viewer, and its images unless they are there.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
        An image that was opened from the same file, or is the same sample, is taken for the
        session's.
    path : Path
        The session's folder.

    Raises
    ------
    SessionDamaged
        Nothing of it can be restored.
    """
    state, (data, meta, _) = restored(path)
    there = [layer for layer in viewer.layers if isinstance(layer, Image)]
    images = [layer for info in state.about.images for layer in there if _is_of(layer, info)]
    if not images:
        for pixels, arguments, _ in image_layers(state):
            made = viewer.add_image(pixels, **arguments)
            images += made if isinstance(made, list) else [made]
    meta["metadata"][METADATA]["images"] = tuple(layer.unique_id for layer in images)
    labels: Any = Layer.create(data, meta, "labels")
    viewer.add_layer(labels)
    return labels


def _is_of(layer: Image, info: ImageInfo) -> bool:
    now = image_info(layer)
    if now.shape != info.shape or now.dtype != info.dtype:
        return False
    if info.sample or info.path:
        return (now.sample, now.path) == (info.sample, info.path)
    return now.name == info.name  # it was in memory only
