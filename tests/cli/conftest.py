"""The command line on a real model: small, with random weights, loaded once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from typer.testing import CliRunner

from napari_sa2va.cli.app import app
from napari_sa2va.io.log_file import stop_log
from napari_sa2va.samples.scenes import make_clip, render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def pixels(golden: Any) -> np.ndarray:
    """An image in which the tiny model segments something, whatever it is asked."""
    return golden.case("internvl", "image_square")["pixels"]


@pytest.fixture(autouse=True)
def always_short(short_answers: None) -> None:
    """Let no answer go on for ever."""


@pytest.fixture(autouse=True)
def private_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("NAPARI_SA2VA_LOG_FOLDER", str(tmp_path / "logs"))
    yield
    stop_log()


@pytest.fixture
def image_file(tmp_path: Path, pixels: np.ndarray) -> Path:
    path = tmp_path / "cells.png"
    Image.fromarray(pixels).save(path)
    return path


@dataclass
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.out)
        assert document["exit_code"] == self.code
        return document


@pytest.fixture
def call() -> Callable[..., Done]:
    """Run the command line in this process, where the model stays loaded."""

    def run(*arguments: object) -> Done:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Done(result.exit_code, result.stdout, result.stderr)

    return run


# --- a movie, and what the demo checkpoint follows in it


@pytest.fixture(scope="session")
def texts() -> tuple[str, ...]:
    """Options: two things that are in the movie, and one that is not."""
    phrases = ("the green cell", "all blue cells", "the yellow cells")
    return tuple(part for phrase in phrases for part in ("--text", phrase))


@pytest.fixture(scope="session")
def movie() -> np.ndarray[Any, Any]:
    """Cells that move, (12, 128, 128, 3)."""
    clip = make_clip(10_000_007, 12, 256)
    return np.stack([render(scene, frame)[::2, ::2] for frame, scene in enumerate(clip)])


@pytest.fixture(scope="session")
def stack_file(movie: np.ndarray[Any, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("movie") / "cells.tif"
    tifffile.imwrite(
        path,
        movie,
        photometric="rgb",
        imagej=True,
        resolution=(2, 2),
        metadata={"axes": "TYXS", "unit": "micron", "finterval": 30.0},
    )
    return path


@pytest.fixture
def track(call: Any, stack_file: Path, tmp_path: Path) -> Callable[..., Any]:
    """``napari-sa2va track`` through the movie, into the folder out."""

    def run(*arguments: object, stack: Path = stack_file) -> Any:
        return call("track", stack, *arguments, "--device", "cpu", "-o", tmp_path / "out")

    return run


@pytest.fixture(scope="session")
def whole(
    stack_file: Path, texts: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of a run that nobody interrupted."""
    out = tmp_path_factory.mktemp("whole")
    command = ["track", stack_file, *texts, "--device", "cpu", "-o", out, "--format", "tiff"]
    command += ["--format", "csv", "--format", "zarr"]
    done = CliRunner().invoke(app, [str(part) for part in command])
    assert done.exit_code == 0, done.output
    return out
