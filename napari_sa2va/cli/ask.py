"""``napari-sa2va ask``: a question about an image file, answered on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sa2va.cli.images import ImageOptions, open_plane
from napari_sa2va.cli.regions import read_regions
from napari_sa2va.cli.results import Results
from napari_sa2va.cli.segment import warn_of_cut_answers
from napari_sa2va.engine import (
    ModelChoice,
    QuestionDone,
    Request,
    TextChunk,
    ask_question,
    shared_runner,
)
from napari_sa2va.engine.region_questions import region_question

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from napari_sa2va.cli.display import Display


def ask_image(
    path: Path,
    question: str,
    regions: Path | None,
    model: ModelChoice,
    options: ImageOptions,
    display: Display,
    cancelled: threading.Event,
) -> Results:
    """Ask about one image; the answer appears on stdout as it comes.

    Parameters
    ----------
    path : Path
    question : str
        Not empty.
    regions : Path, optional
        A label image of what the question names by ``@3``, or counts as region1, region2, …

    Raises
    ------
    Sa2VAError
        Whatever fails.
    """
    frames = open_plane(path, options)
    questions = ask_question(question)
    if regions is not None:
        questions = region_question(question, read_regions(regions, frames.shape, options))
    display.image(path.name)
    results = Results(path.name, frames.shape, questions)
    for event in shared_runner().run(Request(model, frames, questions), cancelled):
        display.event(event)
        results.add(event)
        if isinstance(event, TextChunk):
            display.stop_bar()
            display.say(event.text, end="")
        elif isinstance(event, QuestionDone):
            display.say("")
            if event.looked:
                display.warn(f"The model looked at a {event.looked}.")
    warn_of_cut_answers(path.name, results, display)
    if any(reply.labels for reply in results.replies):
        display.warn("The answer has masks: `napari-sa2va segment` writes them to files.")
    return results
