"""The image that a session's requests are asked of again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames import open_image, open_stack

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_sa2va.annotation.session import SessionState
    from napari_sa2va.frames.source import ArrayLike

_OWN_SAMPLES = "napari-sa2va"


@dataclass(frozen=True, slots=True, eq=False)
class OneChannel:
    """One position along one axis of an array, read when asked for."""

    array: Any
    axis: int
    at: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Without that axis."""
        shape = tuple(self.array.shape)
        return (*shape[: self.axis], *shape[self.axis + 1 :])

    @property
    def dtype(self) -> Any:
        """Of the array."""
        return self.array.dtype

    @property
    def ndim(self) -> int:
        """Number of axes that are left."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __getitem__(self, index: Any, /) -> Any:
        """Read a part; `index` has something for every axis that is left."""
        return self.array[(*index[: self.axis], self.at, *index[self.axis :])]


def open_replayed(state: SessionState, path: Path | None) -> ArrayLike:
    """Open an image for the requests of a session.

    Parameters
    ----------
    state : SessionState
        Says which image that was.
    path : Path, optional
        The image, or another one; the session's own if left out.

    Raises
    ------
    InvalidInput
        There is none, or it cannot be read.
    """
    if path is None:
        first = next(iter(state.about.images), None)
        if first is not None and first.sample[:1] == (_OWN_SAMPLES,):
            return _sample(first.sample[1])
        path = None if first is None else first.found_from(state.path)
        if path is None:
            raise InvalidInput(
                f"The image of {state.path.name} is not where it was. Give its path after the "
                "session's."
            )
    try:
        return open_stack(path).frames.arrays[0]
    except InvalidInput:  # a single plane
        return open_image(path).array


def arrays_for(detail: Mapping[str, Any], array: ArrayLike) -> tuple[ArrayLike, ...]:
    """Return what a request looked at, out of an opened image: one array a channel.

    Raises
    ------
    InvalidInput
        The image has other axes than the one that was looked at.
    """
    wanted = detail["frames"].get("arrays", ())
    axes = {len(one["shape"]) for one in wanted}
    if len(wanted) == 1 and axes == {array.ndim}:
        return (array,)
    if axes == {array.ndim - 1}:
        for axis, length in enumerate(array.shape):
            if length == len(wanted) > 1:
                return tuple(OneChannel(array, axis, at) for at in range(length))
    shapes = " and ".join(str(tuple(one["shape"])) for one in wanted)
    raise InvalidInput(
        f"It was asked about {len(wanted)} layer(s) of shape {shapes}, and the image has shape "
        f"{tuple(array.shape)}: its axes are others."
    )


def _sample(key: str) -> ArrayLike:
    from napari_sa2va import samples

    try:
        ((data, *_),) = getattr(samples, key)()
    except AttributeError as error:
        raise InvalidInput(f"There is no sample {key!r} in this version.") from error
    array: ArrayLike = data
    return array
