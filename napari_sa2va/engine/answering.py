"""One question to a loaded model, as events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sa2va.engine.events import MaskFound, QuestionDone, TextChunk
from napari_sa2va.engine.regions import in_frame, view_of
from napari_sa2va.model.results import SegmentPart, TextPart

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    import numpy as np
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
    InvalidInput
        If a region cannot be pointed out.
    Cancelled
        If `cancelled` was set meanwhile.
    """
    view = view_of(
        image,
        question,
        takes_regions=model.capabilities.regions,
        token_side=model.config.token_side,
    )
    size = (image.shape[0], image.shape[1])
    for part in model.ask(view.image, view.text, view.regions, cancelled):
        if isinstance(part, TextPart):
            yield TextChunk(index, part.text)
        elif isinstance(part, SegmentPart):
            segment = part.segment
            mask, logits = in_frame(view, size, segment.mask, segment.logits)
            yield MaskFound(
                index,
                segment.phrase or question.phrase or "",
                mask,
                logits,
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
                view.looked,
            )
