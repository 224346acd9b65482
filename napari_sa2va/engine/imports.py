"""Imports and garbage collections beside a window that must go on answering."""

from __future__ import annotations

import gc
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOCK = threading.Lock()
_runs = 0


@contextmanager
def only_new_collected() -> Iterator[None]:
    """Leave what was there before out of garbage collections inside.

    A full collection looks at everything that napari and torch hold, and stops all threads for 0.3
    to 0.8 s. What is garbage among it is collected later: nothing stays frozen afterwards. Where
    somebody else has frozen objects, nothing is done.
    """
    global _runs
    with _LOCK:
        ours = _runs > 0 or not gc.get_freeze_count()
        if ours:
            _runs += 1
            gc.freeze()
    try:
        yield
    finally:
        with _LOCK:
            if ours:
                _runs -= 1
                if not _runs:
                    gc.unfreeze()


@contextmanager
def uncollected() -> Iterator[None]:
    """Import inside without cyclic garbage collections.

    What an import makes stays, yet its hundreds of thousands of objects set off one full
    collection after another: importing torch and transformers took 9 s with them and 6 s without,
    and each held all threads up for 0.2 to 0.4 s (Python 3.11, two cores of a Zen 3). What was
    made inside joins the oldest generation unlooked at, and is not counted as new.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        with _LOCK:
            if _runs:
                gc.freeze()  # until the run is over
            elif not gc.get_freeze_count():  # else somebody else's frozen objects would thaw
                gc.freeze()
                gc.unfreeze()
        gc.enable()
