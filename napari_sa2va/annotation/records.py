"""What is known about one object."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


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
        Mean probability inside the mask, 0 to 1; nan if unknown.
    iou : float
        SAM2's own estimate of the mask's IoU, 0 to 1; nan if unknown.
    area : float
        In `area_unit`.
    area_unit : str
        ``"pixel"``, or a squared length such as ``"µm²"``.
    model : str
        Name of the model.
    created : str
        Local time with its offset, ISO 8601, to the second.
    author : str
        ``"model"`` or ``"user"``.
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


def now() -> str:
    """Return the time for `ObjectRecord.created`."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def same_phrase(one: str, other: str) -> bool:
    """Whether two expressions ask for the same: case, spaces and a final full stop do not count."""
    return _plain(one) == _plain(other)


def _plain(phrase: str) -> str:
    return " ".join(phrase.casefold().split()).removesuffix(".").strip()
