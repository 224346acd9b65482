"""What a user changed in a Labels layer, from napari's paint events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Edit:
    """One item of a paint event.

    Attributes
    ----------
    where : tuple of slice
        A box of the layer's data round all pixels that changed.
    labels : tuple of int
        What they became.
    first : tuple of int
        Index of one changed pixel.
    value : int
        What that pixel became.
    """

    where: tuple[slice, ...]
    labels: tuple[int, ...]
    first: tuple[int, ...]
    value: int

    @classmethod
    def of(cls, atom: Any) -> Edit:
        """Read an item of the event's list.

        Brush, fill and polygon give a named tuple with a bounding box, a mask (None if all of the
        box changed) and a label; ``data_setitem`` gives (indices, old values, new values).
        """
        if hasattr(atom, "slice_key"):
            where = tuple(atom.slice_key)
            corner = [at.start for at in where]
            inside = [0] * len(where) if atom.mask is None else np.argwhere(atom.mask)[0]
            first = tuple(int(c + i) for c, i in zip(corner, inside, strict=True))
            values = np.atleast_1d(atom.new_value)
        else:
            indices, _, new = atom
            where = tuple(slice(int(np.min(at)), int(np.max(at)) + 1) for at in indices)
            first = tuple(int(np.ravel(at)[0]) for at in indices)
            values = np.atleast_1d(new)
        labels = tuple(int(value) for value in np.unique(values))
        return cls(where, labels, first, int(values.flat[0]))

    def is_in(self, data: Any) -> bool:
        """Whether the layer's data has the change already."""
        return int(data[self.first]) == self.value


def hull(where: tuple[int | slice, ...], other: tuple[int | slice, ...]) -> tuple[int | slice, ...]:
    """Enlarge a rectangle; it stays in its plane, whatever is painted on others."""
    return tuple(
        slice(min(own.start, added.start), max(own.stop, added.stop))
        if isinstance(own, slice) and isinstance(added, slice)
        else own
        for own, added in zip(where, other, strict=True)
    )
