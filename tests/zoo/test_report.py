from __future__ import annotations

import json
from pathlib import Path

import pytest

from napari_sa2va.zoo.catalogue import CATALOGUE, find
from napari_sa2va.zoo.gpu import Driver
from napari_sa2va.zoo.machine import Device, Machine
from napari_sa2va.zoo.report import Report, checkpoint_status, make_report, without_home

GIB = 1024**3
CPU = Device("cpu", "a processor", 16 * GIB, 8 * GIB)


@pytest.fixture
def report() -> Report:
    driver = Driver("NVIDIA", "550.1", ("NVIDIA T4",))
    problems = ("Something is wrong.",)
    machine = Machine("Linux", "3.11", 2, {"torch": "2.14"}, (CPU,), problems, driver)
    return Report(machine, tuple(checkpoint_status(c, CPU) for c in CATALOGUE[1:]))


def test_text_says_what_a_person_asks(report: Report) -> None:
    text = report.as_text()
    assert "cpu: a processor, 8.0 GiB of 16.0 GiB free" in text
    assert "Sa2VA-InternVL3-8B: not on this machine, needs about 31" in text
    assert "float32, does not fit" in text
    assert "torch 2.14" in text
    assert "The largest checkpoint that fits: Sa2VA-" in text
    assert "NVIDIA driver 550.1: NVIDIA T4" in text
    assert "  - Something is wrong." in text


def test_json_holds_the_same(report: Report) -> None:
    values = json.loads(report.as_json())
    assert values["machine"]["devices"][0]["free"] == 8 * GIB
    assert values["machine"]["driver"]["version"] == "550.1"
    largest = values["largest"]
    assert report.largest is not None and report.largest.name == largest
    by_name = {status["name"]: status for status in values["checkpoints"]}
    assert by_name["Sa2VA-1B"]["fits"] is True
    assert by_name["Sa2VA-1B"]["here"] is False
    assert by_name["Sa2VA-Qwen3-VL-4B"]["supported"] is True


def test_the_home_folder_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    home = Path("/home/jane.doe")
    monkeypatch.setattr(Path, "home", lambda: home)
    assert without_home(f"{home}: odd") == "~: odd"
    assert json.loads(without_home(json.dumps(f"{home}: odd"))) == "~: odd"


def test_a_damaged_checkpoint_is_reported_and_not_raised(
    tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_sa2va.zoo import report as module

    monkeypatch.setattr(module, "resolve", lambda name, download: tiny_checkpoint)
    (tiny_checkpoint / "model.safetensors").write_bytes(b"short")
    checkpoint = find("Sa2VA-1B")
    assert checkpoint is not None
    status = checkpoint_status(checkpoint, CPU)
    assert status.here
    assert status.problem is not None
    assert "damaged" in status.problem


def test_this_machine() -> None:
    found = make_report()
    assert [status.name for status in found.checkpoints] == [c.name for c in CATALOGUE]
    assert str(Path.home()) not in found.as_text()
