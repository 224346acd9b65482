from __future__ import annotations

import gc
import hashlib
import threading
import weakref
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sa2va.engine import (
    Looking,
    MaskFound,
    ModelLoading,
    ModelReady,
    Question,
    QuestionDone,
    QuestionStarted,
    RunDone,
    Runner,
    TextChunk,
    shared_runner,
)
from napari_sa2va.errors import (
    CheckpointError,
    EngineError,
    InvalidInput,
    NotEnoughMemory,
    Sa2VAError,
)
from napari_sa2va.frames import ArrayFrames, Channel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_sa2va.engine import Event, Request
    from napari_sa2va.model import Sa2VA

    MakeRequest = Callable[..., Request]


@pytest.fixture(scope="module")
def loaded_once() -> Runner:
    """One runner for the tests that may share a model."""
    return Runner()


def run(runner: Runner, request: Request, cancelled: threading.Event | None = None) -> list[Event]:
    return list(runner.run(request, cancelled or threading.Event()))


def kinds(events: list[Event]) -> list[type]:
    """Types in order, repetitions of one type as one."""
    types = [type(event) for event in events]
    return [kind for number, kind in enumerate(types) if number == 0 or types[number - 1] != kind]


def test_events_come_in_order_and_hold_the_whole_answer(
    loaded_once: Runner, make_request: MakeRequest, case: dict[str, Any]
) -> None:
    request = make_request(Question(case["text"], "the cell"), Question(case["text"]))
    events = run(loaded_once, request)
    one = [QuestionStarted, TextChunk, MaskFound, QuestionDone]
    assert kinds(events) == [ModelLoading, ModelReady, Looking, *one, *one, RunDone]

    fractions = [event.fraction for event in events if isinstance(event, ModelLoading)]
    assert fractions[0] is None
    assert fractions[-1] == 1.0
    for index, name in enumerate(["the cell", ""]):
        done = next(e for e in events if isinstance(e, QuestionDone) and e.index == index)
        masks = [e for e in events if isinstance(e, MaskFound) and e.index == index]
        text = "".join(e.text for e in events if isinstance(e, TextChunk) and e.index == index)
        assert text == done.answer
        assert not done.complete  # a random model does not stop at 16 tokens
        assert len(masks) == done.masks == len(done.phrases) == case["segments"]
        for mask in masks:
            assert mask.mask.shape == case["pixels"].shape[:2]
            assert mask.mask.dtype == bool
            assert mask.logits.dtype == np.float32
            assert mask.phrase == name  # the model gives none, so the user's expression
    assert isinstance(events[-1], RunDone)
    assert not events[-1].cancelled
    assert events[-1].seconds > 0


def test_a_model_is_loaded_once_and_says_what_it_holds(
    loaded_once: Runner, make_request: MakeRequest
) -> None:
    request = make_request()
    run(loaded_once, request)
    events = run(loaded_once, request)
    assert not any(isinstance(event, ModelLoading) for event in events)
    ready = next(event for event in events if isinstance(event, ModelReady))
    assert (ready.name, ready.device, ready.dtype) == ("tiny", "cpu", "float32")
    weights = Path(request.model.name) / "model.safetensors"
    assert ready.weights == f"sha256:{hashlib.sha256(weights.read_bytes()).hexdigest()}"
    assert ready.revision == ""
    assert loaded_once.loaded == request.model
    held = loaded_once.bytes_held
    assert held >= ready.bytes_held > 1_000_000
    loaded_once.clear_cache()
    assert 0 < loaded_once.bytes_held < held


def test_the_cache_can_be_limited_before_and_after_loading(
    tiny_model: Sa2VA, make_request: MakeRequest
) -> None:
    tiny_model.clear_cache()
    runner = Runner(lambda *_: tiny_model)
    runner.cache_bytes = 0
    run(runner, make_request())
    without = runner.bytes_held
    runner.cache_bytes = 1 << 30
    run(runner, make_request())
    assert runner.bytes_held > without
    runner.cache_bytes = 0
    assert runner.bytes_held == without
    runner.cache_bytes = 1 << 30  # others use this model, too


