"""Work of a few seconds or minutes beside the window: one piece at a time."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

from napari.qt.threading import create_worker
from qtpy.QtCore import QObject, Signal

if TYPE_CHECKING:
    from collections.abc import Callable

    Work = Callable[[Callable[[int, int], None], Callable[[], bool]], Any]

_TELL_SECONDS: Final = 0.1


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
        self._stop: threading.Event | None = None

    @property
    def busy(self) -> bool:
        """Whether something is being done."""
        return self._stop is not None

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
        stop = self._stop = threading.Event()

        def end(take: Callable[[Any], None], value: Any) -> None:
            if self._stop is stop:  # else replaced, or its window is gone
                self._stop = None
                self.busy_changed.emit(False)
                take(value)

        create_worker(
            work,
            _teller(self.progressed, stop),
            stop.is_set,
            _connect={
                "returned": lambda result: end(done, result),
                "errored": lambda error: end(failed, error),
            },
        )
        self.busy_changed.emit(True)

    def stop(self) -> None:
        """Ask the work to give up; `failed` is told when it has."""
        if self._stop is not None:
            self._stop.set()

    def cancel(self) -> None:
        """Let the work go: nobody waits for it any more."""
        if self._stop is not None:
            self._stop.set()
            self._stop = None


def _teller(progressed: Any, stop: threading.Event) -> Callable[[int, int], None]:
    """Return what takes progress in the worker, and passes on as much as a window can show."""
    last = 0.0

    def tell(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if stop.is_set() or now - last < _TELL_SECONDS:
            return
        last = now
        try:
            progressed.emit(done, total)
        except RuntimeError:  # the window is gone, and with it who wanted this
            stop.set()

    return tell
