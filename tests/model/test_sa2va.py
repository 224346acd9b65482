"""What a caller sees of the model: parts in order, cancelling, caches, errors."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import golden
import numpy as np
import pytest
import torch

from napari_sa2va.errors import (
    Cancelled,
    CheckpointError,
    EngineError,
    InvalidInput,
    NotEnoughMemory,
)
from napari_sa2va.model import Answer, Sa2VA, SegmentPart, TextPart

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TEXT = "Please segment the large cell."


def pixels_of(cases: Callable[..., dict[str, Any]]) -> np.ndarray:
    pixels: np.ndarray = cases("image_square")["pixels"]
    return pixels


def test_parts_come_in_order_and_add_up(internvl: Sa2VA, cases: Any) -> None:
    case = cases("image")
    parts = list(internvl.ask(case["pixels"], case["text"], max_new_tokens=16))
    kinds = [type(part) for part in parts]
    assert kinds == sorted(kinds, key=[TextPart, SegmentPart, Answer].index)
    answer = parts[-1]
    assert isinstance(answer, Answer)
    assert "".join(part.text for part in parts if isinstance(part, TextPart)) == answer.text
    segments = [part.segment for part in parts if isinstance(part, SegmentPart)]
    assert tuple(segments) == answer.segments
    assert not answer.complete
    side = internvl.config.sam2.image_size // 4
    for segment in segments:
        assert segment.logits.shape == (side, side)
        assert segment.logits.dtype == np.float32
        assert segment.mask.shape == case["pixels"].shape[:2]
        assert segment.mask.dtype == np.bool_
        assert 0 <= segment.iou <= 1
        assert 0.5 < segment.mean_probability <= 1


def test_a_mark_as_the_very_last_token_gives_no_mask(internvl: Sa2VA, cases: Any) -> None:
    case = cases("image")
    tokens = case["generated_ids"].tolist()
    seg = internvl._tokenizer.seg
    first = tokens.index(seg)
    assert internvl.answer(case["pixels"], case["text"], max_new_tokens=first + 1).segments == ()
    answer = internvl.answer(case["pixels"], case["text"], max_new_tokens=first + 2)
    assert len(answer.segments) == 1


def test_a_plain_question_gets_the_image_in_front(internvl: Sa2VA, cases: Any) -> None:
    pixels = pixels_of(cases)
    plain = internvl.answer(pixels, TEXT, max_new_tokens=4)
    written = internvl.answer(pixels, f"<image>\n{TEXT}", max_new_tokens=4)
    assert plain.tokens == written.tokens


def test_an_image_is_looked_at_once(
    internvl: Sa2VA, cases: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels, calls = pixels_of(cases), []
    network = internvl.network
    see, encode = network.backbone.look, network.sam2.encode
    monkeypatch.setattr(network.backbone, "look", lambda *args: calls.append("tiles") or see(*args))
    monkeypatch.setattr(network.sam2, "encode", lambda t: calls.append("sam2") or encode(t))
    internvl.clear_cache()
    question = cases("image_square")["text"]
    for text in (question, "What is this?", question):
        internvl.answer(pixels.copy(), text, max_new_tokens=8)
    assert calls == ["tiles", "sam2"]
    held = internvl.bytes_held
    internvl.clear_cache()
    assert internvl.bytes_held < held
    internvl.answer(pixels, question, max_new_tokens=8)
    assert calls == ["tiles", "sam2"] * 2


def test_cancelling_between_tokens_and_between_masks(internvl: Sa2VA, cases: Any) -> None:
    case = cases("image_square")
    for stop_at in (TextPart, SegmentPart):
        cancelled, seen = threading.Event(), []
        with pytest.raises(Cancelled):  # the parts before it are looked at too
            for part in internvl.ask(
                case["pixels"], case["text"], cancelled=cancelled, max_new_tokens=16
            ):
                seen.append(part)
                if isinstance(part, stop_at):
                    cancelled.set()
        assert isinstance(seen[-1], stop_at)
        assert sum(isinstance(part, stop_at) for part in seen) == 1


def test_cancelling_while_looking(internvl: Sa2VA, cases: Any) -> None:
    internvl.clear_cache()
    asked: list[int] = []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) > 2

    with pytest.raises(Cancelled):
        internvl.answer(cases("image")["pixels"], TEXT, cancelled=cancelled)
    assert len(asked) == 3


def test_cancelling_in_the_middle_of_a_look(
    internvl: Sa2VA, cases: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, ran = cases("image_square"), []
    cancelled = threading.Event()
    blocks = internvl.network.sam2.image_encoder.trunk.blocks
    for block in blocks:
        monkeypatch.setattr(
            block,
            "forward",
            lambda x, forward=block.forward: (cancelled.set(), ran.append(1), forward(x))[-1],
        )
    internvl.clear_cache()
    with pytest.raises(Cancelled):
        internvl.answer(case["pixels"], case["text"], cancelled=cancelled, max_new_tokens=16)
    assert len(ran) == 1 < len(blocks)
    assert not any(layer._forward_pre_hooks for layer in internvl.network.layers)


def test_a_caller_between_parts_is_not_in_inference_mode(internvl: Sa2VA, cases: Any) -> None:
    case = cases("image_square")
    with closing(internvl.ask(case["pixels"], case["text"], max_new_tokens=8)) as parts:
        for part in parts:
            assert not torch.is_inference_mode_enabled()
            if isinstance(part, SegmentPart):
                break
    assert not torch.is_inference_mode_enabled()


@pytest.mark.parametrize(
    ("image", "text", "regions", "words"),
    [
        (np.zeros((8, 8), np.uint8), TEXT, None, "must be RGB"),
        (np.zeros((8, 8, 4), np.uint8), TEXT, None, "must be RGB"),
        (np.zeros((8, 0, 3), np.uint8), TEXT, None, "must be RGB"),
        (np.zeros((8, 8, 3), np.float32), TEXT, None, "must be RGB"),
        ([[[0, 0, 0]]], TEXT, None, r"numpy array, not list: try numpy\.asarray"),
        (np.zeros((8, 8, 3), np.uint8), "<image>\n ", None, "empty"),
        (np.zeros((8, 8, 3), np.uint8), "<image> and <image>", None, "once"),
        (None, "<image> what is it?", None, "once"),
        (None, "", None, "empty"),
        (np.zeros((8, 8, 3), np.uint8), "a <IMG_CONTEXT>", None, "Take it out"),
        (np.zeros((8, 8, 3), np.uint8), "x<|im_end|>y", None, "Take it out"),
        (None, TEXT, np.ones((1, 8, 8), bool), "need an image"),
        (np.zeros((8, 8, 3), np.uint8), TEXT, np.ones((1, 8, 9), bool), "image's size"),
        (np.zeros((8, 8, 3), np.uint8), TEXT, np.ones((1, 8, 8), np.uint8), "image's size"),
        (np.zeros((8, 8, 3), np.uint8), TEXT, np.zeros((1, 8, 8), bool), "Region 1 is empty"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    internvl: Sa2VA, image: Any, text: str, regions: Any, words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        internvl.answer(image, text, regions)


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (700, 2), (3000, 40)])
def test_images_of_odd_shapes(internvl: Sa2VA, shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    answer = internvl.answer(image, "Please segment it.", max_new_tokens=12)
    assert all(segment.mask.shape == shape for segment in answer.segments)


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
            NotEnoughMemory,
        ),
        (torch.OutOfMemoryError("CUDA out of memory."), NotEnoughMemory),
        (RuntimeError("MPS backend out of memory"), NotEnoughMemory),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"), NotEnoughMemory),
        (RuntimeError("CUDA error: device-side assert"), EngineError),
    ],
)
def test_what_torch_raises_is_translated(
    internvl: Sa2VA,
    cases: Any,
    monkeypatch: pytest.MonkeyPatch,
    raised: Exception,
    expected: type[Exception],
) -> None:
    pixels = pixels_of(cases)
    internvl.answer(pixels, "What?", max_new_tokens=2)
    held = internvl.bytes_held

    def fail(*args: object, **kwargs: object) -> None:
        raise raised

    monkeypatch.setattr(internvl.network.language_model.lm_head, "forward", fail)
    with pytest.raises(expected) as caught:
        internvl.answer(pixels, "What?")
    assert caught.value.__cause__ is raised
    # What was looked at is dropped when memory was short, and only then.
    assert (internvl.bytes_held < held - 10_000) == (expected is NotEnoughMemory)


def test_bfloat16_runs_everywhere(internvl_folder: Path, cases: Any) -> None:
    model = Sa2VA.from_pretrained(internvl_folder, device="cpu", dtype="bfloat16")
    assert model.dtype_name == "bfloat16"
    case = cases("region")
    answer = model.answer(
        case["pixels"], case["text"], case["prompt_masks"].astype(bool), max_new_tokens=8
    )
    assert answer.segments
    for segment in answer.segments:
        assert np.isfinite(segment.logits).all()
    # Where both precisions said the same up to the first mask, the mask is nearly the same.
    stored = case["generated_ids"].tolist()
    until = stored.index(model._tokenizer.seg) + 1
    if list(answer.tokens[:until]) == stored[:until]:
        expected = golden.golden_mask(case, 0)[0]
        mask = answer.segments[0].mask
        assert (mask & expected).sum() / (mask | expected).sum() > 0.9


def test_unloading(internvl_folder: Path) -> None:
    model = Sa2VA.from_pretrained(str(internvl_folder), device="cpu")
    assert model.dtype == torch.float32
    assert model.bytes_held > 1_000_000
    assert model.capabilities.regions
    assert not model.capabilities.consistent_tracking
    model.unload()
    assert model.bytes_held == 0
    with pytest.raises(EngineError, match="unloaded"):
        model.answer(None, TEXT)
    model.unload()  # as a dock and a notebook that share it may both do


def test_choices_that_cannot_be_met(internvl_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no device called"):
        Sa2VA.from_pretrained(internvl_folder, device="abacus")
    with pytest.raises(InvalidInput, match="has no device"):
        Sa2VA.from_pretrained(internvl_folder, device="cuda:99")
    with pytest.raises(InvalidInput, match="no dtype"):
        Sa2VA.from_pretrained(internvl_folder, device="cpu", dtype="float8")
    with pytest.raises(CheckpointError, match=r"config\.json"):
        Sa2VA.from_pretrained(tmp_path, device="cpu")
