"""What corrections say to people: one message at a time, and what goes wrong."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_sa2va.errors import Sa2VAError
from napari_sa2va.widgets.messages import Message

if TYPE_CHECKING:
    from collections.abc import Iterator


class CorrectTelling:
    """Says things until it is closed: who listened may be gone then."""

    told = Signal(object)
    """A `Message`, or None when the last one no longer holds."""
    failed = Signal()
    """Something went wrong, which was said."""

    def __init__(self) -> None:
        self.closed = False
        self._said = False

    def say(self, text: str, level: Any, button: str = "", action: Any = None) -> None:
        """Show a message."""
        if self.closed:
            return
        self._said = True
        self.told.emit(Message(text, level, button, action))

    def settle(self) -> None:
        """Take the last message back: work goes on."""
        if self._said:
            self._said = False
            self.told.emit(None)

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Say what goes wrong inside."""
        try:
            yield
        except Sa2VAError as error:
            self.say(str(error), "warning")
            self.failed.emit()
