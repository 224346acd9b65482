"""A function that reports while it works, as a generator of its reports."""

from __future__ import annotations

import queue
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Generator

_Report = TypeVar("_Report")
_Result = TypeVar("_Result")

_LOOK_UP_SECONDS: Final = 0.05


def reports_of(
    work: Callable[[Callable[[_Report], None], Callable[[], bool]], _Result],
    cancelled: threading.Event,
) -> Generator[_Report, None, _Result]:
    """Run ``work(report, stopped)`` on a thread of its own; yield its reports, return its result.

    Parameters
    ----------
    work : callable
        Calls ``report(value)`` as often as it likes, and gives up soon after
        ``stopped()`` is true.
    cancelled : threading.Event
        Stops the work. So does closing this generator, which waits until the work has ended.

    Raises
    ------
    Exception
        What the work raised.
    """
    reports: queue.SimpleQueue[_Report] = queue.SimpleQueue()
    abandoned = False
    with ThreadPoolExecutor(1, thread_name_prefix="napari-sa2va") as pool:
        future = pool.submit(work, reports.put, lambda: abandoned or cancelled.is_set())
        try:
            # A wait without end would keep Ctrl+C from arriving on Windows.
            while not (future.done() and reports.empty()):
                try:
                    report = reports.get(timeout=_LOOK_UP_SECONDS)
                except queue.Empty:
                    continue
                yield report
        finally:
            abandoned = True
        return future.result()
