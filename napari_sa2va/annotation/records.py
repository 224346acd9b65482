"""What is known about one object."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class ObjectRecord:
    """One label and where it comes from.

    What the model said (`phrase`, `answer`, `score`, `iou`) and what was measured on the pixels
    (`area`) are kept apart.

    Attributes
    ----------
    label : int
        Value of its pixels in the Labels layer, from 1.
    phrase : str
        The expression that the object answers to.
    answer : str
        The model's whole answer.
    score : float
        Mean probability inside the mask, 0 to 1; nan if unknown. In several planes their mean.
    iou : float
        SAM2's own estimate of the mask's IoU, 0 to 1; nan if unknown. In several planes their mean.
    area : float
        In `area_unit`; of an object in several planes the mean over the planes where it is.
    area_unit : str
        ``"pixel"``, or a squared length such as ``"µm²"``.
    model : str
        Name of the model.
    created : str
        Local time with its offset, ISO 8601, to the second.
    author : str
        ``"model"`` or ``"user"``.
    frames : int
        Number of planes where it has pixels.
    first_frame, last_frame : int or None
        The first and last of them along the stack's axis, from 0; None if there is no such axis.
    flagged : tuple of int
        Frames to look at: tracking may have lost the object there.
    """

    label: int
    phrase: str
    answer: str
    score: float
    iou: float
    area: float
    area_unit: str
    model: str
    created: str
    author: str = "model"
    frames: int = 1
    first_frame: int | None = None
    last_frame: int | None = None
    flagged: tuple[int, ...] = ()


def now() -> str:
    """Return the time for `ObjectRecord.created`."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def same_phrase(one: str, other: str) -> bool:
    """Whether two expressions ask for the same: case, spaces and a final full stop do not count."""
    return _plain(one) == _plain(other)


def _plain(phrase: str) -> str:
    return " ".join(phrase.casefold().split()).removesuffix(".").strip()


def frames_text(frames: Iterable[int]) -> str:
    """Write frame numbers shortly, neighbours as a range.

    Examples
    --------
    >>> frames_text([3, 4, 5, 9])
    '3-5, 9'
    """
    runs: list[list[int]] = []
    for frame in sorted(set(frames)):
        if runs and frame == runs[-1][1] + 1:
            runs[-1][1] = frame
        else:
            runs.append([frame, frame])
    return ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in runs)


def frames_in(text: str) -> tuple[int, ...]:
    """Read back what `frames_text` wrote."""
    frames: list[int] = []
    for run in filter(None, (part.strip() for part in text.split(","))):
        first, _, last = run.partition("-")
        frames.extend(range(int(first), int(last or first) + 1))
    return tuple(frames)
