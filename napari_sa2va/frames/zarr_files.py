"""Zarr arrays and OME-Zarr images, read chunk by chunk when asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames.files import is_rgb
from napari_sa2va.frames.steps import step_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import zarr
    from numpy.typing import NDArray

    from napari_sa2va.frames.source import ArrayLike

_OF_GROUPS: Final = ("zarr.json", ".zgroup")
_MARKS: Final = (*_OF_GROUPS, ".zarray")


@dataclass(frozen=True, slots=True, eq=False)
class ZarrImage:
    """An opened array.

    Parameters
    ----------
    array : array-like
        At full resolution.
    axes : tuple of str
        Names of the axes before rows and columns.
    rgb : bool
        The last axis holds colour components.
    steps : dict of str to float
        As in `StackFile`.
    """

    array: ArrayLike
    axes: tuple[str, ...]
    rgb: bool
    steps: dict[str, float] = field(default_factory=dict)


def is_zarr(path: Path) -> bool:
    """Whether a folder is a zarr array or group, whatever it is called."""
    return path.is_dir() and any((path / mark).is_file() for mark in _MARKS)


def is_zarr_group(path: Path) -> bool:
    """Whether a folder is a zarr group, or an array of format 3, whose file has the same name."""
    return any((path / mark).is_file() for mark in _OF_GROUPS)


def open_zarr(path: Path) -> ZarrImage:
    """Open a zarr array, the first image of an OME-Zarr, or a group of a single array.

    Raises
    ------
    InvalidInput
        It cannot be read, or which array is meant cannot be told.
    """
    import zarr

    try:
        opened = zarr.open(str(path), mode="r")
        array, names, steps = _find(opened, path)
    except InvalidInput:
        raise
    # Stores, codecs and hand-written metadata each fail in ways of their own.
    except Exception as error:
        raise InvalidInput(
            f"{path} cannot be read as zarr: it is damaged, not copied whole, or of a version that "
            f"is not known ({error})."
        ) from error
    named_colour = names[-1:] in (["c"], ["s"], ["rgb"])
    rgb = names[-1:] != ["x"] and is_rgb(array.shape, "S" if named_colour else "")
    leading = array.ndim - (3 if rgb else 2)
    if leading < 0 or 0 in array.shape:
        raise InvalidInput(
            f"{path} holds data of shape {tuple(array.shape)}, which has no two-dimensional plane."
        )
    axes = tuple(names[i] or f"axis {i}" for i in range(leading))
    return ZarrImage(array, axes, rgb, steps)


def placement(
    image: Mapping[str, Any], ndim: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return scale and translation of the full resolution of an OME-Zarr image.

    https://ngff.openmicroscopy.org/0.4/#multiscale-md: the level's own, then those of the whole
    image, where the specification's own example has the step of time.

    Parameters
    ----------
    image : mapping
        One of ``multiscales``.
    ndim : int
        Number of its axes.

    Returns
    -------
    (array, array) or None
        A number each per axis; None where nothing is said.

    Raises
    ------
    KeyError, TypeError, ValueError
        If they are written in another way.
    """
    changes = [
        *(image["datasets"][0].get("coordinateTransformations") or ()),
        *(image.get("coordinateTransformations") or ()),
    ]
    if not changes:
        return None
    scale, moved = np.ones(ndim), np.zeros(ndim)
    for change in changes:
        if change.get("type") == "scale":
            factors = np.asarray(change["scale"], float).reshape(ndim)
            scale, moved = scale * factors, moved * factors
        elif change.get("type") == "translation":
            moved = moved + np.asarray(change["translation"], float).reshape(ndim)
    return scale, moved


def _find(opened: Any, path: Path) -> tuple[zarr.Array[Any], list[str], dict[str, float]]:
    """Find the array, a name per axis (empty if unknown), and steps."""
    import zarr

    if isinstance(opened, zarr.Array):
        return opened, _dimension_names(opened), {}
    attributes = dict(opened.attrs)
    # OME-Zarr 0.5 keeps what concerns it under one key, 0.4 beside everything else.
    ome = attributes.get("ome", attributes)
    if "multiscales" in ome:
        image = ome["multiscales"][0]
        axes = [axis if isinstance(axis, dict) else {"name": axis} for axis in image["axes"]]
        names = [str(axis["name"]).lower() for axis in axes]
        array = opened[image["datasets"][0]["path"]]
        return array, names, _steps(axes, names, image)
    arrays = sorted(opened.array_keys())
    if len(arrays) == 1:
        return opened[arrays[0]], _dimension_names(opened[arrays[0]]), {}
    inside = ", ".join([*arrays, *sorted(opened.group_keys())]) or "nothing"
    raise InvalidInput(f"{path} is a zarr group and no OME-Zarr image. Give one of: {inside}.")


def _dimension_names(array: zarr.Array[Any]) -> list[str]:
    given = getattr(array.metadata, "dimension_names", None)
    # What xarray writes where the format has no place for names.
    given = given or array.attrs.get("_ARRAY_DIMENSIONS")
    if not isinstance(given, list | tuple) or len(given) != array.ndim:
        return [""] * array.ndim
    return [str(name or "").lower() for name in given]


def _steps(axes: list[dict[str, Any]], names: list[str], image: dict[str, Any]) -> dict[str, float]:
    try:
        found = placement(image, len(axes))
    except (KeyError, TypeError, ValueError):  # written by hand: the pixels can still be read
        return {}
    if found is None:
        return {}
    steps: dict[str, float] = {}
    for axis, name, scale in zip(axes, names, found[0], strict=True):
        steps |= step_of(name, float(scale), str(axis.get("unit", "")))
    return steps
