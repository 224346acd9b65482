"""One question to a loaded model, as events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sa2va.engine.events import MaskFound, QuestionDone, TextChunk
from napari_sa2va.engine.phrases import name_of
from napari_sa2va.engine.regions import in_frame, view_of
from napari_sa2va.model.results import SegmentPart, TextPart

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from napari_sa2va.engine.events import Event
    from napari_sa2va.engine.request import Question
    from napari_sa2va.model import Part, Sa2VA

    Placed = Callable[
        [NDArray[np.bool_], NDArray[np.float32]], tuple[NDArray[np.bool_], NDArray[np.float32]]
    ]


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
    parts = model.ask(view.image, view.text, view.regions, cancelled)
    yield from told(
        parts,
        index,
        question.phrase,
        view.looked,
        lambda mask, logits: in_frame(view, size, mask, logits),
    )


def told(
    parts: Iterable[Part],
    index: int,
    phrase: str | None,
    looked: str = "",
    placed: Placed | None = None,
) -> Iterator[Event]:
    """Yield the events of an answer.

    Parameters
    ----------
    parts : iterable of Part
        From `Sa2VA.ask`.
    index : int
        Of the question.
    phrase : str, optional
        The user's expression, which names masks that the model gives no name.
    looked : str
        Goes into `QuestionDone`.
    placed : callable, optional
        Brings a mask and its logits to the frame; left out, they are the frame's.
    """
    for part in parts:
        if isinstance(part, TextPart):
            yield TextChunk(index, part.text)
        elif isinstance(part, SegmentPart):
            segment = part.segment
            mask, logits = segment.mask, segment.logits
            if placed is not None:
                mask, logits = placed(mask, logits)
            yield MaskFound(
                index,
                name_of(segment.phrase, phrase),
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
                looked,
                part.raw,
            )
