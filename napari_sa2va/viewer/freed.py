"""Labels that no object has nor gets back, for layers whose integers are used up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sa2va.viewer.history import change_of, is_of_rows
from napari_sa2va.viewer.locks import atom_pixels
from napari_sa2va.viewer.stamps import unpack_values

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from napari.layers import Labels

_MOST_LABELS: Final = 1 << 16
_MOST_READ: Final = 1 << 28  # pixels: a second or two of looking


def freed(
    labels: Labels, taken: Collection[int], history: Sequence[Sequence[Any]], count: int
) -> list[int]:
    """Return the lowest labels that can be given to new objects.

    Reads the whole layer, since people paint labels that are no objects.

    Parameters
    ----------
    labels : Labels
    taken : collection of int
        Labels of objects.
    history : sequence of sequence
        The atoms of the steps that can be undone.
    count : int
        So many are wanted.

    Returns
    -------
    list of int
        Fewer where there are not so many; none for integers that are hardly ever used up, and for
        layers that take long to read.
    """
    data = labels.data
    largest = int(np.iinfo(data.dtype).max)
    if largest >= _MOST_LABELS or int(np.prod(data.shape, dtype=np.int64)) > _MOST_READ:
        return []
    used = np.zeros(largest + 1, dtype=bool)
    used[0] = True
    used[[label for label in taken if label <= largest]] = True
    for step in history:
        for atom in step:
            used[list(given_back(atom))] = True
    for at in np.ndindex(*data.shape[:-2]):
        used[np.ravel(np.asarray(data[at]))] = True
    return [int(label) for label in np.flatnonzero(~used)[:count]]


def given_back(atom: Any) -> set[int]:
    """Return the labels that pixels had before a change, which an undo gives back to them."""
    if is_of_rows(atom):
        return set()
    change = change_of(atom)
    values = [atom_pixels(atom)[1]] if change is None else []
    if change is not None:
        values = [unpack_values(stamp.before) for stamp in change.stamps]
    return {label for found in values for label in np.unique(found).tolist()}
