"""``napari-sa2va models``, against a Hub on this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from napari_sa2va.cli import models_command
from napari_sa2va.cli.app import app
from napari_sa2va.cli.models import DownloadDisplay
from napari_sa2va.zoo.meter import DownloadState, FileState
from tests.zoo.conftest import write_checkpoint, write_shards
from tests.zoo.hub_server import Fault, Hub, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

ID = "someone/tiny"
PROGRAM = "from napari_sa2va.cli import main; main()"


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NAPARI_SA2VA_DATA_FOLDER", str(tmp_path / "data"))
    return tmp_path


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with serving(Hub(write_shards(tmp_path / "served"))) as served:
        yield served


def started(hub: Hub, tmp_path: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start the program as a user does who has set a mirror."""
    settings = {
        "HF_ENDPOINT": hub.address,
        "HF_HUB_OFFLINE": "0",
        "HF_HOME": str(tmp_path / "huggingface"),
        "NAPARI_SA2VA_DATA_FOLDER": str(tmp_path / "data"),
    }
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "models", *arguments],
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def test_from_a_mirror_and_back(hub: Hub, tmp_path: Path) -> None:
    code, out, err = ended(started(hub, tmp_path, "get", ID))
    folder = Path(out.strip())
    assert (code, folder.is_dir()) == (0, True), err
    assert "config.json" in err
    assert folder.is_relative_to(tmp_path / "huggingface" / "hub")
    code, out, _ = ended(started(hub, tmp_path, "path", ID))
    assert (code, out.strip()) == (0, str(folder))
    code, out, _ = ended(started(hub, tmp_path, "remove", ID, "--yes"))
    assert code == 0
    assert "are free again" in out
    assert not folder.exists()


@pytest.mark.skipif(os.name == "nt", reason="Ctrl+C cannot be sent to one process")
@pytest.mark.slow
def test_ctrl_c_ends_a_download_and_the_next_goes_on(hub: Hub, tmp_path: Path) -> None:
    hub.faults = [Fault("stall", name="model-00001-of-00002.safetensors")]
    hub.stall = 60.0
    process = started(hub, tmp_path, "get", ID)
    deadline = time.monotonic() + 60
    while hub.faults[0].times and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    code, out, err = ended(process)
    assert (code, out) == (130, "")
    assert "goes on from there" in err
    (partial,) = (tmp_path / "huggingface").rglob("*.incomplete")
    kept = partial.stat().st_size
    assert kept > 10_000
    hub.sent = 0
    code, out, err = ended(started(hub, tmp_path, "get", ID, "--json"))
    assert code == 0, err
    assert Path(json.loads(out)["path"]).is_dir()
    assert hub.sent < sum(map(len, hub.contents().values())) + 2000 - kept


def test_the_list(call: Any, private: Path) -> None:
    done = call("models", "list", "--device", "cpu")
    lines = done.out.splitlines()
    assert done.code == 0
    assert lines[1].startswith("*  ")
    assert any(line.split()[:2] == ["demo", "yes"] for line in lines)
    assert "BSD-3-Clause" in done.out
    assert "* recommended for cpu" in done.out
    document = call("models", "list", "--device", "cpu", "--json").json
    assert [model["recommended"] for model in document["models"]].count(True) == 1
    assert document["device"]["name"] == "cpu"
    assert document["list"].startswith(str(private))


def test_one_s_own_folder(call: Any, private: Path, image_file: Path, tiny_folder: Path) -> None:
    done = call("models", "add", "our cells", tiny_folder)
    assert (done.code, done.out) == (0, f"our cells is {tiny_folder}\n")
    assert call("models", "path", "Our Cells").out.strip() == str(tiny_folder)
    assert "our cells" in call("models", "list", "--device", "cpu").out
    answer = call("ask", image_file, "What is this?", "--model", "our cells", "--device", "cpu")
    assert answer.code == 0
    removed = call("models", "remove", "our cells", "--yes")
    assert "off the list" in removed.out
    assert tiny_folder.is_dir()
    assert call("models", "path", "our cells").code == 4


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("get", "no such"), 4, "There is no model 'no such'"),
        (("get", "Sa2VA-1B"), 4, "HF_HUB_OFFLINE"),
        (("path", "Sa2VA-1B"), 4, "models get Sa2VA-1B"),
        (("path", "sam2"), 4, "models get sam2"),
        (("remove", "Sa2VA-1B", "--yes"), 3, "nothing of Sa2VA-1B"),
        (("remove", "Sa2VA-1B"), 2, "--yes"),
        (("remove", "demo", "--yes"), 3, "part of the package"),
        (("add", "demo", "lab/x"), 4, "known model"),
        (("add", "ours", "."), 4, "config.json"),
        (("list", "--device", "cuda:7"), 3, "no device 'cuda:7'"),
    ],
)
def test_what_goes_wrong(
    call: Any,
    private: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    monkeypatch.chdir(private)
    done = call("models", *arguments)
    assert done.code == code
    assert words in done.err
    assert done.out == ""


@pytest.mark.parametrize("answer", ["n\n", ""])  # the second: the end of the input, as Ctrl+C
def test_who_says_no_has_cancelled(
    private: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    terminal = SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(models_command, "sys", terminal)
    done = CliRunner().invoke(app, ["models", "remove", "Sa2VA-1B"], input=answer)
    assert (done.exit_code, "Nothing was removed" in done.stderr) == (130, True)


def test_a_failure_is_one_json_document(call: Any, private: Path) -> None:
    document = call("models", "get", "Sa2VA-1B", "--json").json
    assert document["command"] == "models get"
    assert "HF_HUB_OFFLINE" in document["message"]


def test_files_are_told_once_without_a_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    files = (FileState("config.json", 10, 10), FileState("model.safetensors", 5, 1 << 30))
    with DownloadDisplay() as display:
        for name in ("config.json", "model.safetensors", "model.safetensors"):
            display.show(DownloadState("x", files, name))
    assert capfd.readouterr().err == "config.json (0 MiB)\nmodel.safetensors (1.0 GiB)\n"
    with DownloadDisplay(quiet=True) as display:
        display.show(DownloadState("x", files, "config.json"))
    assert capfd.readouterr().err == ""


def test_adding_is_told_to_programs(call: Any, private: Path, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "tiny")
    document = call("models", "add", "t", folder, "--json").json
    assert document["folder"] is True
    assert document["where"] == str(folder)
