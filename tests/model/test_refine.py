"""Clicks, boxes and paint: SAM2's prompts as its own package encodes them, and what comes back."""

from __future__ import annotations

import copy
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from sam2.sam2_image_predictor import SAM2ImagePredictor

from napari_sa2va.errors import Cancelled, InvalidInput
from napari_sa2va.model import Sa2VA
from napari_sa2va.model.preprocess import sam2_image
from napari_sa2va.model.sam2_parts import mask_decoder
from napari_sa2va.model.sam2_prompts import Prompts, decode, mask_prompt, points_prompt
from napari_sa2va.samples.scenes import HELD_OUT_SEED, make_scene, render

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

# The package's predictor scripts its transforms, which newer versions of torch warn of.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script:FutureWarning")

SIZE = (50, 80)  # of the images in which the prompts are compared; neither side is SAM2's


@pytest.fixture(scope="module")
def demo() -> Sa2VA:
    return Sa2VA.from_pretrained("demo", device="cpu")


@pytest.fixture(scope="module")
def cells() -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    scene = make_scene(HELD_OUT_SEED + 3)
    return render(scene), scene.masks()


@contextmanager
def original_decoder(model: Sa2VA) -> Iterator[torch.nn.Module]:
    """Give a model SAM2's second decoder for a while."""
    with torch.random.fork_rng():
        torch.manual_seed(11)
        decoder = mask_decoder(model.config.sam2).eval().requires_grad_(False)
    model.network.sam2.original_mask_decoder = decoder
    try:
        yield decoder
    finally:
        model.network.sam2.original_mask_decoder = None


def middle(mask: NDArray[np.bool_]) -> tuple[float, float]:
    """The pixel of a mask that is closest to its centroid."""
    at = np.argwhere(mask)
    row, column = at[np.square(at - at.mean(axis=0)).sum(axis=1).argmin()]
    return float(row), float(column)


