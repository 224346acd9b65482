"""The window with all models, against a Hub on this machine."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtCore import QEvent, Qt, QThreadPool
from qtpy.QtWidgets import QApplication

from napari_sa2va.engine import Runner
from napari_sa2va.errors import InvalidInput
from napari_sa2va.widgets import model_manager
from napari_sa2va.widgets.model_manager import ModelManager
from napari_sa2va.widgets.model_panel import ModelPanel
from napari_sa2va.zoo.manager import add_model
from tests.zoo.conftest import write_checkpoint, write_shards
from tests.zoo.hub_server import Fault, Hub, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ID = "someone/tiny"
FIRST = "model-00001-of-00002.safetensors"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NAPARI_SA2VA_DATA_FOLDER", str(tmp_path / "data"))
    with serving(Hub(write_shards(tmp_path / "served"))) as served:
        place = f"{served.address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "ENDPOINT", served.address)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", place)
        yield served


@pytest.fixture
def opened(hub: Hub, qtbot: Any) -> Callable[[], ModelManager]:
    def window() -> ModelManager:
        manager = ModelManager("cpu")
        qtbot.addWidget(manager)
        manager.show()
        qtbot.waitUntil(lambda: manager.table.rowCount() > 5, timeout=60_000)
        return manager

    return window


def row_of(manager: ModelManager, name: str) -> list[str]:
    table = manager.table
    (row,) = (i for i, model in enumerate(table.models) if model.name == name)
    texts = [table.item(row, column).text() for column in range(table.columnCount())]
    return [str(text) for text in texts]


def test_all_models_are_shown(opened: Callable[[], ModelManager]) -> None:
    manager = opened()
    assert "recommended" in manager.table.item(0, 0).text()
    assert manager.table.current is not None
    assert manager.table.current.recommended
    assert row_of(manager, "demo")[1] == "yes"
    assert "Memory on cpu" in manager.about.text()
    manager.table.select("demo")
    others = manager.fetch, manager.repair, manager.cancel, manager.remove
    assert [button.isEnabled() for button in (manager.use, *others)] == [True, *[False] * 4]
    manager.table.select("sam2")  # a file, and no model to work with
    assert (manager.use.isEnabled(), manager.fetch.isEnabled()) == (False, True)


def test_a_download_is_shown_stopped_and_gone_on_with(
    opened: Callable[[], ModelManager], hub: Hub, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_model("ours", ID)
    manager = opened()
    manager.table.select("ours")
    hub.faults, hub.stall = [Fault("stall", name=FIRST)], 1.0
    manager.fetch.click()
    assert manager.bar.isVisible()
    assert not manager.fetch.isEnabled()
    qtbot.waitUntil(lambda: "model-00001" in manager.state.text(), timeout=20_000)
    manager.cancel.click()
    qtbot.waitUntil(lambda: "What has arrived is kept" in manager.state.text(), timeout=20_000)
    qtbot.waitUntil(lambda: "of it" in row_of(manager, "ours")[1], timeout=20_000)
    assert manager.bar.isHidden()
    manager.fetch.click()
    qtbot.waitUntil(lambda: "every file was checked" in manager.state.text(), timeout=20_000)
    qtbot.waitUntil(lambda: row_of(manager, "ours")[1] == "yes", timeout=20_000)
    assert manager.repair.isEnabled()
    weights = (Path(str(manager.table.current.folder)) / FIRST).resolve()
    weights.write_bytes(b"?" * 100)  # damaged: it cannot be read, and is no longer offered
    manager.refresh()
    qtbot.waitUntil(lambda: "damaged" in manager.details.text(), timeout=20_000)
    assert (manager.use.isEnabled(), manager.repair.isEnabled()) == (False, True)
    manager.repair.click()
    qtbot.waitUntil(lambda: f"came anew: {FIRST}" in manager.state.text(), timeout=20_000)
    qtbot.waitUntil(manager.use.isEnabled, timeout=20_000)
    manager.repair.click()
    qtbot.waitUntil(lambda: "checked, and is right" in manager.state.text(), timeout=20_000)
    monkeypatch.setattr(ModelManager, "_sure", lambda self, model: True)
    manager.table.select("ours")
    manager.remove.click()
    qtbot.waitUntil(lambda: all(m.name != "ours" for m in manager.table.models), timeout=20_000)


def test_a_failure_is_told_in_the_window(
    opened: Callable[[], ModelManager], hub: Hub, qtbot: Any
) -> None:
    add_model("ours", ID)
    manager = opened()
    manager.table.select("ours")
    hub.faults = [Fault("gated", "info", -1)]
    manager.fetch.click()
    qtbot.waitUntil(lambda: "asks for consent first" in manager.state.text(), timeout=20_000)
    assert manager.fetch.isEnabled()


def test_a_window_that_goes_hears_no_more_of_its_download(
    hub: Hub, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def fail(*_: object) -> None:
        go_on.wait(30)
        raise InvalidInput("no")

    monkeypatch.setattr(model_manager, "get", fail)
    manager = ModelManager("cpu")
    qtbot.waitUntil(lambda: manager.table.rowCount() > 5, timeout=60_000)
    manager.table.select("sam2")
    with qtbot.captureExceptions() as faults:
        manager.fetch.click()
        manager.deleteLater()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        go_on.set()
        QThreadPool.globalInstance().waitForDone()
        QApplication.processEvents()
    assert faults == []


def test_one_s_own_folder(opened: Callable[[], ModelManager], qtbot: Any, tmp_path: Path) -> None:
    manager = opened()
    manager.add("tiny", str(tmp_path))
    qtbot.waitUntil(lambda: "config.json" in manager.state.text(), timeout=20_000)
    manager.add("tiny", str(write_checkpoint(tmp_path / "tiny")))
    qtbot.waitUntil(lambda: any(m.name == "tiny" for m in manager.table.models), timeout=20_000)
    manager.table.select("tiny")
    with qtbot.waitSignal(manager.chosen) as signal:
        manager.use.click()
    assert signal.args == ["tiny"]


def test_the_dock_opens_it_and_takes_the_choice(
    hub: Hub, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ModelManager, "_sure", lambda self, model: True)
    add_model("tiny", str(write_checkpoint(tmp_path / "tiny")))
    panel = ModelPanel(Runner())
    qtbot.addWidget(panel)
    assert panel.model.findData("tiny") >= 0
    panel.manage.click()
    manager = panel.manager
    assert manager is not None
    qtbot.waitUntil(lambda: manager.table.rowCount() > 5, timeout=60_000)
    manager.table.select("tiny")
    manager.use.click()
    assert panel.name == "tiny"
    qtbot.waitUntil(lambda: "on this machine" in panel.state.text(), timeout=20_000)
    manager.remove.click()  # off the list, and out of the dock's
    qtbot.waitUntil(lambda: panel.model.findData("tiny") < 0, timeout=20_000)
    assert panel.name == "demo"
    assert "the processor" in panel.device.toolTip() and "the weights" in panel.dtype.toolTip()
    panel.device.setCurrentText("cpu")
    items = panel.dtype.model()
    assert [items.item(row).isEnabled() for row in (3, 4, 5)] == [True, True, False]
    assert "NVIDIA" in panel.dtype.itemData(5, Qt.ItemDataRole.ToolTipRole)
    panel.dtype.setCurrentText("int8")
    panel.device.setCurrentText("mps")
    assert panel.choice.dtype == "auto"
