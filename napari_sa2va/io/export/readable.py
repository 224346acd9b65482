"""What cannot be read while it is exported is told as that, and not as a fault of the target."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.errors import InvalidInput, Sa2VAError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sa2va.frames import ArrayLike
    from napari_sa2va.io.export.annotations import Annotations


def readable(annotations: Annotations) -> Annotations:
    """Return annotations whose labels and images say themselves what cannot be read of them."""
    labels = Readable(annotations.labels, f"the labels of {annotations.name}")
    pictures = annotations.pictures
    if pictures is not None:
        named = zip(pictures.arrays, pictures.names, strict=True)
        arrays = tuple(Readable(array, f"the image {name}") for array, name in named)
        pictures = replace(pictures, arrays=arrays)
    return replace(annotations, labels=labels, pictures=pictures)


class Readable:
    """An array-like that raises `InvalidInput` where a part of it cannot be read.

    Parameters
    ----------
    array : array-like
        Of a file, a network or a user's own code: each has errors of its own.
    what : str
        What to call it in a sentence.
    """

    def __init__(self, array: ArrayLike, what: str) -> None:
        self._array, self._what = array, what
        self.shape = array.shape
        self.dtype = array.dtype
        self.ndim = array.ndim
        self.size = array.size

    def __getitem__(self, index: Any, /) -> NDArray[Any]:
        try:
            return np.asarray(self._array[index])
        except (MemoryError, Sa2VAError):
            raise
        except Exception as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            sentence = f"{_plane_of(index)}{self._what} could not be read: {reason.rstrip('. ')}."
            raise InvalidInput(
                f"{sentence[0].upper()}{sentence[1:]} Check the file or the drive it is on."
            ) from error


def _plane_of(index: Any) -> str:
    parts = index if isinstance(index, tuple) else (index,)
    place = [str(part) for part in parts if isinstance(part, int | np.integer)]
    return f"plane {', '.join(place)} of " if place else ""
