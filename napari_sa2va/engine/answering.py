"""One question to a loaded model, as events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sa2va.engine.events import MaskFound, QuestionDone, TextChunk
from napari_sa2va.model.results import SegmentPart, TextPart

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_sa2va.engine.events import Event
    from napari_sa2va.engine.request import Question
    from napari_sa2va.model import Sa2VA


def ask(
    model: Sa2VA,
    image: NDArray[np.uint8],
    question: Question,
    index: int,
    cancelled: threading.Event,
) -> Iterator[Event]:
    """Yield the events of question `index`, after its `QuestionStarted`.

    Parameters
    ----------
    model : Sa2VA
    image : ndarray of uint8, shape (height, width, 3)
    question : Question
    index : int
        Goes into the events.
    cancelled : threading.Event

    Raises
    ------
    Cancelled
        If `cancelled` was set meanwhile.
    """
    regions = np.stack([mask.unpack() for mask in question.regions]) if question.regions else None
    for part in model.ask(image, question.text, regions, cancelled):
        if isinstance(part, TextPart):
            yield TextChunk(index, part.text)
        elif isinstance(part, SegmentPart):
            segment = part.segment
            yield MaskFound(
                index,
                segment.phrase or question.phrase or "",
                segment.mask,
                segment.logits,
                segment.iou,
                segment.mean_probability,
            )
        else:
            yield QuestionDone(
                index,
                part.text,
                tuple(segment.span or (0, 0) for segment in part.segments),
                len(part.segments),
                part.unknown_words,
                part.complete,
            )
