"""What a tracking run knows between two frames: all that going on exactly from there needs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from napari_sa2va.model.drift import Usual
    from napari_sa2va.model.memory import Memory
    from napari_sa2va.model.outcome import Outcome
    from napari_sa2va.model.results import FollowedObject

Direction = Literal["forward", "backward", "both"]
Method = Literal["official", "consistent"]


class Group(NamedTuple):
    """Objects that go through SAM2 together.

    Attributes
    ----------
    rows : tuple of int
        Their places among the objects of the run.
    memory : Memory
    """

    rows: tuple[int, ...]
    memory: Memory


@dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """One direction of a run.

    Attributes
    ----------
    backward : bool
    next : int
        The frame that it comes to next, whether or not that is within the range.
    groups : tuple of Group
    usual : tuple of Usual
        By object.
    """

    backward: bool
    next: int
    groups: tuple[Group, ...]
    usual: tuple[Usual, ...]

    def changed(self, change: Callable[[Tensor], Tensor]) -> Pass:
        """Apply a function to every tensor."""
        groups = tuple(Group(group.rows, group.memory.changed(change)) for group in self.groups)
        return replace(self, groups=groups)


@dataclass(frozen=True, slots=True, eq=False)
class TrackState:
    """Where a tracking run is; `Sa2VA.resume` goes on from it.

    A value that does not change: after every frame there is a new one, which shares most of its
    tensors with the one before. They stay on the model's device; `save` copies them.

    Attributes
    ----------
    model : str
        Tells the checkpoint that it belongs to.
    method : "official" or "consistent"
    direction : "forward", "backward" or "both"
    within : (int, int)
        The range: first frame, and the one after the last.
    size : (int, int)
        Height and width of the frames.
    keys : tuple of int
        The frames that the run started from.
    texts : tuple of str
        The questions; none when it started from masks.
    objects : tuple of FollowedObject
        In the order of the rows of every `TrackedFrame`.
    check_every : int
        Ask again every so many frames; 0 for never.
    reseed : bool
        Go on from what is then found, where it is not what was tracked.
    max_new_tokens : int
        Where an answer is cut off.
    seeds : mapping of int to Outcome
        Of the frames that it started from, until they are passed.
    forward, backward : Pass
    """

    model: str
    method: Method
    direction: Direction
    within: tuple[int, int]
    size: tuple[int, int]
    keys: tuple[int, ...]
    texts: tuple[str, ...]
    objects: tuple[FollowedObject, ...]
    check_every: int
    reseed: bool
    max_new_tokens: int
    seeds: Mapping[int, Outcome]
    forward: Pass
    backward: Pass

    @property
    def done(self) -> range:
        """The frames finished: always without a gap, since both directions start side by side."""
        return range(self.backward.next + 1, self.forward.next)

    @property
    def left(self) -> int:
        """How many frames the run still has to visit."""
        return len(self._to_do(self.forward)) + len(self._to_do(self.backward))

    @property
    def total(self) -> int:
        """How many frames the run visits in all, those finished included."""
        return len(self.done) + self.left

    def next_frame(self, *, backward: bool) -> int | None:
        """Return the frame that a direction comes to next, None where it has no more to do."""
        going = self.backward if backward else self.forward
        return going.next if self._to_do(going) else None

    def _to_do(self, going: Pass) -> range:
        if self.direction not in ("both", "backward" if going.backward else "forward"):
            return range(0)
        start, stop = self.within
        if going.backward:
            return range(going.next, start - 1, -1)
        return range(going.next, stop)

    def after(self, going: Pass) -> TrackState:
        """Return the state after a pass went one frame further."""
        passed = going.next + 1 if going.backward else going.next - 1
        seeds = {index: seed for index, seed in self.seeds.items() if index != passed}
        if going.backward:
            return replace(self, seeds=seeds, backward=going)
        return replace(self, seeds=seeds, forward=going)

    def changed(self, change: Callable[[Tensor], Tensor]) -> TrackState:
        """Apply a function to every tensor."""
        return replace(
            self,
            seeds={index: seed.changed(change) for index, seed in self.seeds.items()},
            forward=self.forward.changed(change),
            backward=self.backward.changed(change),
        )

    def save(self, path: str | Path) -> None:
        """Write it to a file, which is then either whole or as it was before.

        Raises
        ------
        InvalidInput
            If the file cannot be written.
        """
        from napari_sa2va.model.track_files import write_state  # which knows this class

        write_state(self, path)

    @staticmethod
    def load(path: str | Path) -> TrackState:
        """Read what `save` wrote; nothing in a file is run.

        Raises
        ------
        InvalidInput
            If the file cannot be read, or is not such a file.
        """
        from napari_sa2va.model.track_files import read_state

        return read_state(path)


def places(first: int, last: int, direction: Direction) -> tuple[int, int]:
    """Return the frames at which a forward and a backward pass start.

    Parameters
    ----------
    first, last : int
        The first and the last of the frames that the run is conditioned on.
    direction : "forward", "backward" or "both"
        That the run is to have at first. The other one's start counts when a run that went one way
        is gone on with in both.
    """
    return (last + 1, last) if direction == "backward" else (first, first - 1)


def in_groups(count: int, at_once: int) -> list[tuple[int, ...]]:
    """Return the rows of each group of objects."""
    return [tuple(range(at, min(at + at_once, count))) for at in range(0, count, at_once)]


def split(group: Group, rows: Sequence[int]) -> tuple[Group | None, Group]:
    """Part a group in the objects that are not among `rows`, None if there are none, and those."""
    inside = [place for place, row in enumerate(group.rows) if row in rows]
    outside = [place for place, row in enumerate(group.rows) if row not in rows]
    if not outside:
        return None, group

    def part(chosen: list[int]) -> Group:
        return Group(tuple(group.rows[place] for place in chosen), group.memory.of(chosen))

    return part(outside), part(inside)
