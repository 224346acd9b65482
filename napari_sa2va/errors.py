"""Errors that reach a user: each says in one sentence what happened and what to do."""

from __future__ import annotations


class Sa2VAError(Exception):
    """Base of every error this package raises on purpose.

    Not a ``RuntimeError``: superqt's generator workers swallow those (they stand for "the Qt object
    is gone" there), and the Run button would hang.
    """


class CheckpointError(Sa2VAError):
    """A checkpoint is missing, damaged, or of a kind this package does not know."""


class NotEnoughMemory(Sa2VAError):
    """The model, or this run, does not fit into the memory of the device."""


class InvalidInput(Sa2VAError):
    """The image, the expression or an option cannot be used as given."""


class UnreadablePlane(InvalidInput):
    """A plane of a stack could not be read; those before it could.

    Attributes
    ----------
    index : int
        Its position in the stack, from 0.
    """

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(
            f"Plane {index} could not be read: {reason.rstrip('. ')}. Check the file or the drive "
            "it is on, or choose a range without this plane."
        )
        self.index = index


class Cancelled(Sa2VAError):
    """The user cancelled; what was finished before stays."""


class EngineError(Sa2VAError):
    """The model failed while running; wraps what torch said."""
