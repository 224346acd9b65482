"""What OME-Zarr 0.4 and 0.5 say of an image and of its labels."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from napari_sa2va.annotation.session.log import json_text, record_detail
from napari_sa2va.io.export.annotations import colour_of, unknown
from napari_sa2va.io.export.space import PIXEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari_sa2va.annotation.records import ObjectRecord
    from napari_sa2va.io.export.pictures import Pictures
    from napari_sa2va.io.export.space import Space

OURS: Final = "napari_sa2va"
"""Attribute by which we know our own groups again; it has what the format has no place for."""

_TYPES: Final = {"t": "time", "c": "channel"}


def axes_detail(axis: str, unit: str) -> dict[str, str]:
    """Return what is said of an axis."""
    said = {"name": axis, "type": _TYPES.get(axis, "space")}
    return said if unit == PIXEL or axis == "c" else said | {"unit": unit}


def multiscales(
    name: str,
    space: Space,
    named: Sequence[str],
    order: Sequence[int],
    paths: Sequence[str],
    version: str,
) -> list[dict[str, Any]]:
    """Describe levels of which each has every second row and column of the one before.

    Every second pixel itself, and not a mean: its centre stays where it was, and so does the
    translation.
    """
    datasets = []
    for level, path in enumerate(paths):
        factor = 2**level
        scale = [space.scale[axis] * (factor if named[axis] in "yx" else 1) for axis in order]
        datasets.append(
            {
                "path": path,
                "coordinateTransformations": [
                    {"type": "scale", "scale": scale},
                    {"type": "translation", "translation": [space.origin[axis] for axis in order]},
                ],
            }
        )
    image: dict[str, Any] = {
        "name": name,
        "axes": [axes_detail(named[axis], space.units[axis]) for axis in order],
        "datasets": datasets,
        "type": "nearest",
    }
    return [image | {"version": version} if version == "0.4" else image]


def image_label(
    records: Iterable[ObjectRecord], seen: Iterable[int], version: str
) -> dict[str, Any]:
    """Describe the labels: a colour each, and properties of those that have a record."""
    by_label = {record.label: record for record in records}
    colours = [
        {
            "label-value": label,
            "rgba": [*colour_of(by_label.get(label) or unknown(label)), 255],
        }
        for label in sorted({*seen, *by_label})
    ]
    said: dict[str, Any] = {"source": {"image": "../../"}}
    if colours:
        said["colors"] = colours
    if by_label:
        said["properties"] = [_properties(by_label[label]) for label in sorted(by_label)]
    return said | {"version": version} if version == "0.4" else said


def _properties(record: ObjectRecord) -> dict[str, Any]:
    said = json.loads(json_text(record_detail(record)))
    del said["label"]
    # Readers make a table of it: lists have no place in one.
    return {"label-value": record.label} | {
        name: json_text(value) if isinstance(value, list) else value
        for name, value in said.items()
        if value is not None
    }


def omero(pictures: Pictures, components: int, version: str, positions: int = 1) -> dict[str, Any]:
    """Say how the channels of an image are drawn.

    Parameters
    ----------
    pictures : Pictures
    components : int
        How many channels each layer has.
    version : str
    positions : int
        How many the array of a layer has along an axis of its own: readers want one of each.
    """
    channels = []
    for name, channel, rgb in zip(pictures.names, pictures.channels, pictures.rgb, strict=True):
        low, high = channel.contrast_limits
        for component in range(components * positions):
            colour = bytes(channel.lut[-1].tolist()).hex().upper()
            numbered = f"{name} {component}" if positions > 1 else name
            channels.append(
                {
                    "label": f"{name} {'RGB'[component]}" if rgb else numbered,
                    "color": ("FF0000", "00FF00", "0000FF")[component] if rgb else colour,
                    "active": True,
                    "window": {"start": low, "end": high, "min": low, "max": high},
                }
            )
    said: dict[str, Any] = {"channels": channels, "rdefs": {"model": "color"}}
    return said | {"version": version} if version == "0.4" else said
