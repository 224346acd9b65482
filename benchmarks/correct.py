"""How long a click on the canvas waits for its preview: ``python benchmarks/correct.py [THREADS]``.

Needs a screen. On the sample image, with the demo checkpoint and a real window, real mouse clicks
are sent to the canvas; printed are the median and the longest time from the click to the new
preview in its layer (aim: under 150 ms on two idle cores), and what of that the model takes, for
the first click on an object, further ones, and clicks taken back. Drawing comes on top: what
napari's canvas takes without a graphics card is printed, too, and so is how long the window does
not answer when corrections are turned on for the first time. The load of the machine is printed;
on a busy one all times are upper bounds. The processor time of all threads is the better figure
there, for the first click and for further ones: without other work a click cannot take longer.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

os.environ["NAPARI_CONFIG"] = str(Path(tempfile.mkdtemp()) / "settings.yaml")
os.environ["OMP_NUM_THREADS"] = sys.argv[1] if len(sys.argv) > 1 else "2"

import napari
import numpy as np
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS: Final = 12
# Rows and columns of cells in the sample.
CELLS: Final = ((28, 193), (75, 55), (105, 46), (125, 212), (120, 158))


def spin(until: Callable[[], bool], seconds: float = 120.0) -> None:
    """Let Qt work until something is so."""
    end = time.perf_counter() + seconds
    while not until() and time.perf_counter() < end:
        QApplication.processEvents()
        time.sleep(0.0005)


def say(what: str, times: list[float]) -> None:
    """Print the median and the longest of some times in seconds."""
    median, longest = np.median(times) * 1000, max(times) * 1000
    sys.stdout.write(f"{what:34} {median:6.0f} ms, longest {longest:6.0f} ms\n")


class Window:
    """The sample in a window, with corrections turned on."""

    def __init__(self) -> None:
        self.viewer = napari.Viewer()
        self.viewer.open_sample("napari-sa2va", "cells")
        _, self.dock = self.viewer.window.add_plugin_dock_widget("napari-sa2va", "Sa2VA")
        self.canvas = self.viewer.window._qt_viewer.canvas
        self.it: Any = self.dock.correct.correcting
        self.processor: list[float] = []
        spin(lambda: False, 3)

    def click(self, at: tuple[int, int], *, negative: bool = False) -> None:
        """Click on a pixel of the image with the mouse."""
        world = np.asarray(self.viewer.layers[0].data_to_world(at))
        camera, size = self.viewer.scene.camera, np.array(self.viewer.canvas.size)
        row, column = (world - np.array(camera.center)[-2:]) * camera.zoom + size / 2
        keys = Qt.KeyboardModifier
        key = keys.ShiftModifier if negative else keys.NoModifier
        place = QPoint(round(column), round(row))
        QTest.mouseClick(self.canvas.native, Qt.MouseButton.LeftButton, key, place)

    def timed(self, act: Callable[[], None]) -> float:
        """Return the seconds from an act to the answer to all marks in the preview's layer."""
        start, worked = time.perf_counter(), time.process_time()
        act()
        spin(lambda: self.it.state.candidates > 0)
        found = time.perf_counter() - start
        self.processor.append(time.process_time() - worked)
        spin(lambda: False, 0.3)  # it is drawn
        return found


def model_times(window: Window) -> list[float]:
    """Return how long the model alone takes for a first click."""
    model = window.dock._runner._model
    image = window.viewer.layers[0].data
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        model.refine(np.asarray(image), [CELLS[0]], [1])
        times.append(time.perf_counter() - start)
    return times


def main() -> None:
    """Print the figures."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    sys.stdout.write(
        f"{os.environ['OMP_NUM_THREADS']} threads, load before: {load} on {os.cpu_count()} cores\n"
    )
    window = Window()
    ticks = [time.perf_counter()]

    def ready() -> bool:
        ticks.append(time.perf_counter())
        return window.it.refining._job is None

    window.it.turn(True)
    spin(ready)
    say("turned on: window did not answer", list(np.diff(ticks)))
    say("turned on: ready", [ticks[-1] - ticks[0]])
    first, second, back = [], [], []
    for _ in range(ROUNDS // len(CELLS) + 1):
        for place, other in zip(CELLS, (*CELLS[1:], CELLS[0]), strict=True):
            first.append(window.timed(lambda place=place: window.click(place)))
            second.append(window.timed(lambda other=other: window.click(other, negative=True)))
            back.append(window.timed(window.it.undo_click))
            window.it.reject()
            spin(lambda: window.it.refining._job is None)
    say("first click", first)
    say("further click", second)
    say("click taken back", back)
    say("processor time of a first click", window.processor[0::3])
    say("processor time of a further click", window.processor[1::3])
    say("of the first click, the model", model_times(window))
    window.click(CELLS[0])
    spin(lambda: window.it.state.candidates > 0)
    drawing = []
    for _ in range(ROUNDS):
        spin(lambda: False, 0.1)
        start = time.perf_counter()
        window.it.next_candidate()
        window.canvas.native.repaint()
        QApplication.processEvents()
        drawing.append(time.perf_counter() - start)
    say("another candidate, drawn", drawing)
    window.viewer.close()


if __name__ == "__main__":
    main()
