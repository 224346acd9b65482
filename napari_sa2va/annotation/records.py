"""What is known about one object."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

STATUSES: Final = ("proposed", "accepted", "rejected", "flagged")
"""What a reviewer can say of an object; new ones are proposed."""


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
    status : str
        One of `STATUSES`, as the user set it.
    note : str
        The user's.
    locked : bool
        Its pixels are not to change.
    description : str
        The model's words when it was asked to describe the object.
    looked : str
        What the model looked at for that, where it was not the whole image.
    color : str
        ``"#rrggbb"`` if the user chose one.
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
    status: str = "proposed"
    note: str = ""
    locked: bool = False
    description: str = ""
    looked: str = ""
    color: str = ""

    @property
    def shown_status(self) -> str:
        """The status, ``"flagged"`` also where a tracking flagged frames and nobody decided."""
        return "flagged" if self.flagged and self.status == "proposed" else self.status


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
