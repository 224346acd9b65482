"""How it stands with the recording of a layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from pathlib import Path

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