def test_another_choice_replaces_the_model(make_request: MakeRequest) -> None:
    runner = Runner()
    run(runner, make_request())
    held = runner.bytes_held
    other = make_request(dtype="bfloat16")
    events = run(runner, other)
    assert ModelLoading in kinds(events)
    assert runner.loaded == other.model
    assert runner.bytes_held < held


# --- cancelling


@pytest.mark.parametrize("stop_at", [ModelLoading, ModelReady, Looking, TextChunk, MaskFound])
def test_a_cancelled_run_ends_without_an_error(
    loaded_once: Runner, make_request: MakeRequest, stop_at: type
) -> None:
    runner = Runner() if stop_at is ModelLoading else loaded_once
    cancelled = threading.Event()
    request = make_request(*[Question("Please segment it.", "it")] * 3)
    seen: list[Event] = []
    for event in runner.run(request, cancelled):
        seen.append(event)
        if isinstance(event, stop_at):
            cancelled.set()
    assert isinstance(seen[-1], RunDone)
    assert seen[-1].cancelled
    assert not any(isinstance(event, QuestionDone) for event in seen)
    assert not runner.busy
    if stop_at is ModelLoading:
        assert runner.loaded is None
        assert ModelReady not in kinds(seen)


def test_cancelling_after_the_last_answer_changes_nothing(
    loaded_once: Runner, make_request: MakeRequest
) -> None:
    cancelled = threading.Event()
    events = []
    for event in loaded_once.run(make_request(), cancelled):
        events.append(event)
        if isinstance(event, QuestionDone):
            cancelled.set()
    assert events[-1] == RunDone(events[-1].seconds, cancelled=False)


@pytest.mark.parametrize("stop_at", [ModelLoading, Looking, TextChunk])
def test_a_run_that_nobody_listens_to_any_more_leaves_the_runner_free(
    loaded_once: Runner, make_request: MakeRequest, stop_at: type
) -> None:
    runner = Runner() if stop_at is ModelLoading else loaded_once
    with closing(runner.run(make_request(), threading.Event())) as events:
        next(event for event in events if isinstance(event, stop_at))
        assert runner.busy
    assert not runner.busy


# --- taking turns


def test_a_second_request_waits_for_the_first(
    loaded_once: Runner, make_request: MakeRequest
) -> None:
    first = loaded_once.run(make_request(), threading.Event())
    next(event for event in first if isinstance(event, Looking))
    second = loaded_once.run(make_request(), threading.Event())
    waiting = next(second)
    assert isinstance(waiting, ModelLoading)
    assert "Waiting" in waiting.message

    rest: list[Event] = []
    thread = threading.Thread(target=lambda: rest.extend(second))
    thread.start()
    assert isinstance(list(first)[-1], RunDone)
    thread.join(30)
    assert kinds(rest)[0] is ModelReady
    assert isinstance(rest[-1], RunDone)


def test_a_waiting_request_can_be_cancelled(loaded_once: Runner, make_request: MakeRequest) -> None:
    with closing(loaded_once.run(make_request(), threading.Event())) as first:
        next(event for event in first if isinstance(event, Looking))
        cancelled = threading.Event()
        second = loaded_once.run(make_request(), cancelled)
        next(second)
        cancelled.set()
        assert next(second) == RunDone(pytest.approx(0, abs=5), cancelled=True)
        assert loaded_once.busy


def test_unloading_in_mid_run_happens_afterwards(
    tiny_model: Sa2VA, make_request: MakeRequest
) -> None:
    runner = Runner(lambda *_: tiny_model)
    events = runner.run(make_request(), threading.Event())
    next(event for event in events if isinstance(event, Looking))
    assert not runner.unload()
    assert QuestionDone in kinds(list(events))
    assert runner.loaded is None
    assert runner.bytes_held == 0

    run(runner, make_request())
    assert runner.bytes_held > 0
    assert runner.unload()
    assert runner.bytes_held == 0


