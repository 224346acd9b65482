"""Ctrl+C as a wish to stop, so that what is finished is kept."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


@contextmanager
def cancel_on_interrupt() -> Iterator[threading.Event]:
    """Give an event that the first Ctrl+C sets; a second one interrupts as usual.

    Outside the main thread, where Python allows no handler, the event is never set.
    """
    cancelled = threading.Event()

    def first_time(_signal: int, _frame: FrameType | None) -> None:
        cancelled.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    if threading.current_thread() is not threading.main_thread():
        yield cancelled
        return
    before = signal.signal(signal.SIGINT, first_time)
    try:
        yield cancelled
    finally:
        signal.signal(signal.SIGINT, before)
