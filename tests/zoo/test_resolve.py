from __future__ import annotations

from pathlib import PureWindowsPath
from typing import TYPE_CHECKING

import pytest

import napari_sa2va.zoo.hub as hub_module
from napari_sa2va.errors import CheckpointError
from napari_sa2va.zoo import catalogue, library
from napari_sa2va.zoo import resolve as resolve_name
from napari_sa2va.zoo.cache import existing
from napari_sa2va.zoo.catalogue import CATALOGUE
from napari_sa2va.zoo.resolve import resolve
from tests.zoo.conftest import write_checkpoint

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_is_itself(tiny_checkpoint: Path) -> None:
    assert resolve(str(tiny_checkpoint)) == tiny_checkpoint
    assert resolve(f"  {tiny_checkpoint} ") == tiny_checkpoint
    assert resolve_name is resolve


def test_a_folder_below_the_home_folder(
    tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tiny_checkpoint.parent))
    monkeypatch.setenv("USERPROFILE", str(tiny_checkpoint.parent))
    assert resolve("~/tiny") == tiny_checkpoint


def test_a_folder_without_config(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"has no config\.json"):
        resolve(str(tmp_path))


def test_a_folder_wins_over_a_hub_id(
    tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_checkpoint.parent.parent)
    name = f"{tiny_checkpoint.parent.name}/tiny"
    assert resolve(name, download=False).resolve() == tiny_checkpoint


def test_a_folder_called_as_a_model_is_not_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_SA2VA_DATA_FOLDER", str(tmp_path / "data"))
    fetched = {
        "ByteDance/Sa2VA-4B": write_checkpoint(tmp_path / "snapshot"),
        "lab/cells": write_checkpoint(tmp_path / "other"),
    }
    monkeypatch.setattr(hub_module, "fetch", lambda hub_id, *_, **__: fetched[hub_id])
    library.remember("ours", "lab/cells", folder=False)
    monkeypatch.chdir(tmp_path)
    for name, folder in (("Sa2VA-4B", "snapshot"), ("ours", "other")):
        (tmp_path / name).mkdir()  # of results
        assert resolve(name) == tmp_path / folder
    write_checkpoint(tmp_path / "Sa2VA-4B")
    assert resolve("Sa2VA-4B").resolve() == tmp_path / "Sa2VA-4B"


@pytest.mark.parametrize(
    "name",
    ["", "   ", "no such name", "/no/such/folder", "../x", "a/b/c", "~nobody-here/x", "long" * 99],
)
def test_nonsense_is_answered_with_the_choices(name: str) -> None:
    with pytest.raises(CheckpointError, match="Choose one of demo, Sa2VA-InternVL3-2B"):
        resolve(name)


@pytest.mark.parametrize("name", ["Sa2VA-InternVL3-2B", "bytedance/sa2va-internvl3-2b"])
def test_a_catalogue_name_becomes_its_hub_id(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(hub_id: str, *args: object, **options: object) -> Path:
        asked.append(hub_id)
        raise CheckpointError("stop here")

    monkeypatch.setattr(hub_module, "fetch", refuse)
    with pytest.raises(CheckpointError, match="stop here"):
        resolve(name)
    assert asked == ["ByteDance/Sa2VA-InternVL3-2B"]


def test_an_unsupported_checkpoint_is_refused_before_its_download(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = catalogue.Checkpoint(
        "Old", "lab/old", CATALOGUE[0].family, "", "", 1, "", frozenset(), unsupported="too old"
    )
    monkeypatch.setattr(catalogue, "CATALOGUE", (*CATALOGUE, known))
    with pytest.raises(CheckpointError, match="Old cannot be used: too old"):
        resolve("lab/old")


def test_what_is_not_here_is_not_here() -> None:
    for name in ("Sa2VA-1B", "no such name"):
        with pytest.raises(CheckpointError):
            resolve(name, download=False)


def test_the_nearest_folder_above_also_of_a_drive_that_is_not_there(tmp_path: Path) -> None:
    assert existing(tmp_path / "a" / "b") == tmp_path
    drive = PureWindowsPath("Z:/hf/hub")
    assert existing(drive) == PureWindowsPath("Z:/")  # type: ignore[arg-type, comparison-overlap]
