"""Asking an expression again on the way, and comparing what it points out with what is tracked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import torch

from napari_sa2va.model.grounding import OBJECTS_AT_ONCE
from napari_sa2va.model.outcome import Outcome, tracked_frame
from napari_sa2va.model.track_state import Group, split

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sa2va.model.following import Follower
    from napari_sa2va.model.results import TrackedFrame
    from napari_sa2va.model.sam2_network import FrameFeatures
    from napari_sa2va.model.track_state import TrackState

# Masks that overlap by less are not of the same object.
SAME_OBJECT: Final = 0.5


class Verdict(NamedTuple):
    """What an expression, asked again, says of a tracked object.

    Attributes
    ----------
    agrees : bool
    instead : int or None
        Which of the masks found anew is this object's; None when it agrees, or where none is
        surely meant.
    """

    agrees: bool
    instead: int | None = None


class Checked(NamedTuple):
    """A frame after a check.

    Attributes
    ----------
    outcome : Outcome
        With the masks found anew.
    groups : list of Group
        With the frame among the conditioning frames of objects found anew, which now go through
        SAM2 on their own: the others remember what they did.
    disagreeing, reseeded : set of int
        Rows of objects; no row is in both.
    """

    outcome: Outcome
    groups: list[Group]
    disagreeing: set[int]
    reseeded: set[int]


def is_due(index: int, state: TrackState) -> bool:
    """Tell whether expressions are asked again in a frame: every so many from the nearest key."""
    away = min(abs(index - key) for key in state.keys)
    return state.check_every > 0 and away > 0 and away % state.check_every == 0


def check(
    frame: TrackedFrame,
    outcome: Outcome,
    groups: Sequence[Group],
    features: FrameFeatures,
    languages: Mapping[int, Tensor],
    state: TrackState,
    follower: Follower,
) -> Checked:
    """Compare a tracked frame with what the expressions point out in it alone.

    Parameters
    ----------
    frame, outcome
        As tracked.
    groups : sequence of Group
        After this frame.
    features : FrameFeatures
        Of this frame.
    languages : mapping of int to Tensor, shapes (n, d_model)
        By question, the embeddings that it gave when asked again; n may be 0.
    state : TrackState
    follower : Follower
    """
    disagreeing: set[int] = set()
    anew: dict[int, Tensor] = {}
    for question, language in languages.items():
        rows = [row for row, one in enumerate(state.objects) if one.question == question]
        found = _found(frame, features, language, state.size, follower)
        for row, verdict in zip(rows, compare(_seen(frame)[rows], found), strict=True):
            if state.reseed and verdict.instead is not None:
                anew[row] = language[verdict.instead]
            elif not verdict.agrees:
                disagreeing.add(row)
    if not anew:
        return Checked(outcome, list(groups), disagreeing, set())
    kept: list[Group] = []
    changed = {row: outcome.rows([row]) for row in range(len(frame.masks))}
    for group in groups:
        rows = [row for row in group.rows if row in anew]
        if not rows:
            kept.append(group)
            continue
        others, alone = split(group, rows)
        taken, seen = follower.condition_on_language(
            features, torch.stack([anew[row] for row in alone.rows]), state.size
        )
        changed |= {row: taken.rows([place]) for place, row in enumerate(alone.rows)}
        kept += [] if others is None else [others]
        kept.append(Group(alone.rows, alone.memory.reseeded(frame.index, seen)))
    return Checked(Outcome.together(list(changed.values())), kept, disagreeing, set(anew))


def compare(tracked: NDArray[np.bool_], found: NDArray[np.bool_]) -> list[Verdict]:
    """Match masks of one expression's objects, tracked and found anew, by their overlap.

    Objects whose masks overlap by `SAME_OBJECT` or more agree, and so does one that is neither
    tracked nor found. What is left over is matched again: a mask found anew is taken for a tracked
    object's if they overlap at all, or if only one object is left that it can be.

    Parameters
    ----------
    tracked, found : ndarray of bool, shapes (n, height, width) and (m, height, width)
        A mask is empty where the object is not there.

    Returns
    -------
    list of Verdict
        One per tracked object.
    """
    from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]  # slow

    verdicts = [Verdict(agrees=not mask.any()) for mask in tracked]
    real = [place for place, mask in enumerate(found) if mask.any()]
    overlap = np.array([[iou(mask, found[place]) for place in real] for mask in tracked])
    overlap = overlap.reshape(len(tracked), len(real))
    for row, column in zip(*linear_sum_assignment(overlap, maximize=True), strict=True):
        if overlap[row, column] >= SAME_OBJECT:
            verdicts[row] = Verdict(agrees=True)
            overlap[row], overlap[:, column] = -1, -1  # both are spoken for
    rows = [row for row in range(len(tracked)) if (overlap[row] >= 0).any()]
    columns = [column for column in range(len(real)) if (overlap[:, column] >= 0).any()]
    left = overlap[np.ix_(rows, columns)]
    for at_row, at_column in zip(*linear_sum_assignment(left, maximize=True), strict=True):
        sure = left[at_row, at_column] > 0 or len(rows) == 1
        instead = real[columns[at_column]] if sure else None
        verdicts[rows[at_row]] = Verdict(agrees=False, instead=instead)
    return verdicts


def iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks; 0 when both are empty."""
    union = np.count_nonzero(one | other)
    return float(np.count_nonzero(one & other) / union) if union else 0.0


def _found(
    frame: TrackedFrame,
    features: FrameFeatures,
    language: Tensor,
    size: tuple[int, int],
    follower: Follower,
) -> NDArray[np.bool_]:
    """Masks (n, height, width) that language embeddings point out in a frame alone."""
    if not len(language):
        return np.zeros((0, *size), bool)
    parts = [
        Outcome.of(follower.find(features, some)) for some in torch.split(language, OBJECTS_AT_ONCE)
    ]
    outcome = Outcome.together(parts)
    return _seen(tracked_frame(frame.index, outcome, size, follower.side, seed=False))


def _seen(frame: TrackedFrame) -> NDArray[np.bool_]:
    """Masks of a frame, empty where SAM2 says that the object is not there."""
    return frame.masks & (frame.present >= 0.5)[:, None, None]
