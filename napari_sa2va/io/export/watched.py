"""An export that is followed, and can be cancelled: by what it reads."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_sa2va.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sa2va.io.export.annotations import Annotations


def watched(
    annotations: Annotations, tell: Callable[[int, int], None], stopped: Callable[[], bool]
) -> Annotations:
    """Return annotations that tell of each plane that is read of them.

    Parameters
    ----------
    annotations : Annotations
    tell : callable
        Called with how many planes of labels were read, and how many there are. Formats that go
        through the planes twice begin again.
    stopped : callable
        Whether the next read is to raise `Cancelled`, which leaves older files as they were.
    """
    total = max(1, math.prod(annotations.shape[:-2]))
    labels = _Watched(
        annotations.labels, stopped, lambda reads: tell((reads - 1) % total + 1, total)
    )
    pictures = annotations.pictures
    if pictures is not None:
        arrays = tuple(_Watched(array, stopped) for array in pictures.arrays)
        pictures = replace(pictures, arrays=arrays)
    return replace(annotations, labels=labels, pictures=pictures)


@dataclass(slots=True, eq=False)
class _Watched:
    """An array-like that looks up before each read."""

    array: Any
    stopped: Callable[[], bool]
    tell: Callable[[int], None] | None = None
    reads: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.array.shape)

    @property
    def dtype(self) -> Any:
        return self.array.dtype

    @property
    def ndim(self) -> int:
        return int(self.array.ndim)

    @property
    def size(self) -> int:
        return int(self.array.size)

    def __getitem__(self, index: Any, /) -> Any:
        if self.stopped():
            raise Cancelled("The export was cancelled. What was there before is as it was.")
        self.reads += 1
        if self.tell is not None:
            self.tell(self.reads)
        return self.array[index]
