"""How long the window does not answer: ``python benchmarks/dock.py``. Needs a screen.

A timer ticks every 5 ms; printed are the longest gaps between two ticks: while nothing happens;
during the first run, which imports torch and transformers and makes the layers (aim: under 500 ms);
during a run of twelve questions after it (aim: under 100 ms); and while napari by itself adds an
empty Labels layer and a Points layer with a text, as a measure of the first run's.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

os.environ["NAPARI_CONFIG"] = str(Path(tempfile.mkdtemp()) / "settings.yaml")

import napari
import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

QUESTIONS = "\n".join(f"the {colour} cell" for colour in ("red", "green", "blue") * 4)
LETTERS_DRAWN = 5.0  # seconds until the letters of captions are drawn ahead


def gaps_during(wait: Any) -> list[float]:
    """Return the milliseconds between ticks while `wait` runs, longest first."""
    ticks = [time.perf_counter()]
    timer = QTimer()
    timer.setInterval(5)
    timer.timeout.connect(lambda: ticks.append(time.perf_counter()))
    timer.start()
    wait()
    timer.stop()
    pairs = pairwise(ticks)
    return sorted(((later - earlier) * 1000 for earlier, later in pairs), reverse=True)


def spin(until: Any, seconds: float) -> None:
    """Let Qt work until something is so."""
    end = time.monotonic() + seconds
    while not until() and time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.001)


def main() -> None:
    """Print the longest gaps."""
    viewer = napari.Viewer()
    viewer.open_sample("napari-sa2va", "cells")
    _, dock = viewer.window.add_plugin_dock_widget("napari-sa2va", "Sa2VA")
    spin(lambda: False, LETTERS_DRAWN)

    def run(text: str) -> None:
        dock.ask.composer.setPlainText(text)
        dock.controller.ask(dock.asked(), again=True)
        spin(lambda: not dock.controller.busy, 300)
        spin(lambda: False, 0.5)  # captions are drawn when the run is over

    def add_layers() -> None:
        geometry = {"scale": viewer.layers[0].scale, "units": viewer.layers[0].units}
        shape = viewer.layers[0].data.shape[:2]
        viewer.add_labels(np.zeros(shape, np.int32), **geometry)
        spin(lambda: False, 0.5)
        viewer.add_points([[9, 9]], text={"string": ["red"]}, **geometry)
        spin(lambda: False, 0.5)
        del viewer.layers[-2:]

    for name, what in (
        ("idle", lambda: spin(lambda: False, 3)),
        ("first import, layers", lambda: run("the red cell")),
        ("later run", lambda: run(QUESTIONS)),
        ("napari's own layers", add_layers),
    ):
        gaps = gaps_during(what)
        longest = ", ".join(f"{gap:.0f}" for gap in gaps[:5])
        sys.stdout.write(f"{name:20} longest gaps {longest} ms of {len(gaps)}\n")
    viewer.close()


if __name__ == "__main__":
    main()
