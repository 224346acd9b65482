"""What a click on Run sends, and what becomes of it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from napari.layers import Image, Labels

    from napari_sa2va.engine import ModelChoice, Question
    from napari_sa2va.viewer import LookAt, PlaneSnapshot
    from napari_sa2va.viewer.run import LabelRun
    from napari_sa2va.widgets.messages import Message

NOTHING_TYPED: Final = {
    "segment": "Type what to segment, for example: the large red cell.",
    "ask": "Type a question, for example: What is in this image?",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """All that Run sends: what is looked at, by whom, what is asked, where results go.

    Attributes
    ----------
    text : str
        As typed.
    mode : str
        ``"segment"``: expressions, one a line; ``"ask"``: one question, word for word.
    images : tuple of Image
        Ticked layers.
    look_at : LookAt
        Which part of the plane.
    model : ModelChoice
        Which model, where.
    target : Labels or None
        Where results go; None for a layer that belongs to the image.
    replace : bool
        Whether masks take the pixels of labels that were there before.
    split : bool
        Whether each connected part becomes a label of its own.
    """

    text: str
    mode: Literal["segment", "ask"]
    images: tuple[Image, ...]
    look_at: LookAt
    model: ModelChoice
    target: Labels | None = None
    replace: bool = False
    split: bool = False

    @property
    def lines(self) -> list[str]:
        """What was typed, line by line, without blank ones."""
        return [line.strip() for line in self.text.splitlines() if line.strip()]


@dataclass(slots=True)
class ActiveRun:
    """A run that is under way.

    Attributes
    ----------
    labels : dict
        For each question, the labels of its masks in order.
    notes : list of Message
        To be told when the run is over.
    reason : str
        Why it was cancelled.
    """

    asked: Asked
    plane: PlaneSnapshot
    questions: tuple[Question, ...] = ()
    cancelled: threading.Event = field(default_factory=threading.Event)
    handled: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    result: LabelRun | None = None
    labels: dict[int, list[tuple[int, ...]]] = field(default_factory=dict)
    notes: list[Message] = field(default_factory=list)
    reason: str = ""
    worker: Any = None
