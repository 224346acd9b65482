"""SAM2's memory of some objects, as a value: remembering gives a new memory, the old one stays.

So a frame that was interrupted half way has changed nothing, and what a run knew after any frame
can be kept, written to a file and gone on from.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

# How far SAM2 looks back: masks of 6 frames and object pointers of 15 (`num_maskmem`,
# `max_obj_ptrs_in_encoder`).
MASKS_BACK: Final = 6
POINTERS_BACK: Final = 15
# Every conditioning frame is attended in every later frame, so those that checks add are few.
RESEEDS_KEPT: Final = 3


class Remembered(NamedTuple):
    """What is remembered of `n` objects in one frame.

    Attributes
    ----------
    map : Tensor of bfloat16, shape (n, memory channels, s, s), or None
        Memory map; None once it is too old to be looked at. The official code rounds it to
        bfloat16 whatever the rest is, on conditioning frames too.
    pointer : Tensor, shape (n, d_model)
        Object pointers.
    """

    map: Tensor | None
    pointer: Tensor

    def changed(self, change: Callable[[Tensor], Tensor]) -> Remembered:
        """Apply a function to every tensor."""
        return Remembered(None if self.map is None else change(self.map), change(self.pointer))


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """What SAM2 remembers of `n` objects while it goes through frames in one direction.

    All frames that it was conditioned on are attended in every frame, those ahead included; object
    pointers come only from frames already passed.

    Attributes
    ----------
    seeds : mapping of int to Remembered
        The frames that the run was conditioned on at first, in the order that the direction comes
        to them, so that sums round the same way for a reversed video.
    reseeds : mapping of int to Remembered
        Frames that it was conditioned on since, the newest last and `RESEEDS_KEPT` at most.
    followed : mapping of int to Remembered
        The last frames passed.
    """

    seeds: Mapping[int, Remembered]
    reseeds: Mapping[int, Remembered] = field(default_factory=dict)
    followed: Mapping[int, Remembered] = field(default_factory=dict)

    @property
    def conditioned(self) -> dict[int, Remembered]:
        """All conditioning frames."""
        return {**self.seeds, **self.reseeds}

    def after(self, index: int, seen: Remembered) -> Memory:
        """Remember a frame that was followed, and release what no later frame looks back to."""
        return replace(self, followed=_recent({**self.followed, index: seen}, index))

    def reseeded(self, index: int, seen: Remembered) -> Memory:
        """Take this frame as a conditioning frame, and forget what was followed up to it.

        That was the wrong thing, or the object was lost. Of such frames the `RESEEDS_KEPT` newest
        are kept; the first ones, where the run started, always are.
        """
        newest = list({**self.reseeds, index: seen}.items())[-RESEEDS_KEPT:]
        return replace(self, reseeds=dict(newest), followed={})

    def changed(self, change: Callable[[Tensor], Tensor]) -> Memory:
        """Apply a function to every tensor."""
        return Memory(
            *(
                {index: seen.changed(change) for index, seen in kept.items()}
                for kept in (self.seeds, self.reseeds, self.followed)
            )
        )

    def of(self, rows: Sequence[int]) -> Memory:
        """Return the memory of some of the objects."""
        return self.changed(lambda tensor: tensor[list(rows)])


def _recent(followed: Mapping[int, Remembered], index: int) -> dict[int, Remembered]:
    """Drop what frames after `index` do not look back to."""
    return {
        past: seen if abs(index - past) < MASKS_BACK else seen._replace(map=None)
        for past, seen in followed.items()
        if abs(index - past) < POINTERS_BACK
    }
