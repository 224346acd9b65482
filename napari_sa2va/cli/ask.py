"""``napari-sa2va ask``: questions about an image file, answered on the terminal."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_sa2va.annotation.mentions import regions_counted
from napari_sa2va.cli.images import ImageOptions, open_plane
from napari_sa2va.cli.regions import read_regions
from napari_sa2va.cli.results import Results
from napari_sa2va.cli.segment import warn_of_cut_answers
from napari_sa2va.engine import (
    ChatRequest,
    Exchange,
    Question,
    QuestionDone,
    QuestionStarted,
    Request,
    RunDone,
    TextChunk,
    ask_question,
    shared_runner,
)
from napari_sa2va.engine.phrases import expression_in
from napari_sa2va.engine.region_questions import numbered_together, region_question

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from napari_sa2va.annotation.packed import PackedMask
    from napari_sa2va.cli.display import Display
    from napari_sa2va.engine import ModelChoice
    from napari_sa2va.frames import FrameSource


def ask_image(
    path: Path,
    question: str,
    regions: Path | None,
    model: ModelChoice,
    options: ImageOptions,
    display: Display,
    cancelled: threading.Event,
    follow_ups: Sequence[str] = (),
) -> Results:
    """Ask about one image; the answer appears on stdout as it comes.

    Parameters
    ----------
    path : Path
    question : str
        Not empty.
    regions : Path, optional
        A label image of what the questions name by ``@3``, or count as region1, region2, …
    follow_ups : sequence of str
        Asked after it, each with what was said before.

    Raises
    ------
    Sa2VAError
        Whatever fails.
    """
    frames = open_plane(path, options)
    masks = None if regions is None else read_regions(regions, frames.shape, options)
    display.image(path.name)
    if not follow_ups:
        questions = ask_question(question) if masks is None else region_question(question, masks)
        results = Results(path.name, frames.shape, questions)
        _run(Request(model, frames, questions), results, display, cancelled)
    else:
        results = _converse(
            path.name, model, frames, (question, *follow_ups), masks, display, cancelled
        )
    warn_of_cut_answers(path.name, results, display)
    if any(reply.labels for reply in results.replies):
        display.warn("The answer has masks: `napari-sa2va segment` writes them to files.")
    return results


def _converse(
    name: str,
    model: ModelChoice,
    frames: FrameSource,
    texts: Sequence[str],
    regions: Mapping[int, PackedMask] | None,
    display: Display,
    cancelled: threading.Event,
) -> Results:
    """Ask one question after the other, each with what was said before it.

    A region is shown from the question on that names it, as in the dock: before that the question
    may be about the whole image.
    """
    asked = tuple(ask_question(text)[0].text for text in texts)
    pointed: tuple[PackedMask, ...] = ()
    if regions is not None:
        asked, pointed = numbered_together(texts, regions)
    named = any(map(regions_counted, asked))  # else all of them are about all regions
    questions = tuple(Question(text, expression_in(text)) for text in asked)
    results = Results(name, frames.shape, questions)
    before: tuple[Exchange, ...] = ()
    for index, text in enumerate(asked):
        display.say(f"> {texts[index]}")
        # Numbers rise in the order of the questions: the regions named so far come first.
        shown = max(map(regions_counted, asked[: index + 1])) if named else len(pointed)
        request = ChatRequest(model, frames, (0,), text, before, pointed[:shown])
        answer = _run(request, results, display, cancelled, index)
        if answer is None:
            break
        before = (*before, Exchange(text, answer.raw))
    return results


def _run(
    request: Request | ChatRequest,
    results: Results,
    display: Display,
    cancelled: threading.Event,
    index: int = 0,
) -> QuestionDone | None:
    """Run one question; None when it was cancelled."""
    answer = None
    for event in shared_runner().run(request, cancelled):
        if isinstance(event, QuestionStarted):
            event = replace(event, index=index)
        elif isinstance(event, RunDone) and results.done is not None:
            event = replace(event, seconds=event.seconds + results.done.seconds)
        display.event(event)
        results.add(event)
        if isinstance(event, TextChunk):
            display.stop_bar()
            display.say(event.text, end="")
        elif isinstance(event, QuestionDone):
            answer = event
            display.say("")
            if event.looked:
                display.warn(f"The model looked at a {event.looked}.")
    return answer
