"""Masks that are to be followed, made ready for a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sa2va.annotation.packed import PackedMask
from napari_sa2va.errors import InvalidInput
from napari_sa2va.widgets.active_run import Seeds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from napari_sa2va.widgets.asked import TrackOptions

    Masks = Mapping[int, Sequence[NDArray[np.bool_] | PackedMask]]


def seeds_of(
    masks: Masks, phrases: Sequence[str], into: Sequence[int] | None, track: TrackOptions
) -> Seeds:
    """Pack masks; parameters as of `RunController.follow`.

    Raises
    ------
    InvalidInput
        If a frame with masks is outside the range to follow through.
    """
    start, stop = track.within
    outside = [frame for frame in masks if not start <= frame < stop]
    if outside:
        raise InvalidInput(
            f"Plane {outside[0]} is outside the range to follow through, {start} to {stop - 1}. "
            "Move the slider into the range, or enlarge the range."
        )
    packed = {
        frame: tuple(one if isinstance(one, PackedMask) else PackedMask.pack(one) for one in of)
        for frame, of in masks.items()
    }
    return Seeds(packed, tuple(phrases), tuple(into or ()))
