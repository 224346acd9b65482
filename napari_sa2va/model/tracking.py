"""Following objects through the frames of a video or the planes of a stack.

Two ways. *Official*: the frames that the language model looks at become conditioning frames, and
the fine-tuned decoder follows the objects from there. *Consistent* (Sa2VA-i, Kumuji et al.): SAM2's
memory was never trained with the fine-tuned decoder, so that decoder only finds the objects in the
frames looked at, without memory; its masks are handed to SAM2 as mask prompts, and SAM2's original
decoder follows them.

Directions. Forward starts at the first conditioning frame, backward at the last; both ways is
forward from the first one to the end, then backward from it to the beginning. The two directions
share the conditioning frames and nothing else: so what is found backward does not depend on
whether the other direction was asked for, and equals forward tracking of the reversed video. What
a check adds (`napari_sa2va.model.checking`) belongs to the direction that it was made in.

Going on. What a run knows is in a `TrackState`, a new one after every frame, and the tracker itself
knows nothing: going on from a state gives the frames that an uninterrupted run gives, bit by bit on
the same device. A run that went one way can be gone on with in the other; after a backward one from
several conditioning frames, forward starts behind the last of them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_sa2va.model.checking import check, is_due
from napari_sa2va.model.checks import read_frame
from napari_sa2va.model.drift import Usual, drift_flags, learned
from napari_sa2va.model.failures import stop_if
from napari_sa2va.model.grounding import OBJECTS_AT_ONCE
from napari_sa2va.model.memory import Memory
from napari_sa2va.model.outcome import Outcome, readings, tracked_frame
from napari_sa2va.model.preprocess import sam2_image
from napari_sa2va.model.track_state import Direction, Group, Pass, in_groups, places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sa2va.model.checks import Frames
    from napari_sa2va.model.following import Follower
    from napari_sa2va.model.memory import Remembered
    from napari_sa2va.model.network import Sa2VANetwork
    from napari_sa2va.model.results import TrackedFrame
    from napari_sa2va.model.sam2_network import FrameFeatures
    from napari_sa2va.model.track_state import TrackState

    # Asks about one frame again; language embeddings (n, d_model) by question.
    AskAgain = Callable[[NDArray[np.uint8]], Mapping[int, Tensor]]
    # Conditions some rows of the objects on a frame: its index, size and features come first.
    Condition = Callable[
        [int, tuple[int, int], FrameFeatures, Sequence[int]], tuple[Outcome, Remembered]
    ]


class Tracker:
    """Goes through frames and follows some objects, each frame read and encoded once.

    Parameters
    ----------
    network : Sa2VANetwork
    frames : Frames
    follower : Follower
    cancelled : callable, optional
        Asked between frames.
    """

    def __init__(
        self,
        network: Sa2VANetwork,
        frames: Frames,
        follower: Follower,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        self._network = network
        self._frames = frames
        self._follower = follower
        self._cancelled = cancelled

    def condition(
        self, keys: Sequence[int], objects: int, direction: Direction, by: Condition
    ) -> tuple[tuple[int, int], dict[int, Outcome], Pass, Pass]:
        """Condition on some frames.

        Parameters
        ----------
        keys : sequence of int
            In rising order.
        objects : int
            How many there are.
        direction : "forward", "backward" or "both"
            See `track_state.places`.
        by : callable

        Returns
        -------
        The frames' size, what was found in them, and both passes at their start.
        """
        rows = in_groups(objects, OBJECTS_AT_ONCE)
        seeds: dict[int, Outcome] = {}
        seen: list[dict[int, Remembered]] = [{} for _ in rows]
        size: tuple[int, int] | None = None
        for index in keys:
            stop_if(self._cancelled)
            frame, features = self._look(index, size)
            size = frame.shape[:2]
            found = []
            for group, kept in zip(rows, seen, strict=True):
                outcome, kept[index] = by(index, size, features, group)
                found.append(outcome)
            seeds[index] = Outcome.together(found)
        assert size is not None
        ahead, behind = places(keys[0], keys[-1], direction)
        forward = tuple(Group(r, Memory(kept)) for r, kept in zip(rows, seen, strict=True))
        backward = tuple(
            Group(r, Memory(dict(reversed(kept.items()))))
            for r, kept in zip(rows, seen, strict=True)
        )
        # A direction that does not pass the seeds starts beside the first or the last of them.
        first, last = (self._seeded(index, seeds[index], size) for index in (keys[0], keys[-1]))
        return (
            size,
            seeds,
            Pass(backward=False, next=ahead, groups=forward, usual=last),
            Pass(backward=True, next=behind, groups=backward, usual=first),
        )

    def _seeded(self, index: int, seed: Outcome, size: tuple[int, int]) -> tuple[Usual, ...]:
        frame = self.frame(index, seed, size, seed=True)
        return tuple(learned(now, Usual(), seed=True) for now in readings(frame))

    def run(
        self, state: TrackState, ask_again: AskAgain | None = None
    ) -> Iterator[tuple[TrackedFrame, TrackState]]:
        """Yield the objects in every frame still to visit, and the state after it.

        Parameters
        ----------
        state : TrackState
            Its tensors on the network's device.
        ask_again : callable, optional
            Needed where the state asks for checks.
        """
        for backward in (False, True):
            while (index := state.next_frame(backward=backward)) is not None:
                stop_if(self._cancelled)
                going = state.backward if backward else state.forward
                if index in state.seeds:
                    frame = self.frame(index, state.seeds[index], state.size, seed=True)
                else:
                    frame, going = self._follow(index, going, state, ask_again)
                usual = tuple(
                    learned(now, before, seed=frame.seed or "reseeded" in flags)
                    for now, before, flags in zip(
                        readings(frame), going.usual, frame.flags, strict=True
                    )
                )
                step = -1 if backward else 1
                state = state.after(replace(going, next=index + step, usual=usual))
                yield frame, state

    def _follow(
        self, index: int, going: Pass, state: TrackState, ask_again: AskAgain | None
    ) -> tuple[TrackedFrame, Pass]:
        pixels, features = self._look(index, state.size)
        found, groups = [], []
        for group in going.groups:
            outcome, seen = self._follower.follow(
                index, features, group.memory, backward=going.backward
            )
            found.append(outcome)
            groups.append(Group(group.rows, group.memory.after(index, seen)))
            stop_if(self._cancelled)
        order = np.argsort([row for group in groups for row in group.rows]).tolist()
        outcome = Outcome.together(found).rows(order)
        frame = self.frame(index, outcome, state.size)
        flags = [
            drift_flags(now, before)
            for now, before in zip(readings(frame), going.usual, strict=True)
        ]
        if ask_again is not None and is_due(index, state):
            checked = check(
                frame, outcome, groups, features, ask_again(pixels), state, self._follower
            )
            groups = checked.groups
            if checked.reseeded:
                frame = self.frame(index, checked.outcome, state.size)
            for row in checked.disagreeing:
                flags[row] = (*flags[row], "disagrees")
            for row in checked.reseeded:
                flags[row] = ("reseeded",)  # what was odd about the tracked mask is gone with it
        return replace(frame, flags=tuple(flags)), replace(going, groups=tuple(groups))

    def frame(
        self, index: int, outcome: Outcome, size: tuple[int, int], *, seed: bool = False
    ) -> TrackedFrame:
        """Bring an outcome to the frame's size."""
        return tracked_frame(index, outcome, size, self._follower.side, seed=seed)

    @torch.inference_mode()
    def _look(
        self, index: int, size: tuple[int, int] | None
    ) -> tuple[NDArray[np.uint8], FrameFeatures]:
        pixels = read_frame(self._frames, index, size)
        image = sam2_image(pixels, self._network.config).to(self._network.sam2.device)
        return pixels, self._network.sam2.encode(image[None])
