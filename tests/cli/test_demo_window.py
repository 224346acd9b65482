from __future__ import annotations

from pathlib import Path
from typing import Any

from napari.layers import Labels
from npe2 import PluginManifest

import napari_sa2va
from napari_sa2va.cli.demo import EXPRESSIONS
from napari_sa2va.cli.demo_window import prepare
from napari_sa2va.engine import ModelChoice

MANIFEST = Path(napari_sa2va.__file__).with_name("napari.yaml")


def test_the_window_shows_an_answer(
    npe2pm: Any, make_napari_viewer: Any, plugin_settings: Any, qtbot: Any, tiny_folder: Path
) -> None:
    npe2pm.register(PluginManifest.from_file(MANIFEST))
    viewer = make_napari_viewer()
    dock = prepare(viewer, EXPRESSIONS, ModelChoice(str(tiny_folder)))
    assert dock.model.name == str(tiny_folder)
    with qtbot.waitSignal(dock.controller.busy_changed, timeout=60_000):
        pass
    asked = [turn.text for turn in dock.controller.conversation.turns[::2]]
    assert asked == EXPRESSIONS.splitlines()
    assert any(isinstance(layer, Labels) for layer in viewer.layers)
