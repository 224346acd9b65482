"""What a model said of regions, into the rows of their layer."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from napari.layers import Labels, Shapes

from napari_sa2va.annotation import ObjectRecord
from napari_sa2va.annotation.masks import middle_point
from napari_sa2va.annotation.records import now
from napari_sa2va.annotation.regions import regions_in
from napari_sa2va.errors import InvalidInput
from napari_sa2va.viewer.entries import Entry, Spot, axes_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_sa2va.frames import PlaneIndex
    from napari_sa2va.viewer.objects import LabelObjects
    from napari_sa2va.viewer.regions import RegionSnapshot
    from napari_sa2va.viewer.results import Results

_MOST_READ: Final = 1 << 26  # pixels: half a second of looking


Said = tuple[str, str]
"""The model's words, and how it looked."""


def describe_regions(
    results: Results, regions: RegionSnapshot, said: Mapping[int, Said], detail: Mapping[str, Any]
) -> None:
    """Write descriptions into the layer that the regions are of.

    A label without a row gets one. In a Labels layer it is one step of its time-line; shapes get
    columns of their features table.

    Parameters
    ----------
    results : Results
        Of the viewer.
    regions : RegionSnapshot
    said : mapping of int to (str, str)
        By label.
    detail : mapping
        What was asked, for a log.

    Raises
    ------
    InvalidInput
        Shapes came or went since they were asked about: which is which is not known any more.
    """
    layer = regions.choice.layer
    if not said:
        return
    if isinstance(layer, Shapes) and len(layer.data) != regions.count:
        raise InvalidInput(
            f"Shapes of {layer.name!r} were added or deleted meanwhile: what was said of them from "
            "then on stands in the conversation only. Describe them again."
        )
    if not isinstance(layer, Labels) or layer.multiscale:
        _into_features(layer, said)
        return
    objects = results.of(layer)
    labels = tuple(sorted(said))
    text = f"Describe {labels[0]}" if len(labels) == 1 else f"Describe {len(labels)} objects"
    missing = [label for label in labels if objects.entry(label) is None]
    with objects.step("describe", text, labels=labels, detail=detail) as step:
        for entry in entries_for(objects, missing, regions.plane):
            words, looked = said[entry.record.label]
            entry.record = replace(entry.record, description=words, looked=looked)
            step.add(entry)
        for label, (words, looked) in said.items():
            step.change(label, description=words, looked=looked)


def entries_for(
    objects: LabelObjects, labels: Sequence[int], plane: PlaneIndex, phrase: str = ""
) -> list[Entry]:
    """Make rows for labels that somebody painted and that have none.

    Parameters
    ----------
    objects : LabelObjects
        Of their layer.
    labels : sequence of int
        Those without a pixel are left out.
    plane : PlaneIndex
        Looked through for them; so are all others like it in a layer that is quickly read.
    phrase : str
    """
    data = objects.labels.data
    unit = objects.pixel_area(plane)[1]
    found: dict[int, dict[PlaneIndex, Spot]] = {}
    quick = isinstance(data, np.ndarray) and data.size <= _MOST_READ
    planes = _like(plane, data.shape) if quick else [plane]
    for at in planes if labels else ():
        values = np.asarray(data[tuple(slice(None) if i is None else i for i in at)])
        for label, mask in regions_in(values, set(labels)).items():
            row, column = middle_point(mask.inside)
            point = row + mask.box[0].start, column + mask.box[1].start
            found.setdefault(label, {})[at] = Spot(mask.box, mask.area, point)
    record = ObjectRecord(0, phrase, "", math.nan, math.nan, 0.0, unit, "", now(), author="user")
    return [Entry(replace(record, label=label), spots) for label, spots in sorted(found.items())]


def _like(plane: PlaneIndex, shape: tuple[int, ...]) -> list[PlaneIndex]:
    """Return all planes of the same two axes."""
    planes: list[PlaneIndex] = [()]
    axes = axes_of(plane)
    for axis, length in enumerate(shape):
        places = [None] if axis in axes else list(range(length))
        planes = [(*before, at) for before in planes for at in places]
    return planes


def _into_features(layer: Any, said: Mapping[int, Said]) -> None:
    """Write into a layer that has no rows of ours."""
    import pandas as pd

    features = layer.features.copy()
    if isinstance(layer, Labels):
        known = set(features["index"]) if "index" in features else set()
        new = pd.DataFrame({"index": [label for label in said if label not in known]})
        features = pd.concat([features, new], ignore_index=True)
        rows = {int(label): row for row, label in enumerate(features["index"])}
    else:
        rows = {number: number - 1 for number in said}
    for name, part in (("description", 0), ("looked", 1)):
        column = list(features[name]) if name in features else [""] * len(features)
        column = ["" if pd.isna(value) else value for value in column]
        for label, words in said.items():
            if rows[label] < len(column):
                column[rows[label]] = words[part]
        features[name] = pd.Series(column, dtype="object")
    layer.features = features
