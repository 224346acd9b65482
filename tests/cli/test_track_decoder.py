"""``napari-sa2va track`` takes SAM 2.0's file by itself where it was fetched and is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from huggingface_hub import constants

from napari_sa2va.cli.track_job import TrackJob, with_fetched_decoder
from napari_sa2va.engine import ModelChoice
from napari_sa2va.model.config import Sam2Config
from napari_sa2va.model.sam2_parts import mask_decoder
from napari_sa2va.zoo.sam2 import SAM2_FILE, SAM2_HUB_ID

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Path]:
    """Put a mask decoder where `models get sam2` would."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NAPARI_SA2VA_DATA_FOLDER", str(tmp_path / "data"))
    repository = tmp_path / "cache" / f"models--{SAM2_HUB_ID.replace('/', '--')}"

    def fetch() -> Path:
        file = repository / "snapshots" / ("a" * 40) / SAM2_FILE
        file.parent.mkdir(parents=True)
        state = mask_decoder(Sam2Config()).state_dict()
        torch.save({"model": {f"sam_mask_decoder.{key}": v for key, v in state.items()}}, file)
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text("a" * 40, encoding="utf-8")
        return file

    return fetch


def test_the_fetched_file_serves_and_is_told(
    track: Any, tiny_folder: Path, pixels: np.ndarray, tmp_path: Path, fetch: Callable[[], Path]
) -> None:
    np.save(tmp_path / "movie.npy", np.stack([pixels[::2, ::2]] * 2))
    command = ("--text", "it", "--keys", "first", "--format", "csv", "--model", tiny_folder)

    def run(*options: str) -> Any:
        done = track(*command, "--json", *options, stack=tmp_path / "movie.npy")
        assert done.code == 0, done.err
        return done

    assert run("--range", "0-0").json["sam2_file"] is None
    file = fetch()
    assert run().json["sam2_file"] is None  # it began without, and goes on so
    anew = run("--restart")
    assert anew.json["sam2_file"] == str(file)
    assert f"decoder is read from {file}" in anew.err
    assert run("--restart", "--method", "official").json["sam2_file"] is None


def test_where_it_is_not_taken(tmp_path: Path, fetch: Callable[[], Path]) -> None:
    def job(model: str, **options: Any) -> TrackJob:
        return TrackJob((), ModelChoice(model), tmp_path, (), None, **options)  # type: ignore[arg-type]

    file, named = fetch(), tmp_path / "mine.pt"
    assert with_fetched_decoder(job("Sa2VA-4B"), None).sam2_file == file
    assert with_fetched_decoder(job("Sa2VA-4B", sam2_file=named), None).sam2_file == named
    assert with_fetched_decoder(job("Sa2VA-i-4B"), None).sam2_file is None
    assert with_fetched_decoder(job("demo"), None).sam2_file is None
    assert with_fetched_decoder(job("Sa2VA-4B"), {"job": {"sam2_file": None}}).sam2_file is None
    assert with_fetched_decoder(job("Sa2VA-4B"), {"job": "damaged"}).sam2_file == file
