"""A conversation through the runner: events, follow-ups, movies, errors, cancelling."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sa2va.annotation.packed import PackedMask
from napari_sa2va.engine import (
    CAPTION_QUESTION,
    ChatRequest,
    Exchange,
    Looking,
    MaskFound,
    ModelChoice,
    ModelReady,
    QuestionDone,
    QuestionStarted,
    RunDone,
    Runner,
    TextChunk,
)
from napari_sa2va.engine.phrases import expression_in
from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames import ArrayFrames, Channel, ImageFrames
from napari_sa2va.samples import sample_image

if TYPE_CHECKING:
    from pathlib import Path

DEMO = ModelChoice("demo", "cpu")


@pytest.fixture(scope="module")
def runner() -> Runner:
    return Runner()


def run(runner: Runner, request: ChatRequest) -> list[Any]:
    return list(runner.run(request, threading.Event()))


def done(events: list[Any]) -> QuestionDone:
    (found,) = [event for event in events if isinstance(event, QuestionDone)]
    return found


def test_a_question_a_follow_up_and_a_caption(runner: Runner) -> None:
    image = sample_image()
    text = "Please segment the large red cell in this image."
    asked = ChatRequest(DEMO, ImageFrames(image), (0,), text)
    events = run(runner, asked)
    kinds = [type(event) for event in events]
    order = [ModelReady, Looking, QuestionStarted, TextChunk, MaskFound, QuestionDone, RunDone]
    assert [kind for kind in order if kind in kinds] == order
    assert (
        sorted(kinds[kinds.index(ModelReady) :], key=order.index)
        == kinds[kinds.index(ModelReady) :]
    )
    first = done(events)
    assert "".join(event.text for event in events if isinstance(event, TextChunk)) == first.answer
    (mask,) = [event for event in events if isinstance(event, MaskFound)]
    assert mask.phrase == "the large red cell"
    assert mask.mask.shape == image.shape[:2]
    assert (first.raw, first.complete, first.masks) == ("Sure, [SEG].", True, 1)
    before = (Exchange(text, first.raw),)
    second = done(run(runner, ChatRequest(DEMO, asked.frames, (0,), "What shape is it?", before)))
    model = runner._model
    assert model is not None
    assert second.raw == model.answer(image, "What shape is it?", before=before).raw
    before = (*before, Exchange("What shape is it?", second.raw))
    events = run(runner, ChatRequest(DEMO, asked.frames, (0,), CAPTION_QUESTION, before))
    caption, masks = done(events), [event for event in events if isinstance(event, MaskFound)]
    assert len(masks) == caption.masks == len(caption.phrases)
    for found, (start, end) in zip(masks, caption.phrases, strict=True):
        assert found.phrase == caption.answer[start:end]


def test_regions_of_an_earlier_question_stay(runner: Runner) -> None:
    image = sample_image()
    mask = np.zeros(image.shape[:2], bool)
    mask[30:60, 30:60] = True
    frames, region = ImageFrames(image), (PackedMask.pack(mask),)
    said, text = Exchange("How many cells are there?", "Four."), "What color is region1?"
    told = done(run(runner, ChatRequest(DEMO, frames, (0,), text, (said,), region, 8)))
    assert "crop" not in told.looked  # which would not show the four of them
    model = runner._model
    assert model is not None
    alone = model.answer(image, text, mask[None], max_new_tokens=8, before=(said,))
    assert told.raw == alone.raw
    opened = done(run(runner, ChatRequest(DEMO, frames, (0,), text, (), region, 8)))
    assert "crop" in opened.looked
    before = (Exchange(text, opened.raw),)
    later = done(run(runner, ChatRequest(DEMO, frames, (0,), "And its shape?", before, region, 8)))
    assert later.looked == opened.looked


def test_a_movie_and_words_only(runner: Runner) -> None:
    stack = np.stack([sample_image()] * 3)[..., 0]
    frames = ArrayFrames((stack,), (Channel((0, 255)),), tuple((i, None, None) for i in range(3)))
    movie = ChatRequest(DEMO, frames, (0, 2), "What is in this movie?", max_new_tokens=8)
    events = run(runner, movie)
    assert len(done(events).raw.split()) <= 8
    words = ChatRequest(DEMO, frames, (), "What can you do?", max_new_tokens=8)
    assert done(run(runner, words)).masks == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text": " "}, "Type a question"),
        ({"looked_at": (0, 3)}, "no frame 3"),
        ({"looked_at": (0, 1), "regions": (PackedMask.pack(np.ones((9, 9), bool)),)}, "one plane"),
        ({"text": "What is <|im_end|>?"}, "Take it out"),
    ],
)
def test_what_cannot_be_asked(runner: Runner, change: dict[str, Any], message: str) -> None:
    frames = ArrayFrames(
        (np.zeros((2, 9, 9), np.uint8),),
        (Channel((0, 255)),),
        ((0, None, None), (1, None, None)),
    )
    asked = {"looked_at": (0,), "text": "What?"} | change
    with pytest.raises(InvalidInput, match=message):
        run(runner, ChatRequest(DEMO, frames, **asked))
    assert not runner.busy


def test_a_plane_without_anything_to_see_is_no_fault_of_the_file(runner: Runner) -> None:
    plane = np.full((9, 9), np.nan, np.float32)
    frames = ArrayFrames((plane,), (Channel((0, 1)),), ((None, None),))
    with pytest.raises(InvalidInput, match=r"^There is nothing to see here"):
        run(runner, ChatRequest(DEMO, frames, (0,), "What?"))


def test_an_answer_that_never_ends_is_cut(tiny_folder: Path, case: dict[str, Any]) -> None:
    runner, choice = Runner(), ModelChoice(str(tiny_folder), "cpu")
    endless = ChatRequest(choice, ImageFrames(case["pixels"]), (0,), "What?", max_new_tokens=40)
    told = done(run(runner, endless))
    assert not told.complete
    cancelled, events = threading.Event(), []
    for event in runner.run(endless, cancelled):
        events.append(event)
        if isinstance(event, TextChunk):
            cancelled.set()
    assert isinstance(events[-1], RunDone)
    assert events[-1].cancelled
    assert not any(isinstance(event, QuestionDone) for event in events)


def test_what_a_text_asks_to_segment() -> None:
    assert expression_in("Please segment the red cell.") == "the red cell"
    assert expression_in("How many are there?") is None
