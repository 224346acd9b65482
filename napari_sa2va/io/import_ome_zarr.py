"""Labels of an OME-Zarr: ours, and those of others with what they say of each label."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.annotation.conversation import Turn
from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames.zarr_files import placement
from napari_sa2va.io.export.annotations import Annotations
from napari_sa2va.io.export.ome_zarr_metadata import OURS
from napari_sa2va.io.export.space import space_of
from napari_sa2va.io.import_tiff import record_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from napari_sa2va.annotation.records import ObjectRecord


def read_ome_zarr_labels(path: Path, name: str | None = None) -> Annotations:
    """Open the labels of an OME-Zarr image, or a group of labels itself; read when asked for.

    Parameters
    ----------
    path : Path
        Of the image, of its group ``labels``, or of one of the labels in it.
    name : str, optional
        Which labels, where there are several; the first if left out.

    Raises
    ------
    InvalidInput
        If there are none, or they cannot be read.
    """
    import zarr

    try:
        # Not by a copy of the metadata: who adds labels need not have written it anew.
        root = zarr.open_group(str(path), mode="r", use_consolidated=False)
        group = _find(root, path, name)
        return _annotations(group, path)
    except InvalidInput:
        raise
    except Exception as error:  # stores, codecs and hand-written metadata fail in their own ways
        raise InvalidInput(f"{path} cannot be read as OME-Zarr labels ({error!r}).") from error


def _find(group: Any, path: Path, name: str | None) -> Any:
    if "labels" in group and hasattr(group["labels"], "attrs"):
        group = group["labels"]
    if "image-label" in _ome(group):
        return group
    names = list(_ome(group).get("labels", []))
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
    axes = [axis if isinstance(axis, dict) else {"name": axis} for axis in image["axes"]]
    shown: dict[str, Any] = {"units": [axis.get("unit", "pixel") for axis in axes]}
    found = placement(image, array.ndim)
    if found is not None:
        shown["scale"], shown["translate"] = found
    ours = dict(group.attrs).get(OURS, {})
    return Annotations(
        name=str(image.get("name") or path.name.split(".")[0]),
        labels=array,
        space=space_of([axis["name"] for axis in axes], shown, array.ndim),
        records=tuple(_records(said.get("image-label", {}))),
        turns=tuple(
            Turn(turn["speaker"], turn["text"], tuple(turn.get("labels", ())))
            for turn in ours.get("conversation", ())
        ),
    )


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
