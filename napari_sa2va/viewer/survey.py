"""Reading a Labels layer that others filled or changed, one plane at a time."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.annotation.masks import middle_point, part_boxes
from napari_sa2va.annotation.table import records_in
from napari_sa2va.viewer.edits import Edit
from napari_sa2va.viewer.entries import NOWHERE, Entry, Spot, span

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from napari.layers import Labels
    from numpy.typing import NDArray

    from napari_sa2va.annotation import ObjectRecord
    from napari_sa2va.annotation.painting import Box
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
        top, boxes = _boxes(values, records)
        highest = max(highest, top)
        for label, box in boxes.items():
            entry = entries.setdefault(label, Entry(records[label], {}))
            entry.spots[plane] = _spot(values[box] == label, box, records[label])
    for label, entry in entries.items():
        _flag(entry, records[label])
    return highest, entries


def look_again(
    labels: Labels, known: Collection[int], plane: PlaneIndex | None = None
) -> tuple[int, list[Edit]]:
    """Find known labels wherever they are now: somebody else moved their pixels.

    Parameters
    ----------
    labels : Labels
    known : collection of int
        Which labels.
    plane : PlaneIndex, optional
        Where to look, inside the layer; in all of it, but never more than a plane at once, if
        left out.

    Returns
    -------
    highest : int
        Of all labels there, known or not.
    found : list of Edit
        For `Book.touched`: each known label in each plane, as if somebody had painted it there.
    """
    data = labels.data[0] if labels.multiscale else labels.data
    if plane is None:
        planes = _planes(data)
    else:
        index = tuple(slice(None) if at is None else at for at in plane)
        planes = iter([(plane, np.asarray(data[index]))])
    highest = 0
    found: list[Edit] = []
    for at, values in planes:
        top, boxes = _boxes(values, known)
        highest = max(highest, top)
        for label, box in boxes.items():
            where = span(at, box)
            found.append(Edit(where, (label,), (), tuple(side.start for side in where), None))
    return highest, found


def _boxes(values: NDArray[Any], known: Collection[int]) -> tuple[int, dict[int, Box]]:
    """Return the highest label of a plane, and where the known ones are."""
    top = int(values.max(initial=0))
    if top == 0 or not known:
        return top, {}
    # Labels above those that are known need no boxes.
    boxes = enumerate(part_boxes(values, min(top, max(known))), start=1)
    return top, {
        label: (box[0], box[1]) for label, box in boxes if box is not None and label in known
    }


def _planes(data: Any) -> Iterator[tuple[PlaneIndex, NDArray[Any]]]:
    """Go through the planes of the last two axes."""
    outer = tuple(int(n) for n in data.shape[:-2])
    for at in itertools.product(*map(range, outer)):
        yield (*at, None, None), np.asarray(data[at])


def _spot(inside: NDArray[np.bool_], box: Box, record: ObjectRecord) -> Spot:
    row, column = middle_point(inside)
    return Spot(
        box=box,
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
