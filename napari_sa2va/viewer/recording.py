"""How it stands with the recording of a layer, and what its faults must not touch."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar

from napari_sa2va.annotation.session import CannotRecord
from napari_sa2va.annotation.session.earlier import earlier_session
from napari_sa2va.viewer.session_info import about_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from napari.layers import Image, Labels

    from napari_sa2va.annotation.session import About, Session

_LOG: Final = logging.getLogger(__name__)
_LOGGED: Final[set[str]] = set()
T = TypeVar("T")

State: TypeAlias = Literal["waiting", "saved", "behind"]


@dataclass(frozen=True, slots=True)
class Recording:
    """How it stands with the recording of a layer.

    Attributes
    ----------
    state : "waiting", "saved" or "behind"
        Nothing happened yet; all that happened is on the disk; the disk refuses.
    path : Path or None
        The session's folder.
    when : float
        Time of the last entry, seconds since the epoch; 0 for none.
    reason : str
        Why it is behind.
    """

    state: State = "waiting"
    path: Path | None = None
    when: float = 0.0
    reason: str = ""


def why_behind(error: Exception) -> str:
    """Return what to tell of an error that stopped recording; log one that nobody expected."""
    if isinstance(error, CannotRecord | OSError):
        return str(error)
    _log_once("Recording stopped", error)
    return (
        f"Recording stopped because of a fault in the plugin ({type(error).__name__}: {error}). "
        "You can go on working: all is written down as soon as recording works again. Please "
        "report this; what napari printed has the details."
    )


def emit(signal: Any, *arguments: Any) -> None:
    """Emit a signal; a listener that fails is logged, and stops neither recording nor the action.

    Parameters
    ----------
    signal : psygnal.SignalInstance
    *arguments
        Of the signal.
    """
    try:
        signal.emit(*arguments)
    except Exception as error:
        _log_once("A listener of a recording failed", error)


def answer_or(ask: Callable[[], T], otherwise: T) -> T:
    """Ask somebody who may be gone, a dock for instance; a fault is logged."""
    try:
        return ask()
    except Exception as error:
        _log_once("What a session should know of its layers could not be had", error)
        return otherwise


def about_now(
    viewer: Any, labels: Labels, images: Callable[[], Sequence[Image]], session: Session | None
) -> About:
    """Take down a layer and its images; those of the session where they were deleted."""
    about = about_of(viewer, labels, answer_or(images, ()))
    if session is None:
        return about
    if not about.images:
        return type(about)(session.about.images, about.labels)
    return type(about)(tuple(image.seen_from(session.path) for image in about.images), about.labels)


def of_earlier(session: Session, folder: Path | None) -> str:
    """Return what to tell when a session is begun: that there is an earlier one; or nothing."""
    earlier = earlier_session(session.about, session.path, folder)
    if earlier is None:
        return ""
    return (
        f"There is earlier work on this image in {earlier.name}: to bring it back, choose it under "
        "Restore…, or open that folder in napari."
    )


def _log_once(what: str, error: Exception) -> None:
    """Log an error with its traceback, but not again every second."""
    said = f"{what}: {error!r}"
    if said not in _LOGGED:
        _LOGGED.add(said)
        _LOG.error(what, exc_info=error)
