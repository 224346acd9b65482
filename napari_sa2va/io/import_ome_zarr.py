"""Labels of an OME-Zarr: ours, and those of others with what they say of each label."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.annotation.conversation import Turn
from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames.zarr_files import placement
from napari_sa2va.io.export.annotations import Annotations
from napari_sa2va.io.export.ome_zarr_metadata import OURS
from napari_sa2va.io.export.ome_zarr_there import LABEL
from napari_sa2va.io.export.space import space_of
from napari_sa2va.io.import_tiff import record_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from napari_sa2va.annotation.records import ObjectRecord
    from napari_sa2va.frames.zarr_files import ZarrImage
    from napari_sa2va.io.export.space import Space


def read_ome_zarr_labels(path: Path, name: str | None = None) -> Annotations:
    """Open the labels of an OME-Zarr image, or a group of labels itself; read when asked for.

    Parameters
    ----------
    path : Path
        Of the image, of its group ``labels``, or of one of the labels in it.
    name : str, optional
        Which labels, where there are several. If left out, ours or else the first, and a note says
        what the others are called.

    Raises
    ------
    InvalidInput
        If there are none, or they cannot be read.
    """
    import zarr

    try:
        # Not by a copy of the metadata: who adds labels need not have written it anew.
        root = zarr.open_group(str(path), mode="r", use_consolidated=False)
        names = _names(root)
        read = _annotations(_find(root, path, name, names), path)
    except InvalidInput:
        raise
    except Exception as error:  # stores, codecs and hand-written metadata fail in their own ways
        raise InvalidInput(f"{path} cannot be read as OME-Zarr labels ({error!r}).") from error
    if name is None and len(names) > 1:
        note = f"Of the labels {', '.join(names)} in {path.name} the first were taken."
        return replace(read, notes=(note,))
    return read


def label_names(path: Path) -> list[str]:
    """Return the names of the labels of an OME-Zarr image, ours first; none for labels alone."""
    import zarr

    return _names(zarr.open_group(str(path), mode="r", use_consolidated=False))


def image_space(path: Path, image: ZarrImage) -> Space:
    """Return where the pixels of the image of an OME-Zarr are; of one with colours without them.

    Raises
    ------
    InvalidInput
        If what is said of it cannot be read.
    """
    import zarr

    ndim = image.array.ndim
    try:
        said = _ome(zarr.open_group(str(path), mode="r", use_consolidated=False))
        if "multiscales" not in said:  # a group of a single array
            return space_of((*image.axes, "y", "x"), {}, ndim - image.rgb)
        return _space(said["multiscales"][0], ndim, ndim - image.rgb)
    except Exception as error:  # as above
        raise InvalidInput(f"{path} cannot be read as an OME-Zarr image ({error!r}).") from error


def _labels_in(group: Any) -> Any:
    inside = "labels" in group and hasattr(group["labels"], "attrs")
    return group["labels"] if inside else group


def _names(group: Any) -> list[str]:
    said = _ome(_labels_in(group))
    if "image-label" in said:
        return []
    return sorted(said.get("labels", []), key=lambda name: bool(name != LABEL))


def _find(group: Any, path: Path, name: str | None, names: list[str]) -> Any:
    group = _labels_in(group)
    if "image-label" in _ome(group):
        return group
    if not names:
        raise InvalidInput(f"{path} is an OME-Zarr without labels.")
    if name is not None and name not in names:
        raise InvalidInput(f"{path} has no labels {name!r}; it has {', '.join(names)}.")
    return group[name or names[0]]


def _annotations(group: Any, path: Path) -> Annotations:
    said = _ome(group)
    image = said["multiscales"][0]
    array = group[image["datasets"][0]["path"]]
    if np.dtype(array.dtype).kind not in "iub":
        raise InvalidInput(f"{path} holds {array.dtype}: labels are whole numbers.")
    ours = dict(group.attrs).get(OURS, {})
    return Annotations(
        name=str(image.get("name") or path.name.split(".")[0]),
        labels=array,
        space=_space(image, array.ndim, array.ndim),
        records=tuple(_records(said.get("image-label", {}))),
        turns=tuple(
            Turn(turn["speaker"], turn["text"], tuple(turn.get("labels", ())))
            for turn in ours.get("conversation", ())
        ),
    )


def _space(image: Mapping[str, Any], ndim: int, kept: int) -> Space:
    """Take the space from one of ``multiscales``: of the first `kept` of its axes."""
    axes = [axis if isinstance(axis, dict) else {"name": axis} for axis in image["axes"]][:kept]
    shown: dict[str, Any] = {"units": [axis.get("unit", "pixel") for axis in axes]}
    found = placement(image, ndim)
    if found is not None:
        shown["scale"], shown["translate"] = (numbers[:kept] for numbers in found)
    return space_of([axis["name"] for axis in axes], shown, kept)


def _records(said: Mapping[str, Any]) -> Iterator[ObjectRecord]:
    colours = {
        entry["label-value"]: "#" + bytes(entry["rgba"][:3]).hex()
        for entry in said.get("colors", ())
        if entry.get("rgba")
    }
    for entry in said.get("properties", ()):
        label = int(entry["label-value"])
        row = {name: value for name, value in entry.items() if name != "label-value"}
        if isinstance(row.get("flagged"), str):
            row["flagged"] = json.loads(row["flagged"])
        if "phrase" not in row:  # somebody else's: what they call it, and their colours
            row = {
                "phrase": str(row.get("name") or row.get("class") or ""),
                "color": colours.get(label, ""),
                "author": "user",
            }
        yield record_of({"label": label, **row})


def _ome(group: Any) -> dict[str, Any]:
    attributes = dict(group.attrs)
    said: dict[str, Any] = attributes.get("ome", attributes)
    return said
