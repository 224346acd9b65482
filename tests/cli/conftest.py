"""The command line on a real model: small, with random weights, loaded once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from napari_sa2va.cli.app import app
from napari_sa2va.io.log_file import stop_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np


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
