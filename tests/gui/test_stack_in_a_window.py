"""Objects followed through a movie in a real window, with the demo checkpoint."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.layers import Labels
from qtpy.QtCore import Qt, QTimer

from napari_sa2va.engine import Runner
from napari_sa2va.samples import MOVIE_EXPRESSIONS, movie, movie_scenes
from napari_sa2va.samples.scenes import HELD_OUT_SEED, make_clip, render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The first run imports torch and transformers.
WAIT = 180_000
# Letters of captions are drawn ahead, one every 40 ms.
LETTERS_DRAWN = 4_000


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    """One runner for all tests here: the model is loaded once."""
    runner = Runner()
    yield runner
    runner.unload()


@pytest.fixture
def open_dock(make_napari_viewer: Any, runner: Runner, qtbot: Any) -> Iterator[Callable[..., Any]]:
    """Open a stack in a window, with the dock set to follow through its first axis."""
    from napari_sa2va.widgets import Sa2VAWidget

    docks = []

    def open_it(data: np.ndarray, **arguments: Any) -> Any:
        viewer = make_napari_viewer(show=True)
        viewer.add_image(data, **arguments)
        dock = Sa2VAWidget(viewer, runner)
        viewer.window.add_dock_widget(dock, name="Sa2VA")
        dock.stack.through.setCurrentIndex(1)
        dock.stack.through.activated.emit(1)
        docks.append(dock)
        return dock

    yield open_it
    for dock in docks:
        dock.controller.close()
    qtbot.waitUntil(lambda: not runner.busy, timeout=WAIT)


def run(dock: Any, qtbot: Any, text: str) -> Labels:
    dock.ask.composer.setPlainText(text)
    qtbot.mouseClick(dock.ask.run, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not dock.controller.busy, timeout=WAIT)
    (layer,) = (layer for layer in dock._viewer.layers if isinstance(layer, Labels))
    return layer


def test_the_sample_movie_is_followed(open_dock: Callable[..., Any], qtbot: Any) -> None:
    data, arguments, _ = movie()[0]
    dock = open_dock(data, **arguments)
    dock._viewer.dims.set_current_step(0, 24)
    dock.stack.first.setValue(18)
    dock.stack.last.setValue(29)
    labels = run(dock, qtbot, MOVIE_EXPRESSIONS[0])
    scenes = movie_scenes()
    (cell,) = (
        number
        for number, cell in enumerate(scenes[0].cells)
        if (cell.size, cell.color) == ("large", "green")
    )
    for plane in range(18, 30):
        truth, found = scenes[plane].masks()[cell], labels.data[plane] == 1
        assert (truth & found).sum() / (truth | found).sum() > 0.8
    assert not labels.data[:18].any()
    assert not labels.data[30:].any()
    np.testing.assert_allclose(labels.scale, dock._viewer.layers[0].scale)
    row = labels.features.iloc[1]
    assert (row["phrase"], row["frames"]) == (MOVIE_EXPRESSIONS[0], 12)
    assert (row["first_frame"], row["last_frame"]) == (18, 29)


def gaps_in_a_run(dock: Any, qtbot: Any) -> np.ndarray:
    """Milliseconds between ticks of a timer while an expression is followed."""
    ticks = [time.perf_counter()]
    timer = QTimer()
    timer.setInterval(5)
    timer.timeout.connect(lambda: ticks.append(time.perf_counter()))
    timer.start()
    assert dock.controller.ask(dock.asked(), again=True)
    qtbot.waitUntil(lambda: not dock.controller.busy, timeout=WAIT)
    timer.stop()
    return np.diff(ticks) * 1000


@pytest.mark.alone
@pytest.mark.parametrize("planes", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_the_window_answers_while_planes_come(
    open_dock: Callable[..., Any], qtbot: Any, planes: int
) -> None:
    clip = make_clip(HELD_OUT_SEED + 1, planes)
    stack = np.stack([render(scene, frame) for frame, scene in enumerate(clip)])
    dock = open_dock(stack, rgb=True)
    dock._viewer.dims.set_current_step(0, 0)
    dock.stack.last.setValue(1)
    run(dock, qtbot, "the magenta cell")  # imports torch, makes the layers
    qtbot.wait(LETTERS_DRAWN)
    dock.stack.last.setValue(planes - 1)
    measured = []
    # What other work on the machine delays is not ours, and does not come three times.
    for _ in range(3):
        gaps = gaps_in_a_run(dock, qtbot)
        measured.append((round(float(gaps.max())), round(float(np.percentile(gaps, 99)))))
        if gaps.max() <= 100 and np.percentile(gaps, 99) <= 50:
            return
    pytest.fail(f"longest gap and 99th percentile in ms: {measured}")
