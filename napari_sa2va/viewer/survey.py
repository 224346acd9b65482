"""Reading a Labels layer that was not empty when we came to it, one plane at a time."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.annotation.masks import middle_point, part_boxes
from napari_sa2va.annotation.table import records_in
from napari_sa2va.viewer.entries import NOWHERE, Entry, Spot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari.layers import Labels
    from numpy.typing import NDArray

    from napari_sa2va.annotation import ObjectRecord
    from napari_sa2va.frames import PlaneIndex

_EARLIER = ("earlier",)


def survey(labels: Labels) -> tuple[int, dict[int, Entry]]:
    """Return the highest label of a layer, and what an earlier dock or session noted in it.

    Reads the whole layer, but never more than a plane at once.
    """
    data = labels.data
    if labels.multiscale:
        return int(np.max(np.asarray(data[0]), initial=0)), {}
    records = {record.label: record for record in records_in(labels.features) if record.label > 0}
    entries: dict[int, Entry] = {}
    highest = 0
    for plane, values in _planes(data):
        top = int(values.max(initial=0))
        highest = max(highest, top)
        if top == 0 or not records:
            continue
        # Labels above those that are known need no boxes.
        boxes = part_boxes(values, min(top, max(records)))
        for label in records.keys() & set(range(1, len(boxes) + 1)):
            box = boxes[label - 1]
            if box is not None:
                entry = entries.setdefault(label, Entry(records[label], {}))
                entry.spots[plane] = _spot(values[box] == label, box, records[label])
    for label, entry in entries.items():
        _flag(entry, records[label])
    return highest, entries


def _planes(data: Any) -> Iterator[tuple[PlaneIndex, NDArray[Any]]]:
    """Go through the planes of the last two axes."""
    outer = tuple(int(n) for n in data.shape[:-2])
    for at in itertools.product(*map(range, outer)):
        yield (*at, None, None), np.asarray(data[at])


def _spot(inside: NDArray[np.bool_], box: tuple[slice, ...], record: ObjectRecord) -> Spot:
    row, column = middle_point(inside)
    return Spot(
        box=(box[0], box[1]),
        pixels=int(np.count_nonzero(inside)),
        point=(row + box[0].start, column + box[1].start),
        score=record.score,
        iou=record.iou,
    )


def _flag(entry: Entry, record: ObjectRecord) -> None:
    """Mark the flagged frames again; why they were flagged is not written in the features."""
    axis = entry.stack_axis
    if axis is None:
        return
    first = next(iter(entry.spots))
    for frame in record.flagged:
        plane = (*first[:axis], frame, *first[axis + 1 :])
        entry.grow(plane, NOWHERE).flags = _EARLIER
