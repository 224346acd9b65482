"""Boxes of labels as text: what they are after an action, so that order is all that counts."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_sa2va.annotation.actions import Where

# The quickest level: 16 MB of labels take 2 to 9 ms, and what a person paints becomes small anyway.
_LEVEL: Final = 1
MOST_AT_ONCE: Final = 1 << 26
"""Bytes of labels that are read and packed at once; larger boxes are cut along their first axes."""


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A box of a label array, and the labels in it.

    Attributes
    ----------
    where : tuple of slice
        One an axis.
    values : integer array
        Of the box's shape; not to be written to.
    """

    where: Where
    values: NDArray[Any]


def warm_up() -> None:
    """Load what packing needs; safe in any thread."""
    pack_patch((slice(0, 1),), np.zeros(1, np.uint8))


def pack_patch(where: Where, values: NDArray[Any]) -> dict[str, Any]:
    """Return a patch as JSON has it, its values compressed (zstandard, base 64)."""
    from numcodecs.zstd import compress  # type: ignore[import-untyped]  # takes 80 ms to import

    # Little-endian whatever the machine.
    plain = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    return {
        "where": [[side.start, side.stop] for side in where],
        "dtype": plain.dtype.str,
        "zstd": base64.b64encode(compress(plain, _LEVEL)).decode("ascii"),
    }


def unpack_patch(said: Mapping[str, Any]) -> Patch:
    """Return the patch that `pack_patch` wrote.

    Raises
    ------
    ValueError, KeyError, TypeError, RuntimeError
        If it is none.
    """
    from numcodecs.zstd import decompress

    where = tuple(slice(start, stop) for start, stop in said["where"])
    shape = tuple(side.stop - side.start for side in where)
    values = np.frombuffer(decompress(base64.b64decode(said["zstd"])), said["dtype"])
    return Patch(where, values.reshape(shape))


def pack_boxes(data: Any, boxes: Iterable[Where]) -> Iterator[dict[str, Any]]:
    """Read boxes of an array and pack them; those that overlap as one."""
    itemsize = np.dtype(data.dtype).itemsize
    for box in joined(boxes):
        for part in _cut(box, MOST_AT_ONCE // itemsize):
            yield pack_patch(part, np.asarray(data[part]))


def joined(boxes: Iterable[Where]) -> list[Where]:
    """Join boxes that overlap: a stroke is a row of them.

    Only within a plane, or along the same axes across planes: a track has a box in each of
    thousands of planes. What lies in two boxes all the same is written twice, which does no harm.
    """
    alike: dict[tuple[int | None, ...], list[Where]] = {}
    for box in boxes:
        if all(side.stop > side.start for side in box):
            plane = tuple(s.start if s.stop - s.start == 1 else None for s in box[:-2])
            alike.setdefault(plane, []).append(box)
    return [box for group in alike.values() for box in _joined_alike(group)]


def _joined_alike(boxes: Sequence[Where]) -> list[Where]:
    """Join boxes of one plane, each compared with all others at once."""
    if len(boxes) == 1:
        return list(boxes)
    starts = np.array([[side.start for side in box] for box in boxes])
    stops = np.array([[side.stop for side in box] for box in boxes])
    n = 0  # so many rows of both are boxes that lie apart
    for start, stop in zip(starts.copy(), stops.copy(), strict=True):
        while (hit := ((starts[:n] < stop) & (start < stops[:n])).all(axis=1)).any():
            start = np.minimum(start, starts[:n][hit].min(axis=0))
            stop = np.maximum(stop, stops[:n][hit].max(axis=0))
            left = n - int(hit.sum())
            starts[:left], stops[:left] = starts[:n][~hit], stops[:n][~hit]
            n = left
        starts[n], stops[n] = start, stop
        n += 1
    return [
        tuple(map(slice, start, stop))
        for start, stop in zip(starts[:n].tolist(), stops[:n].tolist(), strict=True)
    ]


def _cut(box: Where, most: int) -> Iterator[Where]:
    """Cut a box into parts of at most so many pixels, but never within a plane."""
    pixels = int(np.prod([side.stop - side.start for side in box], dtype=np.int64))
    long = [axis for axis, side in enumerate(box[:-2]) if side.stop - side.start > 1]
    if pixels <= most or not long:
        yield box
        return
    axis = long[0]
    for at in range(box[axis].start, box[axis].stop):
        yield from _cut((*box[:axis], slice(at, at + 1), *box[axis + 1 :]), most)
