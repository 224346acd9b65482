"""What can go wrong with a session's folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sa2va.errors import Sa2VAError

if TYPE_CHECKING:
    from napari_sa2va.annotation.session.load import SessionState


class CannotRecord(Sa2VAError):
    """The folder cannot be written at the moment: no space, no right, or the drive is gone."""


class SessionInUse(Sa2VAError):
    """Another napari writes this session."""


class SessionDamaged(Sa2VAError):
    """Something in the folder is not as it was written.

    Attributes
    ----------
    saved : SessionState or None
        What can be restored all the same; None for nothing.
    """

    def __init__(self, message: str, saved: SessionState | None = None) -> None:
        super().__init__(message)
        self.saved = saved
