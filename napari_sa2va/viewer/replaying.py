"""A step over many planes undone or redone a few planes at a time, so that the window answers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from napari_sa2va.annotation.session.pixels import pack_patch
from napari_sa2va.viewer.history import action_of, is_of_rows, move_step, replay_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari.layers import Labels

    from napari_sa2va.annotation.actions import Action, Where

# Tools of a Labels layer that change no pixel.
_HARMLESS = ("pan_zoom", "transform", "pick")


class Replay:
    """One step on its way; it stays where it is in the history until `settle`.

    Meanwhile napari's tools for the layer are put down: a stroke in the middle would remember
    pixels that are about to go.

    Parameters
    ----------
    labels : Labels
    step : list
        Its atoms, all of them made by `history.add_step`.
    undoing : bool
        Or redoing.
    """

    def __init__(self, labels: Labels, step: list[Any], *, undoing: bool) -> None:
        self.labels, self.step, self.undoing = labels, step, undoing
        self.done = 0
        self.total = sum(not is_of_rows(atom) for atom in step)
        self.packed: dict[tuple[tuple[int, int], ...], dict[str, Any]] = {}
        """By box: what was written there, as a session's log has it."""
        self._left: Iterator[Any] = iter([a for a in reversed(step) if not is_of_rows(a)])
        self._mode = str(labels.mode)
        self._keep_mode()
        labels.events.mode.connect(self._keep_mode)

    @property
    def action(self) -> Action | None:
        """What the step is."""
        return action_of(self.step)

    @property
    def boxes(self) -> tuple[Where, ...]:
        """What is touched, a box for each plane."""
        return tuple(tuple(atom.slice_key) for atom in self.step if not is_of_rows(atom))

    def go_on(self, seconds: float | None = None) -> bool:
        """Write some planes; return whether any are left.

        Parameters
        ----------
        seconds : float, optional
            No further plane is begun after this time; all if left out.

        Raises
        ------
        OSError
            The array could not be written.
        """
        end = None if seconds is None else time.monotonic() + seconds
        for atom in self._left:
            region = atom.old_values if self.undoing else atom.new_value
            self.labels.data[atom.slice_key] = region
            self.packed[box_key(atom.slice_key)] = pack_patch(atom.slice_key, region)
            self.done += 1
            if end is not None and time.monotonic() >= end:
                break
        return self.done < self.total

    def settle(self) -> None:
        """All is written: rows follow, and the step changes sides in the history."""
        replay_rows(self.step, undoing=self.undoing)
        move_step(self.labels, self.step, undoing=self.undoing)
        self.let_go()

    def let_go(self) -> None:
        """Give the tools back."""
        self.labels.events.mode.disconnect(self._keep_mode)
        if str(self.labels.mode) != self._mode:
            self.labels.mode = self._mode

    def _keep_mode(self, *_: object) -> None:
        if str(self.labels.mode) not in _HARMLESS:
            self.labels.mode = "pan_zoom"


def box_key(box: Where) -> tuple[tuple[int, int], ...]:
    """Return a box as a key of a dict: slices are none before Python 3.12."""
    return tuple((side.start, side.stop) for side in box)
