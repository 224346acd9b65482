"""Take the pictures in these pages from the real program: ``python docs/make_screenshots.py``.

Needs a screen; on a server, ``xvfb-run -a -s "-screen 0 1600x1000x24"`` gives one.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

# Pictures must not depend on, nor change, the settings of who takes them.
os.environ["NAPARI_CONFIG"] = str(Path(tempfile.mkdtemp()) / "settings.yaml")

import napari
import numpy as np
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_sa2va.cli.demo_window import prepare
from napari_sa2va.engine import ModelChoice
from napari_sa2va.samples import MOVIE_EXPRESSIONS, SAMPLE_EXPRESSIONS

IMAGES = Path(__file__).parent / "images"
TUTORIAL = ("the large red cell", "the large green cell", "the small red cell")


def settle(seconds: float) -> None:
    """Let the window draw for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


def wait_for_run(dock: Any, seconds: float = 300) -> None:
    """Wait until the dock's run is over."""
    end = time.monotonic() + seconds
    settle(0.5)
    while dock.controller.busy and time.monotonic() < end:
        settle(0.1)
    settle(1.5)


def answered(name: str) -> None:
    """Show the sample image with its expressions answered."""
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1360, 860)
    dock = prepare(viewer, "\n".join(SAMPLE_EXPRESSIONS), ModelChoice())
    wait_for_run(dock)
    viewer.reset_view()
    settle(1)
    viewer.screenshot(str(IMAGES / name), canvas_only=False, flash=False)
    viewer.close()


def followed(name: str) -> None:
    """Show the sample movie with its expressions followed through all frames."""
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1360, 1000)
    viewer.open_sample("napari-sa2va", "movie")
    _, dock = viewer.window.add_plugin_dock_widget("napari-sa2va", "Sa2VA")
    dock.sections["Image and model"].unfold(False)
    dock.stack.through.setCurrentIndex(1)
    dock.stack.through.activated.emit(1)
    dock.ask.composer.setPlainText("\n".join(MOVIE_EXPRESSIONS))
    settle(3)
    dock.run()
    wait_for_run(dock)
    viewer.reset_view()
    settle(1)
    viewer.screenshot(str(IMAGES / name), canvas_only=False, flash=False)
    viewer.close()


def reviewed(name: str) -> None:
    """Show what the tutorial makes: found by words, corrected by clicks, reviewed."""
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1500, 1000)
    viewer.open_sample("napari-sa2va", "cells")
    _, dock = viewer.window.add_plugin_dock_widget("napari-sa2va", "Sa2VA")
    dock.sections["Image and model"].unfold(False)
    dock.ask.composer.setPlainText("\n".join(TUTORIAL))
    settle(3)
    dock.run()
    wait_for_run(dock)
    viewer.reset_view()
    do, correcting = dock.objects.commands, dock.correct.correcting
    objects = dock.objects.objects
    correcting.begin_new()
    settle(3)  # the image is looked at
    correcting.set_phrase("the magenta cell")
    click(viewer, (75, 55))
    settle(2)
    correcting.accept()
    correcting.turn(False)
    for label, judge in ((1, do.accept), (2, do.accept), (3, do.flag)):
        dock.objects.table.choose(label)
        settle(0.3)
        judge()
    do.take_text(3, "note", "or is it large?")
    dock.objects.table.choose(4)
    correcting.take_selected()
    settle(2)
    click(viewer, (70, 64))
    settle(2)
    viewer.reset_view()
    settle(1)
    viewer.screenshot(str(IMAGES / name), canvas_only=False, flash=False)
    correcting.reject()
    assert len(objects.rows()) == len(TUTORIAL) + 1
    viewer.close()


def captioned(theme: str, name: str) -> None:
    """Show a grounded caption of the sample image."""
    viewer = napari.Viewer(show=True)
    viewer.theme = theme
    viewer.window.resize(1360, 1000)
    viewer.open_sample("napari-sa2va", "cells")
    _, dock = viewer.window.add_plugin_dock_widget("napari-sa2va", "Sa2VA")
    for part in ("Image and model", "Correct"):
        dock.sections[part].unfold(False)
    settle(3)
    dock.chat.caption()
    wait_for_run(dock)
    viewer.reset_view()
    settle(1)
    viewer.screenshot(str(IMAGES / name), canvas_only=False, flash=False)
    viewer.close()


def click(viewer: Any, at: tuple[int, int]) -> None:
    """Click on a pixel of the first layer with the mouse."""
    world = np.asarray(viewer.layers[0].data_to_world(at))
    camera, size = viewer.scene.camera, np.array(viewer.canvas.size)
    row, column = (world - np.array(camera.center)[-2:]) * camera.zoom + size / 2
    place = QPoint(round(column), round(row))
    canvas = viewer.window._qt_viewer.canvas.native  # there is no public way to the widget
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    for take, *details in (
        (answered, "answered.png"),
        (followed, "stack.png"),
        (reviewed, "reviewed.png"),
        (captioned, "dark", "captioned.png"),
        (captioned, "light", "captioned-light.png"),
    ):
        # No picture offers to bring back the work of the one before.
        os.environ["NAPARI_SA2VA_DATA_FOLDER"] = tempfile.mkdtemp()
        take(*details)
