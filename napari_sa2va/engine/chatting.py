"""The next question of a conversation to a loaded model, as events."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_sa2va.annotation.mentions import regions_counted
from napari_sa2va.engine.answering import told
from napari_sa2va.engine.events import Looking, QuestionStarted
from napari_sa2va.engine.phrases import expression_in
from napari_sa2va.engine.regions import in_frame, in_words_for, view_of
from napari_sa2va.engine.request import Question
from napari_sa2va.errors import Cancelled, InvalidInput
from napari_sa2va.frames import read_frame, read_single_frame

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from napari_sa2va.engine.events import Event
    from napari_sa2va.engine.request import ChatRequest
    from napari_sa2va.model import Sa2VA


def chat(model: Sa2VA, request: ChatRequest, cancelled: threading.Event) -> Iterator[Event]:
    """Yield the events of a conversation's next question, from `Looking` on.

    Raises
    ------
    InvalidInput
        If a frame is not there, or a region cannot be pointed out.
    Cancelled
        If `cancelled` was set meanwhile.
    """
    yield Looking()
    frames = _frames(request, cancelled)
    yield QuestionStarted(0, 1, request.text)
    phrase = expression_in(request.text)
    if len(frames) == 1:
        yield from _about_image(model, frames[0], request, phrase, cancelled)
        return
    if request.regions:
        raise InvalidInput(
            "Regions can be pointed out in one plane, not in several. Ask about the plane in view."
        )
    parts = model.ask(
        frames or None,
        request.text,
        cancelled=cancelled,
        max_new_tokens=request.max_new_tokens,
        before=request.before,
    )
    yield from told(parts, 0, phrase)


def _frames(request: ChatRequest, cancelled: threading.Event) -> list[NDArray[np.uint8]]:
    count, frames = len(request.frames), []
    for index in request.looked_at:
        if cancelled.is_set():
            raise Cancelled("The run was cancelled.")
        if not 0 <= index < count:
            raise InvalidInput(
                f"There is no frame {index}: the image has {count}. Choose others to look at."
            )
        if count == 1:
            frames.append(read_single_frame(request.frames))
        else:
            frames.append(read_frame(request.frames, index))
    return frames


def _about_image(
    model: Sa2VA,
    image: NDArray[np.uint8],
    request: ChatRequest,
    phrase: str | None,
    cancelled: threading.Event,
) -> Iterator[Event]:
    takes = model.capabilities.regions
    view = view_of(
        image,
        Question(request.text, phrase, request.regions),
        takes_regions=takes,
        token_side=model.config.token_side,
        closer=not _began_without_regions(request),
    )
    count = len(request.regions)
    before = [
        replace(one, question=in_words_for(one.question, count, takes_regions=takes))
        for one in request.before
    ]
    size = (image.shape[0], image.shape[1])
    parts = model.ask(
        view.image,
        view.text,
        view.regions,
        cancelled,
        max_new_tokens=request.max_new_tokens,
        before=before,
    )
    yield from told(
        parts, 0, phrase, view.looked, lambda mask, logits: in_frame(view, size, mask, logits)
    )


def _began_without_regions(request: ChatRequest) -> bool:
    """Whether regions came up later: what was said before is of the whole image, not of a crop."""
    opening, *later = [*(one.question for one in request.before), request.text]
    return not regions_counted(opening) and any(map(regions_counted, later))
