"""From a label image to the regions that a question is about."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sa2va.annotation.regions import regions_in
from napari_sa2va.cli.images import plane_index
from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames import open_image

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from napari_sa2va.annotation.packed import PackedMask
    from napari_sa2va.cli.images import ImageOptions
    from napari_sa2va.frames import ImageFile


def read_regions(
    path: Path,
    shape: tuple[int, int],
    options: ImageOptions,
    wanted: Collection[int] = (),
) -> dict[int, PackedMask]:
    """Read the labels of a plane.

    Parameters
    ----------
    path : Path
        A label image: integers, 0 is background. A single plane lies on whatever plane of the image
        is looked at; of a stack the same plane is taken as of the image, whatever its channel.
    shape : (int, int)
        Height and width of the image.
    options : ImageOptions
        How the image is looked at.
    wanted : collection of int
        Labels to keep; empty for all.

    Raises
    ------
    InvalidInput
        If it is no label image, does not fit the image, or lacks the plane or a wanted label.
    """
    image = open_image(path)
    kind = np.dtype(image.array.dtype).kind
    if image.rgb or kind not in "buif":
        raise InvalidInput(
            f"{path.name} is a colour picture. Give a label image, in which every pixel holds the "
            "number of its object."
        )
    plane = np.asarray(image.array[_index(image, options)])
    if kind == "f":
        whole = np.isfinite(plane).all() and np.array_equal(plane, np.floor(plane))
        if not whole:
            raise InvalidInput(
                f"{path.name} holds fractions. Give a label image, in which every pixel holds the "
                "whole number of its object."
            )
        plane = plane.astype(np.int64)
    if plane.shape != shape:
        raise InvalidInput(
            f"{path.name} has {plane.shape[0]} by {plane.shape[1]} pixels, the image {shape[0]} by "
            f"{shape[1]}. They must lie on each other, pixel by pixel."
        )
    found = regions_in(plane, set(wanted) or None)
    if missing := sorted(set(wanted) - found.keys()):
        raise InvalidInput(
            f"{path.name} has no label {', '.join(map(str, missing))} in this plane."
        )
    if not found:
        raise InvalidInput(f"{path.name} has no label in this plane: all of it is background.")
    return found


def _index(image: ImageFile, options: ImageOptions) -> tuple[int, ...]:
    """Return the plane of the labels that lies on the chosen plane of the image."""
    if not image.axes:
        return ()
    # Labels of an image with channels are mostly the same for all of them.
    of_labels = options if "c" in image.axes else replace(options, channel=None)
    index = plane_index(image, of_labels)
    if index is None:
        return image.default_index
    lengths = image.leading_shape
    if len(index) != len(lengths):
        raise InvalidInput(
            f"{image.path.name} has planes along {', '.join(image.axes)}, and {len(index)} numbers "
            "are given for them. Where one of those in --index is the image's channel, say it with "
            "--channel; or give labels with the axes of the image, or a single plane."
        )
    for axis, at, length in zip(image.axes, index, lengths, strict=True):
        if not 0 <= at < length:
            raise InvalidInput(
                f"{image.path.name} has no plane {at} along {axis}: choose 0 to {length - 1}."
            )
    return index
