"""A rectangle of a data plane, in whole pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sa2va.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# Corners that lie on a pixel's border up to rounding do not take the next pixel in.
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Region:
    """Half-open rectangle of a data plane, in pixels.

    Parameters
    ----------
    top, left, bottom, right : int
        Rows ``top`` to ``bottom`` and columns ``left`` to ``right``, the ends not included.

    Raises
    ------
    InvalidInput
        The rectangle holds no pixel, or begins before the plane does.
    """

    top: int
    left: int
    bottom: int
    right: int

    def __post_init__(self) -> None:
        if self.bottom <= self.top or self.right <= self.left:
            raise InvalidInput(
                "The region to look at holds no pixel of the image. Draw it over the image, or "
                "look at the whole plane."
            )
        if self.top < 0 or self.left < 0:
            raise InvalidInput("The region to look at begins outside the image; clip it first.")

    @classmethod
    def whole(cls, shape: tuple[int, int]) -> Region:
        """Return the region that is a whole plane of ``shape`` (rows, columns)."""
        return cls(0, 0, *shape)

    @classmethod
    def around(cls, points: ArrayLike, shape: tuple[int, int]) -> Region:
        """Return the pixels touched by the bounding box of ``points``, clipped to the plane.

        Parameters
        ----------
        points : (n, 2) array
            Row and column in data coordinates: pixel i reaches from i - 0.5 to i + 0.5.
        shape : tuple of int
            Rows and columns of the plane.

        Raises
        ------
        InvalidInput
            No pixel of the plane lies in the box.
        """
        corners = np.asarray(points, dtype=float)
        if not np.isfinite(corners).all():
            raise InvalidInput("The region to look at has coordinates that are not numbers.")
        first = np.floor(corners.min(axis=0) + 0.5 + _ROUNDING)
        last = np.ceil(corners.max(axis=0) + 0.5 - _ROUNDING)
        top, left = (int(value) for value in np.clip(first, 0, shape))
        bottom, right = (int(value) for value in np.clip(last, 0, shape))
        return cls(top, left, bottom, right)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.bottom - self.top, self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the region in its plane."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def is_within(self, shape: tuple[int, int]) -> bool:
        """Whether a plane of ``shape`` holds the whole region."""
        return self.bottom <= shape[0] and self.right <= shape[1]

    def reduced(self, factors: tuple[float, float], shape: tuple[int, int]) -> Region:
        """Return the pixels of a smaller copy of the plane that cover this region.

        Parameters
        ----------
        factors : tuple of float
            Pixels of this plane per pixel of the smaller copy, along rows and columns.
        shape : tuple of int
            Rows and columns of the smaller copy.
        """
        row, column = factors
        return Region(
            math.floor(self.top / row + _ROUNDING),
            math.floor(self.left / column + _ROUNDING),
            min(math.ceil(self.bottom / row - _ROUNDING), shape[0]),
            min(math.ceil(self.right / column - _ROUNDING), shape[1]),
        )

    def enlarged(self, factors: tuple[float, float], shape: tuple[int, int]) -> Region:
        """Return the pixels of a larger copy of the plane whose centres lie in this region.

        Parameters
        ----------
        factors : tuple of float
            Pixels of the larger copy per pixel of this plane, along rows and columns.
        shape : tuple of int
            Rows and columns of the larger copy.

        Notes
        -----
        Pixel j of the larger copy has its centre at (j + 0.5) / factor, borders counted from 0.
        """
        row, column = factors
        return Region(
            math.ceil(self.top * row - 0.5 - _ROUNDING),
            math.ceil(self.left * column - 0.5 - _ROUNDING),
            min(math.ceil(self.bottom * row - 0.5 - _ROUNDING), shape[0]),
            min(math.ceil(self.right * column - 0.5 - _ROUNDING), shape[1]),
        )
