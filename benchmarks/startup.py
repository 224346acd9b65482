"""How long the package keeps a user waiting: ``python benchmarks/startup.py``.

Prints the median of a few fresh processes each: importing the package (aim: under 0.2 s), and
opening the dock in a running napari (aim: under 0.5 s). Needs a screen for the dock.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

_RUNS = 5

_IMPORT = """
import time
start = time.perf_counter()
import napari_sa2va
print(time.perf_counter() - start)
"""

_DOCK = """
import os, tempfile, time
os.environ["NAPARI_CONFIG"] = os.path.join(tempfile.mkdtemp(), "settings.yaml")
import napari
from qtpy.QtWidgets import QApplication
viewer = napari.Viewer()
viewer.open_sample("napari-sa2va", "cells")
for _ in range(20):
    QApplication.processEvents()
start = time.perf_counter()
viewer.window.add_plugin_dock_widget("napari-sa2va", "Sa2VA")
QApplication.processEvents()
print(time.perf_counter() - start)
viewer.close()
"""


def median_seconds(script: str) -> float:
    """Run a script that prints seconds in fresh processes; the median."""
    outputs = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        for _ in range(_RUNS)
    ]
    return statistics.median(float(out.stdout.split()[-1]) for out in outputs)


if __name__ == "__main__":
    sys.stdout.write(f"import napari_sa2va   {median_seconds(_IMPORT):.3f} s\n")
    sys.stdout.write(f"open the dock         {median_seconds(_DOCK):.3f} s\n")
