"""Regions and the Qwen families, which take none: outlined, through the engine."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sa2va.annotation.packed import PackedMask
from napari_sa2va.engine import MaskFound, ModelChoice, Question, QuestionDone, Request, Runner
from napari_sa2va.engine.regions import view_of
from napari_sa2va.frames import ImageFrames

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("family", ["qwen3_vl", pytest.param("qwen2_5_vl", marks=pytest.mark.slow)])
def test_the_model_is_asked_about_an_outline(golden: Any, tmp_path: Path, family: str) -> None:
    folder = golden.write_checkpoint(family, tmp_path / family)
    image = golden.case(family, "image_square")["pixels"]
    region = np.zeros(image.shape[:2], bool)
    region[20:44, 30:50] = True
    question = Question("Please segment region1.", regions=(PackedMask.pack(region),), label=7)
    runner = Runner()
    request = Request(ModelChoice(str(folder), "cpu", "float32"), ImageFrames(image), (question,))
    events = list(runner.run(request, threading.Event()))
    (done,) = [event for event in events if isinstance(event, QuestionDone)]
    assert "outlined, since the checkpoint takes no regions" in done.looked
    assert done.looked.startswith("crop of ")

    # It is what the model says of that picture when it is asked in those words.
    view = view_of(image, question, takes_regions=False, token_side=0)
    assert view.box is not None
    assert view.text == "Please segment the object outlined in yellow."
    drawn = (view.image == (255, 255, 0)).all(axis=2)
    inside = region[view.box]
    assert drawn.any() and not (drawn & inside).any()
    assert (view.image[~drawn] == image[view.box][~drawn]).all()
    model = runner._model
    assert model is not None
    *_, answer = model.ask(view.image, view.text)
    assert done.answer == answer.text
    found = [event for event in events if isinstance(event, MaskFound)]
    assert len(found) == len(answer.segments) > 0
    for event, segment in zip(found, answer.segments, strict=True):
        assert event.mask.shape == image.shape[:2]
        assert (event.mask[view.box] == segment.mask).all()
        outside = event.mask.copy()
        outside[view.box] = False
        assert not outside.any()
    runner.unload()
