"""Ctrl+C as a wish to stop, so that what is finished is kept."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from napari_sa2va.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_STDERR: Final = 2
_TOLD: Final = b"\nStopping, which can take some seconds. Ctrl+C again ends at once.\n"


@contextmanager
def cancel_on_interrupt() -> Iterator[threading.Event]:
    """Give an event that the first Ctrl+C sets; a second one ends the process at once.

    Outside the main thread, where Python allows no handler, the event is never set.
    """
    cancelled = threading.Event()

    def first_time(_signal: int, _frame: FrameType | None) -> None:
        cancelled.set()
        signal.signal(signal.SIGINT, _end)
        os.write(_STDERR, _TOLD)  # print may be in use by what was interrupted

    if threading.current_thread() is not threading.main_thread():
        yield cancelled
        return
    before = signal.signal(signal.SIGINT, first_time)
    try:
        yield cancelled
    finally:
        signal.signal(signal.SIGINT, before)


def _end(_signal: int, _frame: FrameType | None) -> None:
    # An exception would wait for the thread that loads the model: seconds, if torch is imported.
    os._exit(ExitCode.CANCELLED)
