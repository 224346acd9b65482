"""A real model, small and with random weights: the golden checkpoint of the InternVL family."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from napari_sa2va.engine import ModelChoice, Question, Request
from napari_sa2va.frames import ImageFrames

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np

    from napari_sa2va.model import Sa2VA


@pytest.fixture(scope="session")
def tiny_model(tiny_folder: Path) -> Sa2VA:
    from napari_sa2va.model import Sa2VA

    return Sa2VA.from_pretrained(tiny_folder, "cpu")


@pytest.fixture(scope="session")
def case(golden: Any) -> dict[str, Any]:
    """A golden case whose answer has masks."""
    return golden.case("internvl", "image_square")


@pytest.fixture(autouse=True)
def always_short(short_answers: None) -> None:
    """Let no answer go on for ever."""


@pytest.fixture
def make_request(tiny_folder: Path, case: dict[str, Any]) -> Callable[..., Request]:
    def make(*questions: Question, image: np.ndarray | None = None, **model: str) -> Request:
        choice = ModelChoice(**({"name": str(tiny_folder), "device": "cpu"} | model))
        frames = ImageFrames(case["pixels"] if image is None else image)
        return Request(choice, frames, questions or (Question(case["text"], "the cell"),))

    return make
