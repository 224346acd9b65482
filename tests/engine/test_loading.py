"""A model is known by the name that it was asked for, not by the folder that it was found in."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from napari_sa2va.engine import ModelChoice
from napari_sa2va.engine.loading import load_model
from napari_sa2va.model import Sa2VA

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def snapshot(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint as the Hub's cache keeps it."""
    cache = tmp_path_factory.mktemp("hub")
    folder = cache / "models--ByteDance--Sa2VA-1B" / "snapshots" / ("3f" * 20)
    shutil.copytree(tiny_folder, folder)
    return folder


@pytest.mark.parametrize("name", ["Sa2VA-1B", "ByteDance/Sa2VA-1B", "my fine-tuned one"])
def test_the_name_that_was_asked_for(
    snapshot: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setattr("napari_sa2va.engine.loading.resolve", lambda *_: snapshot)
    (tmp_path / name).mkdir(parents=True)  # of results: `resolve` does not take it for the model
    monkeypatch.chdir(tmp_path)
    model = load_model(ModelChoice(name, "cpu"), lambda _: None, lambda: False)
    assert model.name == name


def test_a_snapshot_has_the_name_of_its_repository(snapshot: Path, tiny_folder: Path) -> None:
    assert Sa2VA.from_pretrained(snapshot, "cpu").name == "ByteDance/Sa2VA-1B"
    assert Sa2VA.from_pretrained(tiny_folder, "cpu").name == tiny_folder.name
