"""Importing large libraries beside a window that must go on answering."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


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
        if not gc.get_freeze_count():  # else somebody else's frozen objects would thaw
            gc.freeze()
            gc.unfreeze()
        gc.enable()
