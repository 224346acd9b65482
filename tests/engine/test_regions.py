"""Questions about regions: pointed out, looked at from closer by, or outlined."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sa2va.annotation.masks import SoftMask
from napari_sa2va.annotation.packed import PackedMask
from napari_sa2va.engine import (
    MaskFound,
    ModelChoice,
    Question,
    QuestionDone,
    Request,
    Runner,
    TextChunk,
)
from napari_sa2va.engine.regions import in_frame, view_of
from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames import ImageFrames
from napari_sa2va.model.loaded import LoadedModel
from napari_sa2va.model.results import Capabilities
from napari_sa2va.samples import SAMPLE_SEED
from napari_sa2va.samples.scenes import make_scene, render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_sa2va.engine import Event

DESCRIBE = "Please describe region1 in detail."


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    runner = Runner()
    yield runner
    runner.unload()


@pytest.fixture
def without_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    """No checkpoint of the Qwen family is at hand: the loaded one says that it takes no regions."""
    lacking = Capabilities(regions=False, consistent_tracking=False)
    monkeypatch.setattr(LoadedModel, "capabilities", lacking)


def ask(runner: Runner, image: np.ndarray, *questions: Question, model: str = "demo") -> Any:
    request = Request(ModelChoice(model, "cpu"), ImageFrames(image), questions)
    events: list[Event] = list(runner.run(request, threading.Event()))
    done = [event for event in events if isinstance(event, QuestionDone)]
    assert "".join(e.text for e in events if isinstance(e, TextChunk)) == "".join(
        one.answer for one in done
    )
    return done, [event for event in events if isinstance(event, MaskFound)]


def square(size: tuple[int, int], row: int, column: int, side: int) -> PackedMask:
    mask = np.zeros(size, bool)
    mask[row : row + side, column : column + side] = True
    return PackedMask.pack(mask)


# --- with the demo checkpoint


def test_the_demo_describes_the_cells_that_are_pointed_out(runner: Runner) -> None:
    scene = make_scene(SAMPLE_SEED)
    large = [number for number, cell in enumerate(scene.cells) if cell.size == "large"]
    masks = scene.masks()
    questions = [
        Question(DESCRIBE, regions=(PackedMask.pack(masks[number]),), label=number)
        for number in large
    ]
    done, _ = ask(runner, render(scene), *questions)
    for one, number in zip(done, large, strict=True):
        assert {"large", scene.cells[number].color} <= set(one.answer.split())
    assert [one.looked for one in done] == [""] * len(large)


def test_a_small_region_is_looked_at_from_closer_by(runner: Runner) -> None:
    scene = make_scene(SAMPLE_SEED)
    image = np.zeros((1024, 1024, 3), np.uint8)
    image[384:640, 384:640] = render(scene)
    red = next(i for i, c in enumerate(scene.cells) if (c.size, c.color) == ("large", "red"))
    mask = np.zeros((1024, 1024), bool)
    mask[384:640, 384:640] = scene.masks()[red]
    (done,), _ = ask(runner, image, Question(DESCRIBE, regions=(PackedMask.pack(mask),)))
    assert re.fullmatch(r"crop of (\d+) × \1 pixels round it", done.looked)  # noqa: RUF001
    assert "red" in done.answer  # of its size there is no telling: the crop has another scale


def test_a_checkpoint_without_regions_gets_them_outlined(
    runner: Runner, without_regions: None
) -> None:
    scene = make_scene(SAMPLE_SEED)
    cell = PackedMask.pack(scene.masks()[0])
    (done,), _ = ask(runner, render(scene), Question(DESCRIBE, regions=(cell,)))
    assert "outlined, since the checkpoint takes no regions" in done.looked
    assert "outlined" in done.unknown_words  # it was asked so


# --- as in the official code


def test_the_golden_case(tiny_folder: Any, golden: Any) -> None:
    case = golden.case("internvl", "region")
    regions = tuple(PackedMask.pack(mask.astype(bool)) for mask in case["prompt_masks"])
    question = Question(case["text"], regions=regions)
    (done,), masks = ask(Runner(), case["pixels"], question, model=str(tiny_folder))
    assert done.looked == ""
    official = case["prediction"].removesuffix("<|im_start|>")
    assert "".join(done.answer.split()) == "".join(official.split())
    assert len(masks) == case["segments"]
    for number, mask in enumerate(masks):
        assert (mask.mask != golden.golden_mask(case, number)[0]).mean() <= golden.MASK_PIXELS


# --- the choice


def view(question: Question, *, takes_regions: bool = True, size: Any = (900, 900)) -> Any:
    image = np.random.default_rng(0).integers(0, 99, (*size, 3), np.uint8)
    return image, view_of(image, question, takes_regions=takes_regions, token_side=16)


def test_large_regions_are_pointed_out_in_the_whole_image() -> None:
    question = Question("Compare.", regions=(square((900, 900), 0, 0, 300),) * 2)
    image, seen = view(question)
    assert seen.image is image
    assert seen.regions.shape == (2, 900, 900)
    assert (seen.text, seen.box, seen.looked) == ("Compare.", None, "")


def test_small_regions_share_a_crop() -> None:
    regions = (square((900, 900), 300, 300, 20), square((900, 900), 330, 350, 20))
    image, seen = view(Question("Compare.", regions=regions))
    side = seen.image.shape[0]
    assert seen.image.shape[:2] == seen.regions.shape[1:] == (side, side)
    assert np.array_equal(seen.image, image[seen.box])
    assert seen.regions.sum() == 800
    assert seen.looked == f"crop of {side} × {side} pixels round them"  # noqa: RUF001


def test_where_no_crop_helps_it_is_said() -> None:
    regions = (square((900, 900), 0, 0, 2), square((900, 900), 890, 890, 2))
    image, seen = view(Question("Compare.", regions=regions))
    assert seen.image is image
    assert "very small" in seen.looked


def test_outlines_leave_the_object_and_speak_of_it() -> None:
    regions = (square((900, 900), 300, 300, 20), square((900, 900), 300, 340, 20))
    image, seen = view(
        Question("Is the region1 like Region 2?", regions=regions), takes_regions=False
    )
    assert seen.regions is None
    assert seen.text == ("Is the object outlined in yellow like the object outlined in cyan?")
    part, drawn = image[seen.box], seen.image
    changed = (part != drawn).any(axis=2)
    inside = [region.unpack()[seen.box] for region in regions]
    assert not (changed & (inside[0] | inside[1])).any()
    top = 300 - seen.box[0].start
    left = 300 - seen.box[1].start
    assert drawn[top - 1, left].tolist() == [255, 255, 0]
    assert drawn[top - 1, left + 40].tolist() == [0, 255, 255]
    assert "outlined" in seen.looked
    assert seen.looked.startswith("crop of")


def test_a_question_that_names_no_region_is_told_where_to_look() -> None:
    question = Question("Is it round?", regions=(square((64, 64), 10, 10, 40),))
    _, seen = view(question, takes_regions=False, size=(64, 64))
    assert seen.text == "Look at the object outlined in yellow. Is it round?"
    assert seen.looked.startswith("whole image, outlined")


def test_regions_that_cannot_be_pointed_out() -> None:
    one, empty = square((900, 900), 1, 1, 9), square((900, 900), 0, 0, 0)
    with pytest.raises(InvalidInput, match="Region 2 is empty"):
        view(Question("?", regions=(one, empty)))
    with pytest.raises(InvalidInput, match="Region 1 is of 9 by 9"):
        view(Question("?", regions=(square((9, 9), 1, 1, 9),)))
    with pytest.raises(InvalidInput, match="no more than 6"):
        view(Question("?", regions=(one,) * 7), takes_regions=False)


def test_masks_found_in_a_crop_come_back_in_the_frame() -> None:
    _, seen = view(Question("?", regions=(square((900, 900), 300, 400, 20),)))
    height, width = seen.image.shape[:2]
    logits = np.full((16, 16), -5, np.float32)
    logits[4:12, 4:12] = 5
    mask = np.zeros((height, width), bool)
    mask[height // 4 : height * 3 // 4, width // 4 : width * 3 // 4] = True
    whole, soft = in_frame(seen, (900, 900), mask, logits)
    assert whole.shape == soft.shape == (900, 900)
    assert whole.sum() == mask.sum()
    assert np.array_equal(whole[seen.box], mask)
    prepared = SoftMask.from_model(soft, whole)
    assert prepared.box[0].start >= seen.box[0].start > 0
    assert not prepared.above(0.9).all()
