from __future__ import annotations

import errno
import shutil
from typing import TYPE_CHECKING

import pytest

from napari_sa2va.errors import Cancelled, CheckpointError
from napari_sa2va.zoo import hub as hub_module
from napari_sa2va.zoo.hub import fetch

if TYPE_CHECKING:
    from pathlib import Path

    from tests.zoo.conftest import Hub

ID = "someone/tiny"


def test_fetch_brings_data_and_no_code(hub: Hub) -> None:
    hub.add("modeling_sa2va_chat.py", b"raise SystemExit('ran remote code')")
    hub.add("pytorch_model.bin", b"a pickle")
    hub.add("tokenizer.json", b"{}")
    told: list[tuple[str, float]] = []
    folder = fetch(ID, lambda text, done: told.append((text, done)), endpoint=hub.address)
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    }
    assert not any(path.endswith((".py", ".bin")) for path in hub.requests)
    fractions = [done for _, done in told]
    assert fractions[0] == 0.0
    assert fractions[-1] == pytest.approx(1.0)
    assert fractions == sorted(fractions)
    assert ID in told[0][0]


def test_a_whole_copy_is_used_without_asking(hub: Hub) -> None:
    first = fetch(ID, endpoint=hub.address)
    hub.requests.clear()
    assert fetch(ID, endpoint=hub.address) == first
    assert fetch(ID, endpoint="http://127.0.0.1:9", download=False) == first
    assert hub.requests == []


def test_a_partial_copy_is_completed(hub: Hub) -> None:
    folder = fetch(ID, endpoint=hub.address)
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="not on this machine"):
        fetch(ID, download=False)
    assert (fetch(ID, endpoint=hub.address) / "model.safetensors").is_file()


def test_cancelling_ends_the_download(hub: Hub) -> None:
    with pytest.raises(Cancelled):
        fetch(ID, cancelled=lambda: True, endpoint=hub.address)
    assert fetch(ID, endpoint=hub.address).is_dir()  # and it can be tried again


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (404, "RepoNotFound", "has no someone/tiny, or it is private"),
        (401, None, "has no someone/tiny, or it is private"),
        (403, "GatedRepo", "asks for consent"),
    ],
)
def test_a_refusal_is_explained(hub: Hub, status: int, code: str | None, words: str) -> None:
    hub.refuse_with, hub.refuse_code = status, code
    with pytest.raises(CheckpointError, match=words):
        fetch(ID, endpoint=hub.address)


def test_no_network_is_explained(hub: Hub) -> None:
    # Port 9 ("discard") has no listener here, so the connection is refused at once.
    with pytest.raises(CheckpointError, match="the Hub cannot be reached"):
        fetch(ID, endpoint="http://127.0.0.1:9")


def test_downloads_switched_off_are_explained(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match="HF_HUB_OFFLINE"):
        fetch(ID, endpoint=hub.address)
    assert hub.requests == []


def test_a_disk_without_room_is_told_before_downloading(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(hub_module.shutil, "disk_usage", lambda path: free)
    with pytest.raises(CheckpointError, match=r"the disk of .* has 0 MiB left"):
        fetch(ID, endpoint=hub.address)
    assert not any(path.startswith("GET") and "/resolve/" in path for path in hub.requests)


def test_a_disk_that_fills_up_is_explained() -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    wrapped = RuntimeError("download failed")
    wrapped.__cause__ = full
    assert "disk is full" in str(hub_module._explained(ID, wrapped))


def test_a_name_that_is_no_hub_id(hub: Hub) -> None:
    with pytest.raises(CheckpointError):
        fetch("a/b/c", endpoint=hub.address)


def test_nothing_is_written_outside_the_cache(hub: Hub, tmp_path: Path) -> None:
    folder = fetch(ID, endpoint=hub.address)
    assert folder.is_relative_to(tmp_path / "cache")
