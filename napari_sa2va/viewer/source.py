"""From what the user sees in napari to what the model looks at: a frozen snapshot of one plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_sa2va.viewer.sight import Sight

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from napari.layers import Image

    from napari_sa2va.frames import ArrayFrames
    from napari_sa2va.viewer.placement import Placement
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
    sight = Sight.of(viewer, layers, look_at)
    index = sight.index()
    frames = sight.frames([index])
    where = [None if at is None else str(at) for at in index]
    key = (tuple(layer.unique_id for layer in layers), index)
    return PlaneSnapshot(frames, sight.placement(index), sight.title(frames.shape, where), key)
