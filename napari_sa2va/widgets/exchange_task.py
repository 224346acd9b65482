"""Work of a few seconds or minutes beside the window: one piece at a time."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from napari.qt.threading import create_worker
from qtpy.QtCore import QObject, Signal

if TYPE_CHECKING:
    from collections.abc import Callable

    Work = Callable[[Callable[[int, int], None], Callable[[], bool]], Any]

_TELL_SECONDS: Final = 0.1


@dataclass(slots=True, eq=False)
class _Job:
    """Work under way, and who is told when it is over; `left` once its window has gone."""

    done: Callable[[Any], None]
    failed: Callable[[Exception], None]
    stop: threading.Event = field(default_factory=threading.Event)
    left: bool = False


class Task(QObject):
    """Runs a function in a worker thread; a new one takes the place of an older.

    What is done with results and failures happens in the GUI thread, and not at all for work that
    was replaced.
    """

    progressed = Signal(int, int)
    """How many planes are done, and how many there are."""
    busy_changed = Signal(bool)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._job: _Job | None = None

    @property
    def busy(self) -> bool:
        """Whether something is being done."""
        return self._job is not None

    def start(
        self, work: Work, done: Callable[[Any], None], failed: Callable[[Exception], None]
    ) -> None:
        """Begin.

        Parameters
        ----------
        work : callable
            Called in the worker with a function that takes progress, and one that says whether to
            give up. It touches no layers and no widgets.
        done, failed : callable
            Take the result, or the error.
        """
        self.cancel()
        job = self._job = _Job(done, failed)

        def is_over() -> bool:
            if self._job is not job:  # replaced, or its window is gone
                return job.left
            self._job = None
            self.busy_changed.emit(False)
            return True

        def finished(tell: Callable[[Any], None], what: Any) -> None:
            if is_over():
                tell(what)

        create_worker(
            work,
            _teller(self.progressed, job),
            job.stop.is_set,
            _connect={
                # Asked for then: `leave` puts others in their place.
                "returned": lambda result: finished(job.done, result),
                "errored": lambda error: finished(job.failed, error),
            },
        )
        self.busy_changed.emit(True)

    def stop(self) -> None:
        """Ask the work to give up; `failed` is told when it has."""
        if self._job is not None:
            self._job.stop.set()

    def cancel(self) -> None:
        """Let the work go: nobody waits for it any more."""
        if self._job is not None:
            self._job.stop.set()
            self._job = None

    def leave(self, done: Callable[[Any], None], failed: Callable[[Exception], None]) -> None:
        """Let the work go on after the window, which goes now.

        Parameters
        ----------
        done, failed : callable
            Take the result, or the error, in the place of those that know the window.
        """
        job, self._job = self._job, None
        if job is not None:
            job.done, job.failed, job.left = done, failed, True


def _teller(progressed: Any, job: _Job) -> Callable[[int, int], None]:
    """Return what takes progress in the worker, and passes on as much as a window can show."""
    last = 0.0

    def tell(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if job.left or job.stop.is_set() or now - last < _TELL_SECONDS:
            return
        last = now
        try:
            progressed.emit(done, total)
        except RuntimeError:  # the window is gone, and with it who wanted this
            if not job.left:
                job.stop.set()

    return tell
