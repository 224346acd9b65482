"""The dock offers what the chosen checkpoint can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sa2va.engine import ModelReady, Runner
from napari_sa2va.zoo import sam2
from napari_sa2va.zoo.abilities import Known
from napari_sa2va.zoo.catalogue import Capability

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def picture() -> np.ndarray:
    return np.zeros((4, 32, 32, 3), np.uint8)


def know(dock: Any, *lacking: Capability, **more: Any) -> None:
    """Let the chosen checkpoint be one of somebody's that lacks these."""
    dock.model.known = Known("theirs", True, frozenset(Capability) - {*lacking}, **more)
    dock.model.known_changed.emit()


def test_the_dock_follows_the_checkpoint(
    dock: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ask, offers = dock.ask, dock.offers
    segment_tip = ask.segment.toolTip()
    # Questions about regions are left: what it was not trained for is said.
    know(dock, Capability.ASK)
    ask.ask.click()
    assert ask.mode == "ask"
    assert "not trained to answer questions" in offers.text()
    assert "Sa2VA\N{NON-BREAKING HYPHEN}1B" in offers.text()
    assert not offers.isHidden()
    ask.segment.click()
    assert offers.isHidden()

    # Regions are outlined where they cannot be pointed out: said, and not refused.
    know(dock, Capability.REGION)
    assert ask.describe.isEnabled()
    assert "outlined" in ask.describe.toolTip()
    ask.describe.click()
    assert "outlined" in offers.text()

    # What cannot be done at all is off, and a way of asking that was chosen is left.
    ask.ask.click()
    know(dock, Capability.ASK, Capability.REGION, Capability.VIDEO)
    assert not ask.ask.isEnabled()
    assert "not trained to answer" in ask.ask.toolTip()
    assert "Sa2VA-1B" in ask.ask.toolTip()
    assert ask.mode == "segment"
    assert not dock.stack.through.isEnabled()
    caption = ask.bar.caption
    assert caption.isEnabled()
    know(dock, Capability.CAPTION)
    assert not caption.isEnabled()
    know(dock)
    assert caption.isEnabled() and "trained" not in caption.toolTip()
    assert (ask.ask.isEnabled(), ask.segment.toolTip()) == (True, segment_tip)

    # SAM2's original decoder: from the checkpoint, from the fetched file, or to be got.
    stack = dock.stack
    stack.through.setCurrentIndex(1)
    stack.through.activated.emit(1)
    assert stack.lacking.isHidden()
    know(dock, lacks_decoder=True)
    assert not stack.files.isHidden() and not stack.get_file.isHidden()
    assert "official tracking is used" in stack.lacking.text()
    stack.method.setCurrentIndex(1)
    stack.method.activated.emit(1)
    assert "get SAM 2.0's file" in stack.lacking.text()
    file = tmp_path / "sam2_hiera_large.pt"
    file.touch()
    know(dock, lacks_decoder=True, sam2_file=file)
    assert stack.get_file.isHidden()
    assert "from SAM 2.0's file" in stack.lacking.text()
    assert stack.options.sam2_file == str(file)
    own = tmp_path / "mine.pt"
    own.touch()
    stack.sam2_file = str(own)  # the one chosen wins
    assert stack.options.sam2_file == str(own)
    ready = ModelReady("x", "cpu", "float32", 1, consistent=True)
    dock._on_model_ready(ready, dock.model.choice)
    assert stack.lacking.isHidden()

    # The button fetches, in the window of models.
    wanted: list[str] = []
    monkeypatch.setattr(type(dock.model), "open_manager", lambda _: dock.model)
    monkeypatch.setattr(type(dock.model), "get", lambda _, name: wanted.append(name), raising=False)
    stack.get_file.click()
    assert wanted == [sam2.SAM2_NAME]


def test_a_folder_is_looked_into(qtbot: Any, golden: Any, tmp_path: Path) -> None:
    from napari_sa2va.widgets.model_panel import ModelPanel

    panel = ModelPanel(Runner())
    qtbot.addWidget(panel)
    assert panel.known.here
    folder = golden.write_checkpoint("qwen3_vl", tmp_path / "qwen")
    with qtbot.waitSignals([panel.known_changed] * 2, timeout=60_000):
        panel.name = str(folder)
    assert panel.known.lacks(Capability.REGION)
    assert panel.known.lacks_decoder
    assert "on this machine" in panel.state.text()
