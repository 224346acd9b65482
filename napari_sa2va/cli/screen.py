"""Whether napari could open a window here."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from typing import Final

from napari_sa2va.zoo.problems import BINDINGS

_SECONDS: Final = 60
_WITHOUT_WINDOWS: Final = ("offscreen", "minimal")
# Without a display, or a library that it needs, Qt does not raise: it aborts the process. So this
# runs in another one.
_PROBE: Final = """
from qtpy.QtGui import QOffscreenSurface, QOpenGLContext
from qtpy.QtWidgets import QApplication
application = QApplication([])
context, surface = QOpenGLContext(), QOffscreenSurface()
surface.create()
raise SystemExit(0 if context.create() and context.makeCurrent(surface) else 3)
"""


def why_no_window() -> str | None:
    """Return None when a window can be opened, else the reason in half a sentence."""
    if not any(find_spec(binding) for binding in BINDINGS):
        return "no Qt is installed (python -m pip install 'napari-sa2va[all]')"
    platform = os.environ.get("QT_QPA_PLATFORM", "")
    if platform.split(":")[0] in _WITHOUT_WINDOWS:
        return f"QT_QPA_PLATFORM={platform} shows no windows"
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return "there is no display"
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE], capture_output=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return "the display does not answer"
    if done.returncode == 0:
        return None
    if done.returncode == 3:
        return "the display has no OpenGL"
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return f"Qt cannot open the display ({lines[0] if lines else 'it says no reason'})"
