"""The official code's answers about images, reproduced in float32 on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import golden
import numpy as np
import pytest
import torch

from napari_sa2va.model.looking import NOTHING, Looking
from napari_sa2va.model.regions import region_tokens
from napari_sa2va.model.speech import Speech

if TYPE_CHECKING:
    from napari_sa2va.model import Answer, Sa2VA

IMAGES = ["image", "image_square", "region"]


def regions_of(case: dict[str, Any]) -> np.ndarray | None:
    return case["prompt_masks"].astype(bool) if "prompt_masks" in case else None


def ask(model: Sa2VA, case: dict[str, Any]) -> Answer:
    return model.answer(case.get("pixels"), case["text"], regions_of(case), max_new_tokens=16)


def assert_masks(answer: Answer, case: dict[str, Any], side: int) -> None:
    assert len(answer.segments) == case["segments"]
    for index, segment in enumerate(answer.segments):
        expected = golden.golden_mask(case, index)[0]
        assert (segment.mask != expected).mean() <= golden.MASK_PIXELS
        if f"seg{index}_mask_logits" in case:
            stored = case[f"seg{index}_mask_logits"][0].astype(np.float32)
            found = golden.at_sam_size(segment.logits, side)
            assert np.abs(found - stored).max() < golden.LOGITS


@pytest.mark.parametrize("name", IMAGES)
def test_images_are_answered_as_by_the_official_code(
    internvl: Sa2VA, cases: Any, name: str
) -> None:
    case = cases(name)
    internvl.clear_cache()
    for _ in range(2):  # the second time from the caches
        answer = ask(internvl, case)
        assert list(answer.tokens) == case["generated_ids"].tolist()
        assert answer.raw.strip() == case["prediction"].strip()
        assert_masks(answer, case, internvl.config.sam2.image_size)


def test_words_are_answered_as_by_the_official_code(internvl: Sa2VA, cases: Any) -> None:
    case = cases("text_only")
    answer = ask(internvl, case)
    assert list(answer.tokens) == case["generated_ids"].tolist()
    assert answer.segments == ()


@pytest.mark.parametrize("name", IMAGES)
def test_visual_tokens_and_prompts(internvl: Sa2VA, cases: Any, name: str) -> None:
    case = cases(name)
    looking: Looking = internvl._looking
    seen = looking.image(case["pixels"])
    (look,) = seen.looks
    tiles = look.tokens.unflatten(0, (-1, internvl.config.tokens_per_tile))
    assert list(tiles.shape) == case["visual_tokens_shape"].tolist()
    for which, stored in ((0, "visual_tokens_first_tile"), (-1, "visual_tokens_last_tile")):
        assert np.abs(tiles[which].numpy() - case[stored]).max() < golden.VISUAL
    regions = regions_of(case)
    pointed = [] if regions is None else region_tokens(regions, internvl.config.token_side)
    ids = looking.prompt_ids(seen, case["text"], pointed)
    assert ids == case["input_ids"].tolist()


def test_a_prompt_of_words_only(internvl: Sa2VA, cases: Any) -> None:
    case = cases("text_only")
    assert internvl._looking.prompt_ids(NOTHING, case["text"]) == case["input_ids"].tolist()


@pytest.mark.parametrize("name", IMAGES)
def test_language_embeddings(internvl: Sa2VA, cases: Any, name: str) -> None:
    case = cases(name)
    looking, regions = internvl._looking, regions_of(case)
    pointed = [] if regions is None else region_tokens(regions, internvl.config.token_side)
    seen = looking.image(case["pixels"])
    network, tokenizer = internvl.network, internvl._tokenizer
    speech = Speech(network, tokenizer, looking, seen, case["text"], pointed, None, 16)
    assert "".join(part.text for part in speech.parts())
    embeddings = speech.language()
    stored = [case[f"seg{i}_language_embedding"] for i in range(case["segments"])]
    assert embeddings.shape == (len(stored), internvl.config.sam2.d_model)
    assert torch.allclose(embeddings, torch.from_numpy(np.stack(stored)), atol=golden.EMBEDDING)


@pytest.mark.parametrize("capacity", [0, 1 << 30], ids=["no cache", "cache"])
def test_a_second_question_does_not_depend_on_the_first(
    internvl: Sa2VA, cases: Any, capacity: int
) -> None:
    case = cases("image")
    internvl.clear_cache()
    internvl.cache_bytes, kept = capacity, internvl.cache_bytes
    try:
        other = internvl.answer(case["pixels"], "What is this?", max_new_tokens=6)
        answer = ask(internvl, case)
        again = internvl.answer(case["pixels"], "What is this?", max_new_tokens=6)
    finally:
        internvl.cache_bytes = kept
    assert other.tokens == again.tokens
    assert list(answer.tokens) == case["generated_ids"].tolist()
    assert_masks(answer, case, internvl.config.sam2.image_size)
