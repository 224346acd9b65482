"""Masks kept small: thousands of frames of them must fit into memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sa2va.annotation.masks import bounding_box

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class PackedMask:
    """A mask as the bits of its bounding box.

    Attributes
    ----------
    shape : tuple of int
        Height and width of the frame.
    box : tuple of slice
        Rows and columns of the frame that the mask touches; empty slices if it touches none.
    bits : bytes
        The pixels of the box in reading order, eight a byte, the first in the highest bit.
    area : int
        Number of pixels in the mask.
    """

    shape: tuple[int, int]
    box: tuple[slice, slice]
    bits: bytes
    area: int

    @classmethod
    def pack(cls, mask: NDArray[np.bool_]) -> PackedMask:
        """Pack a mask, (height, width) bool."""
        height, width = mask.shape
        box = bounding_box(mask)
        inside = mask[box]
        return cls(
            (height, width), box, np.packbits(inside).tobytes(), int(np.count_nonzero(inside))
        )

    @property
    def inside(self) -> NDArray[np.bool_]:
        """The mask's pixels in its box, bool."""
        rows, columns = self.box
        size = rows.stop - rows.start, columns.stop - columns.start
        bits = np.unpackbits(np.frombuffer(self.bits, np.uint8), count=size[0] * size[1])
        return bits.reshape(size).astype(bool)

    def unpack(self) -> NDArray[np.bool_]:
        """Return the whole mask, (height, width) bool."""
        mask = np.zeros(self.shape, dtype=bool)
        mask[self.box] = self.inside
        return mask

    @property
    def nbytes(self) -> int:
        """Memory held, without Python's own."""
        return len(self.bits)