def overlap(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float((a & b).sum() / (a | b).sum())


def noise(shape: tuple[int, ...], seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)


def predictor(model: Sa2VA, image: NDArray[np.uint8], decoder: Any = None) -> SAM2ImagePredictor:
    """The package's predictor, which sees the same image features."""
    sam2 = model.network.sam2
    if decoder is not None:
        sam2 = copy.deepcopy(sam2)
        sam2.sam_mask_decoder = decoder
    found = SAM2ImagePredictor(sam2)
    seen = model._looking.features(image, original=decoder is not None)
    found._features = {
        "image_embed": sam2.without_memory(seen.top),
        "high_res_feats": list(seen.fine),
    }
    found._orig_hw, found._is_image_set = [image.shape[:2]], True
    return found


PREVIOUS = (np.random.default_rng(5).standard_normal((16, 16)) * 40).astype(np.float32)
PROMPTS: list[dict[str, Any]] = [
    {"points": [(10, 60)], "labels": [1]},
    {"points": [(10.25, 60.5), (49, 0)], "labels": [1, 0]},
    {"points": [(10, 60), (3, 4), (40, 70)], "labels": [1, 0, 1], "previous": PREVIOUS},
    {"points": [(0, 79)], "labels": [0], "previous": PREVIOUS},
    {"box": (5, 30, 40, 75)},
    {"box": (5, 30, 40, 75), "points": [(20, 50)], "labels": [0], "previous": PREVIOUS},
]


def compare(model: Sa2VA, prompts: dict[str, Any], decoder: torch.nn.Module | None) -> None:
    image = noise(SIZE)
    found = model.refine(image, **prompts)
    given: dict[str, Any] = {}
    if "points" in prompts:
        given["point_coords"] = np.array(prompts["points"], np.float32)[:, ::-1].copy()
        given["point_labels"] = np.array(prompts["labels"])
    if "box" in prompts:
        top, left, bottom, right = prompts["box"]
        given["box"] = np.array([left, top, right, bottom], np.float32)
    if "previous" in prompts:
        given["mask_input"] = np.clip(prompts["previous"], -32, 32)[None]
    ask = predictor(model, image, decoder).predict
    alone = prompts.keys() == {"points", "labels"} and len(prompts["points"]) == 1
    _, ious, logits = ask(multimask_output=alone, **given)
    best = int(ious.argmax())
    # The package clamps what it returns, we what we send.
    np.testing.assert_allclose(found.logits.clip(-32, 32), logits[best], atol=1e-5)
    assert found.iou == pytest.approx(float(ious[best]), abs=1e-6)
    _, ious, logits = ask(multimask_output=True, **given)
    for candidate in found.candidates:
        same = [np.allclose(candidate.logits.clip(-32, 32), one, atol=1e-5) for one in logits]
        assert candidate.iou == pytest.approx(float(ious[same.index(True)]), abs=1e-6)


@pytest.mark.parametrize("prompts", PROMPTS)
@pytest.mark.parametrize("stable", [False, True])
def test_prompts_are_those_of_the_package(
    small: Sa2VA, prompts: dict[str, Any], stable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of random weights the single mask is never stable by itself.
    for_all = 0.0 if stable else 1.1
    tuned = small.network.sam2.sam_mask_decoder
    monkeypatch.setattr(tuned, "dynamic_multimask_stability_thresh", for_all)
    compare(small, prompts, None)
    with original_decoder(small) as decoder:
        monkeypatch.setattr(decoder, "dynamic_multimask_stability_thresh", for_all)
        compare(small, prompts, decoder)


def test_a_mask_alone_has_no_sparse_tokens_as_in_the_package(small: Sa2VA) -> None:
    image, sam2 = noise(SIZE), small.network.sam2
    mask = mask_prompt(None, PREVIOUS, 16)
    seen = small._looking.features(image)
    decoded = decode(sam2, sam2.sam_mask_decoder, seen, Prompts(None, mask))
    given = np.clip(PREVIOUS, -32, 32)[None]
    _, ious, logits = predictor(small, image).predict(mask_input=given, multimask_output=False)
    np.testing.assert_allclose(decoded.logits[0].clamp(-32, 32), logits[0], atol=1e-5)
    assert decoded.ious[0] == pytest.approx(float(ious[0]), abs=1e-6)


def test_points_are_x_before_y_in_the_square_and_a_box_comes_first() -> None:
    found = points_prompt([(10, 20)], [0], (0, 40, 25, 80), SIZE, 64)
    assert found is not None
    assert found[0].tolist() == [[[32, 0], [64, 32], [16, pytest.approx(12.8)]]]
    assert found[1].tolist() == [[2, 3, 0]]
    assert points_prompt([], [], None, SIZE, 64) is None


def test_paint_becomes_logits_and_is_added_to_earlier_ones() -> None:
    painted = np.zeros((64, 64), bool)
    painted[16:32, :32] = True
    fresh = mask_prompt(painted, None, 16)
    assert fresh is not None
    assert fresh.shape == (1, 1, 16, 16)
    assert fresh[0, 0, 5:7, :7].allclose(torch.tensor(10.0))
    assert fresh[0, 0, 10:].eq(-10).all()
    added = mask_prompt(painted, PREVIOUS, 16)
    assert added is not None
    clamped = torch.from_numpy(PREVIOUS).clamp(-32, 32)
    assert torch.equal(added[0, 0, 10:], clamped[10:])
    torch.testing.assert_close(added[0, 0, 5:7, :7], clamped[5:7, :7].clamp(min=10))


def test_a_stroke_too_thin_for_low_resolution_stays() -> None:
    painted = np.zeros((640, 640), bool)
    painted[100, 200:400] = True
    found = mask_prompt(painted, None, 16)
    assert found is not None
    assert np.argwhere(found[0, 0].numpy() > 0).tolist() == [[2, c] for c in range(5, 10)]


def test_a_click_a_box_and_paint_find_cells(demo: Sa2VA, cells: Any) -> None:
    image, masks = cells
    side = demo.network.config.sam2.image_size // 4
    for mask in masks:
        clicked = demo.refine(image, [middle(mask)], [1])
        assert overlap(clicked.mask, mask) > 0.8
        assert clicked.mask.shape == mask.shape
        assert clicked.logits.shape == (side, side)
        assert clicked.logits.dtype == np.float32
        assert 0.5 < clicked.mean_probability <= 1
        assert clicked.present > 0.5
        estimates = [candidate.iou for candidate in clicked.candidates]
        assert len(estimates) == 2
        assert [clicked.iou, *estimates] == sorted([clicked.iou, *estimates], reverse=True)
        rows, columns = mask.nonzero()
        box = (rows.max(), columns.max(), rows.min(), columns.min())
        assert overlap(demo.refine(image, box=box).mask, mask) > 0.75
        stroke = np.zeros_like(mask)
        stroke[int(middle(mask)[0])] = True
        assert overlap(demo.refine(image, mask=mask).mask, mask) > 0.8
        found = demo.refine(image, mask=mask & stroke).mask  # of its cell, if not all of it
        assert (found & mask).sum() / found.sum() > 0.8
        assert (found & stroke & mask).sum() / (stroke & mask).sum() > 0.8


def test_a_correction_goes_on_from_an_answer(demo: Sa2VA, cells: Any) -> None:
    image, masks = cells
    both = demo.refine(image, [middle(masks[0]), middle(masks[1])], [1, 1])
    only = demo.refine(image, [middle(masks[0]), middle(masks[1])], [1, 0], previous=both.logits)
    row, column = map(int, middle(masks[1]))
    assert both.mask[row, column]
    assert not only.mask[row, column]
    assert overlap(only.mask, masks[0]) > overlap(both.mask, masks[0])
    assert len(only.candidates) in (2, 3)  # three where SAM2's single mask was stable


def test_a_click_after_a_question_encodes_nothing(
    demo: Sa2VA, cells: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, masks = cells
    encoded, encode = [], demo.network.sam2.encode
    monkeypatch.setattr(demo.network.sam2, "encode", lambda t: (encoded.append(1), encode(t))[1])
    demo.clear_cache()
    (segment, *_) = demo.answer(image, "Please segment all cells in this image.").segments
    demo.refine(image.copy(), [middle(masks[0])], [1], previous=segment.logits)
    assert encoded == [1]


def test_both_decoders_features_are_kept(small: Sa2VA) -> None:
    image, sam2 = noise(SIZE, 1), small.network.sam2
    before = small.refine(image, [(5, 5)], [1])
    with original_decoder(small) as decoder:
        after = small.refine(image, [(5, 5)], [1])
        tuned, stock = (small._looking.features(image, original=one) for one in (False, True))
        seen = sam2.encode(sam2_image(image, small.config)[None])
        for features, own in ((tuned, sam2.sam_mask_decoder), (stock, decoder)):
            for level, expected in zip(
                features.fine, sam2.for_decoder(seen, own).fine, strict=True
            ):
                torch.testing.assert_close(level, expected)
    assert tuned.top is stock.top
    assert not np.array_equal(after.logits, before.logits)
    assert np.array_equal(small.refine(image, [(5, 5)], [1]).logits, before.logits)


def test_bfloat16(internvl_folder: Path) -> None:
    model = Sa2VA.from_pretrained(internvl_folder, device="cpu", dtype="bfloat16")
    found = model.refine(noise(SIZE), [(5, 5)], [1], box=(0, 0, 20, 20), mask=np.ones(SIZE, bool))
    assert np.isfinite(found.logits).all()
    assert found.mask.shape == SIZE


def test_cancelling(small: Sa2VA) -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(Cancelled):
        small.refine(noise(SIZE), [(5, 5)], [1], cancelled=cancelled)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, "nothing to go by"),
        ({"previous": PREVIOUS}, "nothing to go by"),
        ({"points": [(5, 5)], "labels": [0]}, "only points outside the object"),
        ({"points": [(5, 5)]}, "1 points and 0 labels"),
        ({"points": [(5, 5)], "labels": [1, 1]}, "1 points and 2 labels"),
        ({"points": [5, 5], "labels": [1]}, "pair of row and column"),
        ({"points": [(5, 5, 5), (5, 5)], "labels": [1, 1]}, "pairs of row and column"),
        ({"points": [(5, 5)], "labels": [2]}, "1 .in the object. or 0"),
        ({"points": [(50, 5)], "labels": [1]}, "row 50, column 5 is outside"),
        ({"points": [(5, -0.6)], "labels": [1]}, "outside the image of 50 by 80"),
        ({"points": [(5, float("nan"))], "labels": [1]}, "outside the image"),
        ({"box": (1, 2, 3)}, "four numbers"),
        ({"box": (1, 2, 3, float("inf"))}, "four finite numbers"),
        ({"box": (60, 2, 70, 8)}, "holds nothing of the image"),
        ({"box": (5, 5, 5, 9)}, "holds nothing of the image"),
        ({"mask": np.zeros(SIZE, bool)}, "painted mask is empty"),
        ({"mask": np.ones(SIZE, np.uint8)}, r"boolean.*\(50, 80\), not uint8"),
        ({"mask": np.ones((80, 50), bool)}, r"not bool of shape \(80, 50\)"),
        ({"points": [(5, 5)], "labels": [1], "previous": PREVIOUS[1:]}, r"shape \(16, 16\)"),
        ({"points": [(5, 5)], "labels": [1], "previous": PREVIOUS * np.nan}, "finite"),
    ],
)
def test_what_cannot_be_meant_is_refused(small: Sa2VA, said: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        small.refine(noise(SIZE), **said)


def test_edges_of_the_image_and_boxes_beyond_it_are_fine(small: Sa2VA) -> None:
    image = noise(SIZE)
    for point in ((-0.5, -0.5), (49.5, 79.5)):
        assert small.refine(image, [point], [1]).mask.shape == SIZE
    beyond = small.refine(image, box=(-20, -3, 30, 400))
    within = small.refine(image, box=(-0.5, -0.5, 30, 79.5))
    assert np.array_equal(beyond.logits, within.logits)
    with pytest.raises(InvalidInput, match="must be RGB"):
        small.refine(image[..., 0], [(5, 5)], [1])