@pytest.mark.parametrize("cancels", [False, True])
def test_unloading_in_mid_run_gives_the_memory_back(
    make_request: MakeRequest, monkeypatch: pytest.MonkeyPatch, cancels: bool
) -> None:
    runner, gone = Runner(), list[bool]()
    cancelled = threading.Event()
    events = runner.run(make_request(), cancelled)
    next(event for event in events if isinstance(event, Looking))
    assert runner._model is not None
    network = weakref.ref(runner._model.network)

    def release() -> None:
        gc.collect()
        gone.append(network() is None)  # torch gives back only what nobody holds

    monkeypatch.setattr("napari_sa2va.engine.runner.release_unused_memory", release)
    assert not runner.unload()
    if cancels:
        cancelled.set()
    done = list(events)[-1]
    assert isinstance(done, RunDone)
    assert done.cancelled == cancels
    assert gone == [True]


# --- failing


class Failing:
    """Stands for a loaded model at whose next question something goes wrong."""

    def __init__(self, model: Any, error: Exception) -> None:
        self._model, self._error = model, error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def ask(self, *_: Any) -> Iterator[Any]:
        raise self._error
        yield


@pytest.mark.parametrize(
    ("error", "raised", "words"),
    [
        (RuntimeError("CUDA out of memory. Tried"), NotEnoughMemory, "smaller"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), NotEnoughMemory, "smaller"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"), NotEnoughMemory, "smaller"),
        (MemoryError(), NotEnoughMemory, "smaller"),
        (RuntimeError("shapes do not match"), EngineError, "shapes do not match"),
        (KeyError("odd"), EngineError, "odd"),
        (InvalidInput("Regions need an image."), InvalidInput, "Regions need"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_whatever_fails_is_said_in_a_sentence(
    tiny_model: Sa2VA,
    make_request: MakeRequest,
    error: Exception,
    raised: type[Sa2VAError],
    words: str,
) -> None:
    # No memory can be made to run out in a test: the loaded model is told to fail.
    runner = Runner(lambda *_: Failing(tiny_model, error))
    with pytest.raises(raised, match=words) as caught:
        run(runner, make_request())
    assert not isinstance(caught.value, RuntimeError)
    assert not runner.busy
    if raised is NotEnoughMemory:  # nothing holds on to what the failed step had computed
        assert caught.value.__context__ is None
        assert caught.value.__cause__ is None


def test_a_folder_that_is_no_checkpoint(make_request: MakeRequest, tmp_path: Any) -> None:
    runner = Runner()
    with pytest.raises(CheckpointError, match=r"config\.json"):
        run(runner, make_request(name=str(tmp_path)))
    assert runner.loaded is None
    assert not runner.busy


def test_a_device_that_is_not_there(make_request: MakeRequest) -> None:
    with pytest.raises(InvalidInput, match="no device"):
        run(Runner(), make_request(device="cuda:99"))


def test_nothing_asked(make_request: MakeRequest) -> None:
    request = make_request()
    with pytest.raises(InvalidInput, match="no question"):
        run(Runner(), type(request)(request.model, request.frames, ()))


class Unreadable:
    """An array on a disk that is gone."""

    shape = (64, 64)
    dtype = np.dtype(np.uint8)
    ndim = 2
    size = 64 * 64

    def __getitem__(self, index: Any) -> Any:
        raise OSError("the share is gone")


def test_an_image_that_cannot_be_read(loaded_once: Runner, make_request: MakeRequest) -> None:
    request = make_request()
    frames = ArrayFrames((Unreadable(),), (Channel((0, 255)),), ((None, None),))
    with pytest.raises(InvalidInput, match="the share is gone"):
        run(loaded_once, type(request)(request.model, frames, request.questions))


def test_a_stack_is_refused_rather_than_cut(loaded_once: Runner, make_request: MakeRequest) -> None:
    request = make_request()
    stack = np.zeros((2, 64, 64), np.uint8)
    frames = ArrayFrames((stack,), (Channel((0, 255)),), ((0, None, None), (1, None, None)))
    with pytest.raises(InvalidInput, match="2 frames"):
        run(loaded_once, type(request)(request.model, frames, request.questions))


def test_everybody_gets_the_same_runner() -> None:
    assert shared_runner() is shared_runner()
