"""A function that reports while it works, as a generator of its reports."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_Report = TypeVar("_Report")
_Result = TypeVar("_Result")

_LOOK_UP_SECONDS: Final = 0.05


def reports_of(
    work: Callable[[Callable[[_Report], None], threading.Event], _Result],
    cancelled: threading.Event,
) -> Generator[_Report, None, _Result]:
    """Run ``work(report, stop)`` on a thread of its own; yield its reports, return its result.

    Parameters
    ----------
    work : callable
        Calls ``report(value)`` as often as it likes, and gives up soon after ``stop`` is set.
    cancelled : threading.Event
        Sets ``stop``. So does closing this generator, which waits until the work has ended.

    Raises
    ------
    Exception
        What the work raised.
    """
    reports: queue.SimpleQueue[_Report] = queue.SimpleQueue()
    stop = threading.Event()
    with ThreadPoolExecutor(1, thread_name_prefix="napari-sa2va") as pool:
        future = pool.submit(work, reports.put, stop)
        try:
            # A wait without end would keep Ctrl+C from arriving on Windows.
            while not (future.done() and reports.empty()):
                if cancelled.is_set():
                    stop.set()
                try:
                    report = reports.get(timeout=_LOOK_UP_SECONDS)
                except queue.Empty:
                    continue
                yield report
        finally:
            stop.set()
        return future.result()
