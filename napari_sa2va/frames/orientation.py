"""How a plane of the data lies on the screen: one of eight ways to turn and flip it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class Orientation:
    """Data plane ↔ screen: first transposed, then flipped.

    Parameters
    ----------
    transpose : bool
        The data's columns run down the screen.
    flip_rows : bool
        After transposing, the first row is at the bottom of the screen.
    flip_columns : bool
        After transposing, the first column is at the right of the screen.
    """

    transpose: bool = False
    flip_rows: bool = False
    flip_columns: bool = False

    @classmethod
    def from_matrix(cls, matrix: ArrayLike) -> Orientation:
        """Return the orientation nearest to a linear map.

        Parameters
        ----------
        matrix : (2, 2) array
            Takes a step along (data row, data column) to one along (screen down, screen right). A
            rotation or shear in it is dropped: what remains is the nearest of the eight turns.

        Notes
        -----
        Columns are brought to equal length first, so that stretched pixels do not decide the turn.
        """
        steps = np.asarray(matrix, dtype=float)
        lengths = np.linalg.norm(steps, axis=0)
        steps = steps / np.where(lengths > 0, lengths, 1.0)
        (down_by_row, down_by_column), (right_by_row, right_by_column) = steps
        straight = abs(down_by_row) + abs(right_by_column)
        crossed = abs(down_by_column) + abs(right_by_row)
        # A tiny margin, so that rounding does not decide a turn by exactly 45°.
        if crossed > straight + 1e-9:
            return cls(True, bool(down_by_column < 0), bool(right_by_row < 0))
        return cls(False, bool(down_by_row < 0), bool(right_by_column < 0))

    def shape_on_screen(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Return (height, width) on the screen of a data plane with ``shape`` (rows, columns)."""
        return (shape[1], shape[0]) if self.transpose else shape

    def to_screen(self, plane: NDArray[Any]) -> NDArray[Any]:
        """Turn a data plane (rows, columns, ...) to how it is shown; a view where possible."""
        turned = np.swapaxes(plane, 0, 1) if self.transpose else plane
        return self._flip(turned)

    def to_data(self, plane: NDArray[Any]) -> NDArray[Any]:
        """Turn what lies as on the screen (height, width, ...) back: inverse of `to_screen`."""
        turned = self._flip(plane)
        return np.swapaxes(turned, 0, 1) if self.transpose else turned

    def _flip(self, plane: NDArray[Any]) -> NDArray[Any]:
        return plane[:: -1 if self.flip_rows else 1, :: -1 if self.flip_columns else 1]
