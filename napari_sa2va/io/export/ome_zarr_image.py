"""The image of an OME-Zarr: its own numbers, beside which the labels lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.io.export.ome_zarr_arrays import (
    array_order,
    create_level,
    level_shapes,
    moved,
    put_metadata,
)
from napari_sa2va.io.export.ome_zarr_metadata import axes_detail, multiscales, omero

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_sa2va.io.export.annotations import Annotations, Place
    from napari_sa2va.io.export.ome_zarr_there import Version


def has_no_room(annotations: Annotations, named: tuple[str, ...]) -> bool:
    """Whether the image needs the one axis of channels, and the labels have channels already."""
    pictures = annotations.pictures
    if pictures is None or "c" not in named:
        return False
    return any(pictures.rgb) or len(pictures.arrays) > 1


def image_shape(annotations: Annotations, named: tuple[str, ...]) -> tuple[int, ...]:
    """Return the shape that the image is written with."""
    return _layout(annotations, named).shape


def is_image(array: Any, annotations: Annotations, named: tuple[str, ...]) -> bool:
    """Whether an array of this shape holds the image: a plane of it tells."""
    layout, places = _layout(annotations, named), annotations.places
    middle = len(places) // 2
    for place in places[middle : middle + 1]:
        for spot, plane in _planes(annotations, layout, place):
            try:
                there = np.asarray(array[spot])
            except Exception:  # stores and codecs fail in their own ways: it cannot be told
                return False
            if not np.array_equal(there, plane, equal_nan=True):
                return False
    return True


def write_image(
    root: Any, annotations: Annotations, named: tuple[str, ...], version: Version
) -> None:
    """Write the image's own numbers; colours and several channels become a channel axis."""
    pictures = annotations.pictures
    assert pictures is not None
    layout = _layout(annotations, named)
    dtype = np.result_type(*(np.dtype(array.dtype) for array in pictures.arrays))
    dtype = np.dtype(np.uint8) if dtype.kind == "b" else dtype
    order = list(range(len(layout.axes)))
    arrays = [
        create_level(root, str(level), size, dtype, layout.axes, order, version)
        for level, size in enumerate(level_shapes(layout.shape))
    ]
    for place in annotations.places:
        for spot, plane in _planes(annotations, layout, place):
            smaller = plane.astype(dtype)
            for array in arrays:
                array[spot] = smaller
                smaller = smaller[::2, ::2]
    paths = [str(level) for level in range(len(arrays))]
    metadata = image_metadata(annotations, named, version, paths, layout.channel_at)
    # Labels with channels lie on one layer, which has them all.
    positions = layout.shape[layout.axes.index("c")] if "c" in named else 1
    metadata["omero"] = omero(pictures, layout.components, version, positions)
    put_metadata(root, metadata, version)


def image_metadata(
    annotations: Annotations,
    named: tuple[str, ...],
    version: Version,
    paths: list[str],
    channel_at: int | None = None,
) -> dict[str, Any]:
    """Describe an image with the axes of the labels, and one of channels where that is said."""
    order = array_order(named)
    detail = multiscales(annotations.name, annotations.space, named, order, paths, version)
    if channel_at is not None:
        detail[0]["axes"].insert(channel_at, axes_detail("c", "pixel"))
        for dataset in detail[0]["datasets"]:
            scale, move = dataset["coordinateTransformations"]
            scale["scale"].insert(channel_at, 1.0)
            move["translation"].insert(channel_at, 0.0)
    return {"multiscales": detail}


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the planes of an image go.

    Attributes
    ----------
    axes, shape : tuple
        As they are written.
    order : list of int
        The axes of the labels in that order.
    channel_at : int or None
        Which axis the channels have that the labels know nothing of; None where there is one.
    components : int
        Of each layer: three where one of them has colours.
    """

    axes: tuple[str, ...]
    shape: tuple[int, ...]
    order: list[int]
    channel_at: int | None
    components: int


def _layout(annotations: Annotations, named: tuple[str, ...]) -> _Layout:
    pictures = annotations.pictures
    assert pictures is not None
    components = 3 if any(pictures.rgb) else 1
    order = array_order(named)
    axes, shape = [named[axis] for axis in order], [annotations.shape[axis] for axis in order]
    count, channel_at = components * len(pictures.arrays), None
    if count > 1:
        channel_at = 1 if "t" in named else 0
        axes.insert(channel_at, "c")
        shape.insert(channel_at, count)
    return _Layout(tuple(axes), tuple(shape), order, channel_at, components)


def _planes(
    annotations: Annotations, layout: _Layout, place: Place
) -> Iterator[tuple[tuple[int, ...], NDArray[Any]]]:
    """Go through the channels at a place, with where each of them is written."""
    pictures = annotations.pictures
    assert pictures is not None
    where, at, number = moved(place, layout.order), layout.channel_at, 0
    for array, rgb in zip(pictures.arrays, pictures.rgb, strict=True):
        plane = np.asarray(array[place] if place else array[...])
        for component in range(layout.components):
            spot = where if at is None else (*where[:at], number, *where[at:])
            yield spot, plane[..., component] if rgb else plane
            number += 1
