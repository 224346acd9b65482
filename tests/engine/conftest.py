"""A real model, small and with random weights: the golden checkpoint of the InternVL family."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from napari_sa2va.engine import ModelChoice, Question, Request
from napari_sa2va.frames import ImageFrames

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    import numpy as np

    from napari_sa2va.model import Sa2VA


def golden() -> ModuleType:
    """Import tests/model/golden.py: test folders are no packages."""
    path = Path(__file__).parents[1] / "model" / "golden.py"
    spec = importlib.util.spec_from_file_location("golden_for_engine", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return golden().write_checkpoint("internvl", tmp_path_factory.mktemp("engine") / "tiny")


@pytest.fixture(scope="session")
def tiny_model(tiny_folder: Path) -> Sa2VA:
    from napari_sa2va.model import Sa2VA

    return Sa2VA.from_pretrained(tiny_folder, "cpu")


@pytest.fixture(scope="session")
def case() -> dict[str, Any]:
    """A golden case whose answer has masks."""
    return golden().case("internvl", "image_square")


@pytest.fixture(autouse=True)
def short_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A random model does not know when to stop: 16 tokens, as in the golden runs."""
    from napari_sa2va.model import Sa2VA

    long = Sa2VA.ask

    def ask(self: Sa2VA, *arguments: Any) -> Any:
        return long(self, *arguments, max_new_tokens=16)

    monkeypatch.setattr(Sa2VA, "ask", ask)


@pytest.fixture
def make_request(tiny_folder: Path, case: dict[str, Any]) -> Callable[..., Request]:
    def make(*questions: Question, image: np.ndarray | None = None, **model: str) -> Request:
        choice = ModelChoice(**({"name": str(tiny_folder), "device": "cpu"} | model))
        frames = ImageFrames(case["pixels"] if image is None else image)
        return Request(choice, frames, questions or (Question(case["text"], "the cell"),))

    return make
