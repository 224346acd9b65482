"""The Labels layer that the results of one image go into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from napari.layers import Labels

from napari_sa2va.errors import InvalidInput
from napari_sa2va.viewer.store import MOST_IN_MEMORY, new_array

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from napari.layers import Image

    from napari_sa2va.viewer.placement import Placement

METADATA: Final = "napari_sa2va"
"""Key in ``layer.metadata`` of what tells our layers from others."""
_PREVIEW: Final = "preview"  # as `preview.KIND`, which needs this module


def warm_up() -> None:
    """Have napari load what its first Labels layer needs, half a second of numba above all.

    Safe in any thread: the layer belongs to no viewer.
    """
    Labels(np.zeros((1, 1), dtype=np.int32))


def own_labels(viewer: Any, images: Sequence[Image], shape: tuple[int, ...]) -> Labels | None:
    """Return the Labels layer made earlier for any of these image layers, if it is still there.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
        Searched from the top.
    images : sequence of Image
        The channels of one image: results of each channel go into one layer.
    shape : tuple of int
        It must have; the level of a pyramid that masks go to can change.
    """
    wanted = {layer.unique_id for layer in images}
    for layer in reversed(viewer.layers):
        marks = layer.metadata.get(METADATA, {})
        if isinstance(layer, Labels) and wanted & set(marks.get("images", ())):
            if tuple(layer.data.shape) == shape:
                return layer
    return None


def create_labels(
    viewer: Any,
    images: Sequence[Image],
    placement: Placement,
    *,
    folder: Path | None = None,
    most_in_memory: int = MOST_IN_MEMORY,
) -> Labels:
    """Add an empty Labels layer that lies exactly on an image.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
        Where it is added.
    images : sequence of Image
        The channels of one image; named after the first.
    placement : Placement
        Of a frame of it.
    folder : Path, optional
        Where a large one is kept; `store.large_labels_folder` if left out.
    most_in_memory : int
        Bytes above which it is kept there, as a zarr array.

    Raises
    ------
    CannotWrite
        It is large, and cannot be kept in that folder.
    """
    first = images[0]
    named = [label for label in placement.geometry.axis_labels if not label.startswith("-")]
    data = new_array(
        placement.labels_shape,
        first.name,
        folder=folder,
        axis_names=named if len(set(named)) == len(placement.labels_shape) else (),
        most_in_memory=most_in_memory,
    )
    labels = Labels(
        data,
        name=f"{first.name} · Sa2VA",
        metadata={
            METADATA: {
                "kind": "labels",
                "image": first.name,
                "images": tuple(layer.unique_id for layer in images),
            }
        },
        **placement.labels_geometry(),
    )
    viewer.add_layer(labels)
    return labels


def suitable_targets(viewer: Any, placement: Placement) -> Iterator[Labels]:
    """Go through the Labels layers of the viewer that have the shape of a placement's.

    The preview of a correction is none of them.
    """
    for layer in viewer.layers:
        if isinstance(layer, Labels) and _shape(layer) == placement.labels_shape:
            if layer.metadata.get(METADATA, {}).get("kind") != _PREVIEW:
                yield layer


def check_target(labels: Labels, placement: Placement) -> None:
    """Raise InvalidInput unless results of this placement can be written into a layer."""
    name = labels.name
    if _shape(labels) != placement.labels_shape:
        raise InvalidInput(
            f"{name!r} has {_shape(labels)} pixels, the image {placement.labels_shape}. Choose "
            "another layer for the result, or let it go into a layer of its own."
        )
    data = labels.data
    read_only = (
        type(data).__module__.partition(".")[0] == "dask"
        or not hasattr(data, "__setitem__")
        or bool(getattr(data, "read_only", False))
        or (isinstance(data, np.ndarray) and not data.flags.writeable)
    )
    if read_only:
        raise InvalidInput(
            f"{name!r} cannot be written to (its data is read-only). Duplicate it into memory, or "
            "let the result go into a layer of its own."
        )


def pixel_area(labels: Labels, axes: tuple[int, int]) -> tuple[float, str]:
    """Return the area of one pixel of a plane, and its unit.

    Parameters
    ----------
    labels : Labels
        Its scale, shear, affine and units count.
    axes : tuple of int
        The two axes of the plane.

    Returns
    -------
    area : float
        1 where the unit is the pixel.
    unit : str
        ``"pixel"``, or a squared length such as ``"µm²"``. Where the two axes have units that
        cannot be converted into each other, there is no area but the number of pixels.
    """
    units = labels.units
    reference = units[axes[0]]
    if f"{reference}" == "pixel":
        return 1.0, "pixel"
    origin = np.zeros(labels.ndim)
    corner = np.asarray(labels.data_to_world(origin))
    steps = []
    for axis in axes:
        position = origin.copy()
        position[axis] = 1
        steps.append(np.asarray(labels.data_to_world(position)) - corner)
    factors = np.ones(labels.ndim)
    for axis, unit in enumerate(units):
        moved = any(abs(step[axis]) > 0 for step in steps)
        if moved and not unit.is_compatible_with(reference):
            return 1.0, "pixel"
        if moved:
            factors[axis] = (1 * unit).to(reference).magnitude
    first, second = (step * factors for step in steps)
    squared = (first @ first) * (second @ second) - (first @ second) ** 2
    return float(np.sqrt(max(squared, 0.0))), f"{reference:~P}²"


def _shape(labels: Labels) -> tuple[int, ...] | None:
    return None if labels.multiscale else tuple(int(n) for n in labels.data.shape)
