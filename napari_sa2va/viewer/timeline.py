"""The time-line of a layer: napari's undo history, in which our steps stand among its strokes."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from psygnal import Signal

from napari_sa2va.annotation.actions import Action
from napari_sa2va.errors import InvalidInput
from napari_sa2va.viewer.entries import axes_of, indexed, span
from napari_sa2va.viewer.history import (
    action_of,
    add_step,
    give_keys_back,
    is_ours,
    replay_at_once,
    steps_of,
    take_keys,
)
from napari_sa2va.viewer.replaying import Replay, box_key
from napari_sa2va.viewer.selective_undo import last_effect
from napari_sa2va.viewer.steps import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from napari.layers import Labels

    from napari_sa2va.annotation.actions import Where
    from napari_sa2va.viewer.book import Book
    from napari_sa2va.viewer.stamps import PlaneChange


# Steps over more planes are undone in pieces; so many take 0.1 s on a hard disk.
_AT_ONCE: Final = 20
_PIECE_SECONDS: Final = 0.03


class TimeLine:
    """What `LabelObjects` does step by step, and takes back.

    Parameters
    ----------
    labels : Labels
        The layer.
    book : Book
        Its objects.
    """

    done = Signal(object)
    """An `Action` is completed; told before rows are shown, so that a log has it first."""

    replay_moved = Signal(int, int)
    """So many planes of the step that is undone or redone in pieces are written, of so many."""

    def __init__(self, labels: Labels, book: Book) -> None:
        self.labels = labels
        self._replay: Replay | None = None
        self._later: Callable[[Callable[[], bool]], object] | None = None
        self._packed: dict[Any, dict[str, Any]] = {}
        self._book = book
        self._quiet = False
        self._row_news = False
        self._replays: dict[PlaneChange, dict[bool, dict[int, int]]] = {}

    def show(self) -> None:
        """Write rows and captions out."""
        raise NotImplementedError

    def locked(self, label: int) -> bool:
        """Whether the pixels of an object must not change."""
        return label in self._book.locked

    @property
    def locked_labels(self) -> frozenset[int]:
        """All labels whose pixels must not change."""
        return self._book.locked

    @contextmanager
    def step(
        self,
        kind: str,
        text: str,
        *,
        labels: Sequence[int] = (),
        detail: Mapping[str, Any] | None = None,
        takes_back: object = None,
    ) -> Iterator[Step]:
        """Do something to objects as one step, to be undone and redone as a whole.

        When the block ends, the step is in napari's undo history, `done` was told, and rows and
        captions are written. If it raises, what was painted is taken back; what a disk does not
        take back becomes a step of its own. A step without any effect leaves nothing.

        Parameters
        ----------
        kind, text, labels, detail, takes_back
            As in `Action`.

        Yields
        ------
        Step
            Takes what is to be done.
        """
        self.finish_replay()
        step = Step(self.labels.data, self._book, self._book.locked)
        try:
            with self.quiet():
                yield step
        except BaseException:
            step.take_back()
            if step.changes:
                part = Action(kind, f"Part of: {text}", (), tuple(labels), dict(detail or {}))
                self._complete(step, part)
            raise
        if step.effective:
            whole = Action(kind, text, (), tuple(labels), dict(detail or {}), takes_back)
            self._complete(step, whole)

    def _complete(self, step: Step, action: Action) -> None:
        """Let rows follow what a step painted, and put it into the history."""
        for plane, found in step.settle().items():
            self._book.count_of(plane, found)
        adopted = step.adopted

        def heard(undoing: bool) -> None:
            step.set_fields(undone=undoing)
            if undoing:
                self._book.drop(entry.record.label for entry in adopted)
            else:
                self._book.put(adopted)
            self._row_news = True

        rows = heard if step.fields or adopted else None
        self.record(step.changes, action, rows, fields=step.fields)

    def record(
        self,
        changes: Sequence[PlaneChange],
        action: Action,
        heard: Callable[[bool], None] | None = None,
        fields: Mapping[int, Any] | None = None,
        touched: Sequence[Where] | None = None,
    ) -> None:
        """Make changes that are in the data and the book already one step of the time-line.

        Parameters
        ----------
        changes : sequence of PlaneChange
            At most one a plane.
        action : Action
            What they are.
        heard, fields
            As in `history.add_step`.
        touched : sequence of Where, optional
            Boxes to be told; all that changed if left out, which of a run through thousands of
            planes were told before.

        Raises
        ------
        NoUndo
            This version of napari has another undo history. What was done stays, and is told.
        """
        if touched is None:
            touched = tuple(span(change.plane, change.box) for change in changes)
        action = replace(action, touched=tuple(touched))
        self._book.follow(changes)
        try:
            with self.quiet():
                add_step(self.labels, changes, self.replayed, heard, action, fields)
        finally:
            self._book.measure()
            self.tell(action)
            if changes:
                with self.quiet():
                    self.labels.refresh(extent=False, highlight=False)

    def tell(self, action: Action) -> None:
        """Say that something is completed: `done` first, then rows and captions."""
        try:
            self.done.emit(action)
        finally:
            self.show()

    def undo(self) -> bool:
        """Take back the last step, whatever layer is active; return whether there was one."""
        return self._replay_next(undoing=True)

    def redo(self) -> bool:
        """Make the step again that was taken back last; return whether there was one."""
        return self._replay_next(undoing=False)

    def replay_in_pieces(self, later: Callable[[Callable[[], bool]], object] | None) -> None:
        """Undo and redo steps over many planes in pieces from now on, also by napari's keys.

        Parameters
        ----------
        later : callable or None
            Given a function, calls it when the window has time, and again until it returns False.
            None: from now on at once.
        """
        self.finish_replay()
        self._later = later
        if later is None:
            give_keys_back(self.labels)
        else:
            take_keys(self.labels, self.undo, self.redo)

    @property
    def replaying(self) -> bool:
        """Whether a step is being undone or redone in pieces."""
        return self._replay is not None

    def finish_replay(self) -> None:
        """Undo or redo at once what is left of it: what comes next builds on it."""
        while self._replay is not None:
            self._go_on(None)

    def packed(self, boxes: Sequence[Where]) -> list[dict[str, Any]] | None:
        """Return boxes of an undo or redo that is being told, packed for a log.

        They were packed piece by piece; reading thousands again would keep the window waiting.
        None if any is not known.
        """
        found = [self._packed.get(box_key(box)) for box in boxes] if self._packed else [None]
        return None if None in found else [box for box in found if box is not None]

    def _replay_next(self, *, undoing: bool) -> bool:
        if self._replay is not None:  # it shows on the button that something is under way
            return True
        steps = steps_of(self.labels, undone=not undoing)
        if not steps:
            return False
        step = steps[-1]
        later = self._later if len(step) > _AT_ONCE else None
        # napari moves a step to the other side first: where a disk refuses, it would be lost.
        refusable = not isinstance(self.labels.data, np.ndarray)
        if not is_ours(step) or not (later or refusable):
            replay_at_once(self.labels, undoing=undoing)
            return True
        self._replay = Replay(self.labels, step, undoing=undoing)
        if later is None:
            self.finish_replay()
        else:
            self.replay_moved.emit(0, self._replay.total)
            later(lambda: self._go_on(_PIECE_SECONDS))
        return True

    def _go_on(self, seconds: float | None) -> bool:
        """Do a piece of what is under way; return whether there is more."""
        replay = self._replay
        if replay is None:
            return False
        try:
            if replay.go_on(seconds):
                self.replay_moved.emit(replay.done, replay.total)
                return True
            replay.settle()
        except Exception as error:
            self._replay = None
            replay.let_go()
            self._replay_broke(replay, error)
            if not isinstance(error, OSError):  # a fault of ours: told once, not with every piece
                raise
            return False
        self._replay = None
        self._packed = replay.packed
        try:
            self._replayed_all(replay)
        finally:
            self._packed = {}
            self.replay_moved.emit(replay.total, replay.total)
        return False

    def _replayed_all(self, replay: Replay) -> None:
        """Follow a step that was undone or redone in pieces."""
        raise NotImplementedError

    def _replay_broke(self, replay: Replay, error: Exception) -> None:
        """Follow as much of a step as could be written."""
        raise NotImplementedError

    @property
    def undo_text(self) -> str:
        """What `undo` would take back; empty for nothing."""
        return _text(steps_of(self.labels))

    @property
    def redo_text(self) -> str:
        """What `redo` would make again; empty for nothing."""
        return _text(steps_of(self.labels, undone=True))

    def undo_object(self, label: int) -> bool:
        """Take back what the last step did to one object, as a step of its own.

        Pixels that are not as that step left them stay. Called again, it goes one step further
        back.

        Returns
        -------
        bool
            Whether there was anything to take back.

        Raises
        ------
        InvalidInput
            The object is locked.
        """
        self.finish_replay()  # else the step on its way would count as done
        effect = last_effect(steps_of(self.labels), label)
        if effect is None:
            return False
        if self.locked(label) and "locked" not in effect.fields:
            raise InvalidInput(f"Object {label} is locked. Unlock it to change it.")
        text = f"Take back for {label}: {effect.text}"
        with self.step("undo_object", text, labels=(label,), takes_back=effect.mark) as step:
            for plane, box, where, before, after in effect.pixels(self._axes(label)):
                region = np.asarray(self.labels.data[indexed(plane, box)])
                untouched = where & (region == after)
                for value in np.unique(before[untouched]).tolist():
                    step.paint(plane, box, untouched & (before == value), int(value))
            step.change(label, **effect.fields)
        return True

    def _axes(self, label: int) -> tuple[int, int]:
        entry = self._book.entries.get(label)
        return entry.axes if entry is not None else axes_of((None,) * 2)

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Take no event of the layer for an edit of the user's."""
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before

    def replayed(self, change: PlaneChange, gained: dict[int, int], undoing: bool) -> None:
        """Hear of an undo or redo of a `PlaneChange`, just before its pixels are written."""
        self._replays.setdefault(change, {})[undoing] = gained


def _text(steps: list[list[Any]]) -> str:
    """Return what the next of some steps is, for people."""
    if not steps:
        return ""
    action = action_of(steps[-1])
    return "Paint" if action is None else action.text
