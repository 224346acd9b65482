"""A runner that answers at once, a viewer with an image, and the dock in it."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sa2va.annotation.packed import PackedMask
from napari_sa2va.engine import (
    ChatRequest,
    FrameDone,
    Looking,
    MaskFound,
    ModelLoading,
    ModelReady,
    QuestionDone,
    QuestionStarted,
    RunDone,
    TextChunk,
    TrackedObject,
    TrackRequest,
    TrackSaved,
    TrackStarted,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_sa2va.engine import Event, Request

COLOURS = {"red": 0, "green": 1, "blue": 2}


@dataclass(frozen=True)
class ColourState:
    """From where a tracking goes on: what the dock asks of a `TrackState`."""

    keys: tuple[int, ...]
    within: tuple[int, int]
    direction: str
    visited: tuple[int, ...]

    @property
    def left(self) -> int:
        return len(self.to_do())

    @property
    def total(self) -> int:
        return self.left + len(self.visited)

    def to_do(self) -> list[int]:
        """The frames to visit yet, in order."""
        start, stop = self.within
        forward = [*range(self.keys[0], stop)] if self.direction != "backward" else []
        backward = [*range(self.keys[0] - 1, start - 1, -1)] if self.direction != "forward" else []
        return [frame for frame in (*forward, *backward) if frame not in self.visited]


class ColourRunner:
    """In the place of the model: "red", "green" and "blue" name what has that colour.

    Everything else about it is real: the request, the events, their order, and that they come
    from a worker thread. It stops where `pause` is set until the test lets it go on.
    """

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.threads: set[int] = set()
        self.bytes_held = 0
        self.cache_bytes = 0
        self.complete = True
        self.answer = ""
        self.flagged: set[int] = set()
        self.error: Exception | None = None
        self.paused_at: Callable[[Event], bool] | None = None
        self.reached = threading.Event()
        self.go_on = threading.Event()
        self.finished = 0

    def unload(self) -> bool:
        self.bytes_held = 0
        return True

    def clear_cache(self) -> bool:
        return True

    def run(self, request: Request | TrackRequest, cancelled: threading.Event) -> Iterator[Event]:
        self.requests.append(request)
        self.threads.add(threading.get_ident())
        try:
            for event in self._events(request):
                if cancelled.is_set():
                    yield RunDone(0.0, True)
                    return
                yield event
                if self.paused_at is not None and self.paused_at(event):
                    self.reached.set()
                    while not (self.go_on.wait(0.01) or cancelled.is_set()):
                        pass
        finally:
            self.finished += 1

    def _events(self, request: Request) -> Iterator[Event]:
        yield ModelLoading("Loading demo", 0.5)
        self.bytes_held = 12_000_000
        yield ModelReady("demo", "cpu", "float32", self.bytes_held)
        yield Looking()
        if self.error is not None:
            raise self.error
        if isinstance(request, TrackRequest):
            yield from self._track(request)
            yield RunDone(0.1, False)
            return
        if isinstance(request, ChatRequest):
            yield from self._chat(request)
            yield RunDone(0.1, False)
            return
        image = request.frames[0]
        for index, question in enumerate(request.questions):
            yield QuestionStarted(index, len(request.questions), question.text)
            names = [name for name in COLOURS if name in question.text.split()]
            answer = "Sure, [SEG]." if names else "There is no such thing."
            for word in answer.split():
                yield TextChunk(index, word + " ")
            for name in names:
                yield self._mask(index, question.phrase or "", image, COLOURS[name])
            unknown = tuple(w for w in question.text.split() if w.startswith("zz"))
            spans = ((0, 0),) * len(names)
            yield QuestionDone(index, answer, spans, len(names), unknown, self.complete)
        yield RunDone(0.1, False)

    def _chat(self, request: ChatRequest) -> Iterator[Event]:
        """Say `answer`, or what there is; each `<p>` names a colour."""
        image = request.frames[request.looked_at[0]]
        yield QuestionStarted(0, 1, request.text)
        names = re.findall("|".join(COLOURS), self.answer or request.text)
        answer = self.answer or ("Sure, [SEG]." if names else "There is no such thing.")
        for word in re.findall(r"\S+\s*", answer):
            yield TextChunk(0, word)
        said = [phrase.strip() for phrase in re.findall("<p>(.*?)</p>", answer)]
        for at, name in enumerate(names[: answer.count("[SEG]")]):
            phrase = said[at] if at < len(said) else f"the {name} one"
            yield self._mask(0, phrase, image, COLOURS[name])
        count = answer.count("[SEG]")
        spans = ((0, 0),) * count
        yield QuestionDone(0, answer, spans, count, (), self.complete, raw=answer)

    def _track(self, request: TrackRequest) -> Iterator[Event]:
        """Ask all questions, then go through the planes of the range that are not done yet."""
        objects, channels = [], []
        for index, question in enumerate(request.questions):
            names = [name for name in COLOURS if name in question.text.split()]
            objects += [TrackedObject(index, question.phrase or "")] * len(names)
            channels += [COLOURS[name] for name in names]
            if request.resume is None:
                answer = "Sure, [SEG]." if names else "There is no such thing."
                yield QuestionStarted(index, len(request.questions), question.text)
                yield TextChunk(index, answer)
                yield QuestionDone(index, answer, ((0, 0),) * len(names), len(names))
        if not objects:
            return
        assert request.within is not None
        earlier: Any = request.resume
        visited = [] if earlier is None else [*earlier.visited]
        keys = request.keys or earlier.keys
        state = ColourState(keys, request.within, request.direction, tuple(visited))
        yield TrackStarted(tuple(objects), keys, len(visited), state.total)
        for index in state.to_do():
            found = [self._mask(0, "", request.frames[index], channel) for channel in channels]
            masks = tuple(PackedMask.pack(one.mask) for one in found)
            visited.append(index)
            each = (0.8,) * len(masks)
            flags = (("area",) if index in self.flagged else (),) * len(masks)
            counts = len(visited), state.total
            yield FrameDone(index, masks, each, each, each, flags, index in keys, *counts)
            yield TrackSaved(replace(state, visited=tuple(visited)))

    @staticmethod
    def _mask(index: int, phrase: str, image: np.ndarray, channel: int) -> MaskFound:
        others = np.delete(image, channel, axis=2).max(axis=2)
        logits = (image[..., channel].astype(np.float32) - others - 100) / 40
        side = max(image.shape[:2])
        rows = (np.arange(side) * image.shape[0] / side).astype(int)
        columns = (np.arange(side) * image.shape[1] / side).astype(int)
        small = logits[np.ix_(rows, columns)]
        return MaskFound(index, phrase, logits > 0, small, 0.9, 0.8)


def disks(side: int = 96) -> np.ndarray:
    """Two red disks, a green and a blue one on black; blurred borders."""
    rows, columns = np.mgrid[:side, :side]
    image = np.zeros((side, side, 3), np.uint8)
    for channel, row, column, radius in (
        (0, 0.25, 0.25, 0.14),
        (0, 0.75, 0.3, 0.1),
        (1, 0.3, 0.7, 0.12),
        (2, 0.72, 0.72, 0.16),
    ):
        distance = np.hypot(rows - row * side, columns - column * side)
        inside = np.clip((radius * side - distance) * 25 + 128, 0, 255)
        image[..., channel] = np.maximum(image[..., channel], inside.astype(np.uint8))
    return image


@pytest.fixture
def runner() -> Iterator[ColourRunner]:
    runner = ColourRunner()
    yield runner
    runner.go_on.set()


@pytest.fixture
def make_picture() -> Callable[[], np.ndarray]:
    return disks


@pytest.fixture
def picture() -> np.ndarray:
    return disks()


@pytest.fixture
def dock(make_napari_viewer: Any, runner: ColourRunner, picture: np.ndarray, qtbot: Any) -> Any:
    """The dock in a window with one RGB image."""
    from napari_sa2va.widgets import Sa2VAWidget

    viewer = make_napari_viewer()
    viewer.add_image(picture, name="disks")
    widget = Sa2VAWidget(viewer, runner)
    viewer.window.add_dock_widget(widget, name="Sa2VA")
    yield widget
    runner.go_on.set()
    widget.controller.close()
    qtbot.waitUntil(lambda: not widget.controller.busy, timeout=5000)


@pytest.fixture
def run(dock: Any, qtbot: Any) -> Callable[..., None]:
    """Type, click Run, and wait until it is over."""
    from qtpy.QtCore import Qt

    def run(text: str, wait: bool = True) -> None:
        dock.ask.composer.setPlainText(text)
        qtbot.mouseClick(dock.ask.run, Qt.MouseButton.LeftButton)
        if wait:
            # The first run imports torch and transformers, which can take long on a busy machine.
            qtbot.waitUntil(lambda: not dock.controller.busy, timeout=90_000)

    return run
