"""The end of the dock's parts."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Closing:
    """Stops following the viewer, once. No method of the widget, which may be being destroyed."""

    def __init__(self, *parts: Callable[[], None]) -> None:
        self._parts = parts

    def __call__(self, *_: object) -> None:
        """End all parts; called again, do nothing."""
        parts, self._parts = self._parts, ()
        with ExitStack() as closing:  # one that fails keeps no other from closing
            for close in reversed(parts):
                closing.callback(close)
