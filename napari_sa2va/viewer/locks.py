"""Locked objects under napari's own brush: what a stroke did to them is left out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray


def mend_step(
    step: list[Any], locked: Collection[int], shape: Sequence[int]
) -> list[tuple[Any, NDArray[Any]]]:
    """Leave locked objects out of a step of napari's undo history.

    A pixel of a locked object stays, and a locked object gets no pixel. Neither an undo nor a redo
    of the step touches those pixels then.

    Parameters
    ----------
    step : list
        Its atoms, all of napari's own; changed in place, and empty if nothing is left of it.
    locked : collection of int
        Labels.
    shape : sequence of int
        Of the layer's data.

    Returns
    -------
    list of (index, values)
        ``data[index] = values`` puts back what the stroke changed; in this order.
    """
    wanted = sorted(locked)
    restored: list[tuple[Any, NDArray[Any]]] = []
    # Pixels that are left out, by their place in the flat array, and what they were.
    places = np.zeros(0, dtype=np.intp)
    values = np.zeros(0, dtype=np.int64)
    kept = []
    for atom in step:
        pixels, old, new = atom_pixels(atom)
        flat = np.ravel_multi_index(pixels, tuple(shape))
        at = np.minimum(np.searchsorted(places, flat), max(len(places) - 1, 0))
        again = places[at] == flat if len(places) else np.zeros(len(flat), dtype=bool)
        if again.any():
            old = np.where(again, values[at], old)
        refused = np.isin(old, wanted) | np.isin(new, wanted) | again
        if not refused.any():
            kept.append(atom)
            continue
        index = tuple(axis[refused] for axis in pixels)
        restored.append((index, old[refused]))
        places, first = np.unique(np.concatenate([places, flat[refused]]), return_index=True)
        values = np.concatenate([values, old[refused]])[first]
        if not refused.all():
            kept.append(_without(atom, pixels, old, new, refused))
    step[:] = kept
    return restored


def atom_pixels(atom: Any) -> tuple[tuple[NDArray[np.intp], ...], NDArray[Any], NDArray[Any]]:
    """Return the indices of an atom's pixels, what they were, and what they became."""
    if hasattr(atom, "slice_key"):
        shape = [side.stop - side.start for side in atom.slice_key]
        mask = np.ones(shape, dtype=bool) if atom.mask is None else atom.mask
        inside = np.nonzero(mask)
        index = tuple(at + side.start for at, side in zip(inside, atom.slice_key, strict=True))
        old = np.ravel(atom.old_values)
        return index, old, np.broadcast_to(np.asarray(atom.new_value), old.shape)
    indices, old, new = atom
    index = tuple(np.ravel(at) for at in np.broadcast_arrays(*indices))
    flat = np.ravel(old)
    return index, flat, np.broadcast_to(np.ravel(new) if np.ndim(new) else new, flat.shape)


def _without(
    atom: Any,
    pixels: tuple[NDArray[np.intp], ...],
    old: NDArray[Any],
    new: NDArray[Any],
    refused: NDArray[np.bool_],
) -> Any:
    kept = ~refused
    index = tuple(axis[kept] for axis in pixels)
    if not hasattr(atom, "slice_key"):
        return index, old[kept], new[kept]
    corner = [side.start for side in atom.slice_key]
    mask = np.zeros([side.stop - side.start for side in atom.slice_key], dtype=bool)
    mask[tuple(at - start for at, start in zip(index, corner, strict=True))] = True
    return atom._replace(mask=mask, old_values=old[kept])
