"""How long the window does not answer: ``python benchmarks/dock.py``. Needs a screen.

A timer ticks every 5 ms; printed are the longest gaps between two ticks, while nothing happens,
during the first run (which imports torch, loads the demo model and makes the layers), and during
a run of twelve questions after it (aim: under 100 ms).
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
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

QUESTIONS = "\n".join(f"the {colour} cell" for colour in ("red", "green", "blue") * 4)


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
    spin(lambda: False, 1)

    def run(text: str) -> list[float]:
        dock.ask.composer.setPlainText(text)

        def ask() -> None:
            dock.controller.ask(dock.asked(), again=True)
            spin(lambda: not dock.controller.busy, 300)

        return gaps_during(ask)

    for name, gaps in (
        ("idle", gaps_during(lambda: spin(lambda: False, 3))),
        ("first run", run("the red cell")),
        ("later run", run(QUESTIONS)),
    ):
        longest = ", ".join(f"{gap:.0f}" for gap in gaps[:5])
        sys.stdout.write(f"{name:10} longest gaps {longest} ms of {len(gaps)}\n")
    viewer.close()


if __name__ == "__main__":
    main()
