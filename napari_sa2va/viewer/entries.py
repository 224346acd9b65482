"""What is known about a label, and where its pixels are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sa2va.annotation.masks import inner_point, part_boxes
from napari_sa2va.annotation.table import records_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari.layers import Labels

    from napari_sa2va.annotation import ObjectRecord


@dataclass(slots=True)
class Entry:
    """A record and where its pixels are.

    Attributes
    ----------
    record : ObjectRecord
        Its area is measured.
    where : tuple of int and slice
        A rectangle of one plane of the layer's data that holds all pixels of the label.
    point : tuple of float
        For the caption, in data coordinates.
    present : bool
        Whether any pixel has the label.
    undone : bool
        It vanished by an undo: a redo can bring it back, until the next edit.
    """

    record: ObjectRecord
    where: tuple[int | slice, ...]
    point: tuple[float, ...]
    present: bool = True
    undone: bool = False

    @property
    def plane(self) -> tuple[int | None, ...]:
        """A position on every axis, None on the two of the plane."""
        return tuple(None if isinstance(at, slice) else at for at in self.where)


def described(labels: Labels) -> Iterator[Entry]:
    """Read back what an earlier dock or session noted in a layer's features."""
    records = records_in(labels.features)
    if not records or labels.multiscale:
        return
    data = np.asarray(labels.data)
    boxes = part_boxes(data, max(record.label for record in records))
    for record in records:
        box = boxes[record.label - 1] if record.label > 0 else None
        if box is None:
            continue
        # All but two axes have one position. What reaches over several planes is described by
        # the first.
        outer = labels.ndim - 2
        thick = [axis for axis, side in enumerate(box) if side.stop - side.start > 1]
        sides = thick[-2:] if len(thick) >= 2 else list(range(outer, labels.ndim))
        where = tuple(side if axis in sides else side.start for axis, side in enumerate(box))
        row, column = inner_point(data[where] == record.label)
        point = iter((row, column))
        yield Entry(
            record,
            where,
            tuple(
                float(at) if not isinstance(at, slice) else next(point) + at.start for at in where
            ),
        )
