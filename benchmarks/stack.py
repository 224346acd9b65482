"""The window during a run through 200 planes: ``python benchmarks/stack.py``. Needs a screen.

A timer ticks every 5 ms while the demo checkpoint follows an expression through 200 planes of
256 by 256 pixels; printed are the time a plane takes, and the longest gaps between two ticks and
their 99th percentile (aims: none over 100 ms, 99 % under 50 ms). In the second run the slider
moves to another plane five times a second.
"""

from __future__ import annotations

import sys
import time

import dock as window
import napari
import numpy as np
from qtpy.QtCore import QTimer

from napari_sa2va.samples.scenes import HELD_OUT_SEED, make_clip, render

PLANES = 200


def main() -> None:
    """Print the figures."""
    clip = make_clip(HELD_OUT_SEED + 1, PLANES)
    stack = np.stack([render(scene, frame) for frame, scene in enumerate(clip)])
    viewer = napari.Viewer()
    viewer.add_image(stack, rgb=True, name="cells", axis_labels=("t", "y", "x"))
    _, dock = viewer.window.add_plugin_dock_widget("napari-sa2va", "Sa2VA")
    window.spin(lambda: False, window.LETTERS_DRAWN)

    def run(text: str) -> None:
        dock.ask.composer.setPlainText(text)
        dock.controller.ask(dock.asked(), again=True)
        window.spin(lambda: not dock.controller.busy, 600)
        window.spin(lambda: False, 0.5)

    run("the magenta cell")  # imports torch, makes the layers
    dock.stack.through.setCurrentIndex(1)
    dock.stack.through.activated.emit(1)
    scrubbing = QTimer()
    scrubbing.timeout.connect(
        lambda: viewer.dims.set_current_step(0, (viewer.dims.current_step[0] + 7) % PLANES)
    )
    for name, scrub in (("at rest", False), ("scrubbing", True)):
        if scrub:
            scrubbing.start(200)
        began = time.perf_counter()
        gaps = window.gaps_during(lambda: run("the magenta cell"))
        scrubbing.stop()
        each = (time.perf_counter() - began) / PLANES
        longest = ", ".join(f"{gap:.0f}" for gap in gaps[:5])
        percentile = float(np.percentile(gaps, 99))
        sys.stdout.write(
            f"{name:10} {each * 1000:.0f} ms a plane, longest gaps {longest} ms, "
            f"99 % under {percentile:.0f} ms of {len(gaps)}\n"
        )
    viewer.close()


if __name__ == "__main__":
    main()
