"""Conversations: what is sent, what is read again, and that reuse changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sa2va.errors import InvalidInput
from napari_sa2va.model import Exchange, Found, Sa2VA
from napari_sa2va.model.cache import LookCache
from napari_sa2va.model.looking import NOTHING, Looking

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from napari_sa2va.model.turns_read import Read

FAMILIES = ["internvl", "qwen2_5_vl", "qwen3_vl"]
FIRST = Exchange("Please segment the large cell.", "Sure, [SEG].")
SECOND = Exchange("How many are there?", "<p> Two cells </p> [SEG]\n")
ASKED = "Which is larger?"


@pytest.fixture(params=FAMILIES)
def model(request: pytest.FixtureRequest, loaded: Callable[[str], Sa2VA]) -> Sa2VA:
    model = loaded(request.param)
    model.clear_cache()
    return model


@pytest.fixture
def pixels(cases: Any) -> np.ndarray:
    found: np.ndarray = cases("image_square")["pixels"]
    return found


def count_read(model: Sa2VA, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the tokens that the language model is fed; clear the list to begin anew."""
    counts: list[int] = []
    read = model.network.backbone.read

    def counting(embeddings: torch.Tensor, *others: Any) -> torch.Tensor:
        counts.append(len(embeddings))
        return read(embeddings, *others)

    monkeypatch.setattr(model.network.backbone, "read", counting)
    return counts


def test_turns_are_joined_as_in_the_template(model: Sa2VA) -> None:
    ids = model._looking.prompt_ids(NOTHING, ASKED, (), (FIRST, SECOND))
    system = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    turns = "".join(
        f"<|im_start|>user\n{one.question}<|im_end|>\n<|im_start|>assistant\n{one.answer}<|im_end|>\n"
        for one in (FIRST, SECOND)
    )
    written = f"{turns}<|im_start|>user\n{ASKED}<|im_end|>\n<|im_start|>assistant\n"
    assert model._tokenizer.decode(ids).removeprefix(system) == written


def test_a_follow_up_costs_its_own_words_and_says_the_same(
    model: Sa2VA, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking, backbone = model._looking, model.network.backbone
    conversations = [
        (FIRST.question, ()),
        (SECOND.question, (FIRST,)),
        (ASKED, (FIRST, SECOND)),
        ("Which is red?", (FIRST, SECOND)),  # the last question, edited
        ("Why?", (FIRST,)),  # an earlier one
        ("Why?", (FIRST,)),  # the same again
    ]
    image = looking.image(pixels)
    fresh, prompts = [], []
    for question, before in conversations:
        opening = [Exchange(f"<image>\n{one.question}", one.answer) for one in before[:1]]
        asked = question if before else f"<image>\n{question}"
        prompts.append(looking.prompt_ids(image, asked, (), [*opening, *before[1:]]))
        model.clear_cache()
        answer = model.answer(pixels, question, max_new_tokens=5, before=before)
        heard = looking.read(looking.image(pixels), prompts[-1])
        fresh.append((answer, backbone.logits(heard.state)))
    model.clear_cache()
    counts = count_read(model, monkeypatch)
    held: list[int] = []
    for (question, before), prompt, (alone, logits) in zip(
        conversations, prompts, fresh, strict=True
    ):
        counts.clear()
        answer = model.answer(pixels, question, max_new_tokens=5, before=before)
        assert answer.tokens == alone.tokens
        for segment, expected in zip(answer.segments, alone.segments, strict=True):
            np.testing.assert_allclose(segment.logits, expected.logits, atol=1e-3)
        shared = 0
        while shared < min(len(held), len(prompt) - 1) and held[shared] == prompt[shared]:
            shared += 1
        assert sum(counts) == len(prompt) - shared + len(answer.tokens) - 1
        held = [*prompt, *answer.tokens[:-1]]
        heard = looking.read(looking.image(pixels), prompt)
        # The bare logits of these random models reach some hundreds.
        scale = float(logits.abs().max())
        assert float((backbone.logits(heard.state) - logits).abs().max()) < 1e-5 * scale
    assert len(prompts[1]) - len(prompts[0]) < 60 < len(prompts[0])  # words, and an image


def test_what_was_answered_need_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_sa2va.samples import sample_image

    demo = Sa2VA.from_pretrained("demo", "cpu")
    question = "Please segment the large red cell in this image."
    answer = demo.answer(sample_image(), question)
    assert answer.complete
    assert answer.raw == "Sure, [SEG]."
    counts = count_read(demo, monkeypatch)
    before = (Exchange(question, answer.raw),)
    second = demo.answer(sample_image(), "What shape is it?", before=before)
    asked = "<|im_end|>\n<|im_start|>user\nWhat shape is it?<|im_end|>\n<|im_start|>assistant\n"
    assert sum(counts) == len(demo._tokenizer.encode(asked)) + len(second.tokens) - 1


def test_regions_stay_and_are_told_apart(internvl: Sa2VA, pixels: np.ndarray) -> None:
    height, width = pixels.shape[:2]
    regions = np.zeros((2, 1, height, width), bool)
    regions[0, :, : height // 2, : width // 2] = True
    regions[1, :, height // 2 :, width // 2 :] = True  # as many visual tokens as the other
    before = (Exchange("Please describe region1.", "A cell."),)
    alone = []
    for region in regions:
        internvl.clear_cache()
        alone.append(internvl.answer(pixels, "Why?", region, max_new_tokens=4, before=before))
    assert alone[0].tokens != alone[1].tokens
    for region, expected in zip(regions, alone, strict=True):  # the other one's is in the cache
        answer = internvl.answer(pixels, "Why?", region, max_new_tokens=4, before=before)
        assert answer.tokens == expected.tokens


def test_a_movie_is_asked_about(model: Sa2VA, cases: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    case = cases("video", model.config.family)
    frames = list(case["pixels"][:5])
    answer = model.answer(frames, case["text"], max_new_tokens=16)
    assert list(answer.tokens) == case["generated_ids"].tolist()
    assert len(answer.segments) == case["segments"]
    assert {segment.mask.shape for segment in answer.segments} == {frames[0].shape[:2]}
    counts = count_read(model, monkeypatch)
    before = (Exchange(case["text"], "Sure, [SEG]."),)
    follow_up = model.answer(frames, ASKED, max_new_tokens=4, before=before)
    assert sum(counts) < 80
    model.clear_cache()
    assert model.answer(frames, ASKED, max_new_tokens=4, before=before).tokens == follow_up.tokens


def test_movies_that_cannot_be_asked_about(small: Sa2VA) -> None:
    frame = np.zeros((32, 40, 3), np.uint8)
    with pytest.raises(InvalidInput, match="no frame"):
        small.answer([], ASKED)
    with pytest.raises(InvalidInput, match="one size"):
        small.answer([frame, frame[1:]], ASKED)
    with pytest.raises(InvalidInput, match="not in a movie"):
        small.answer([frame, frame], ASKED, np.ones((1, 32, 40), bool))


def test_a_model_s_own_signs_in_an_answer_are_left_out(model: Sa2VA, pixels: np.ndarray) -> None:
    tokenizer = model._tokenizer
    signs = [str(tokenizer.special(token)) for token in sorted(tokenizer._written)]
    said = Exchange("What?", "".join(f"a{sign}" for sign in signs) + "<|im_<|im_end|>end|>")
    assert [tokenizer.special(token) for token in tokenizer.encode_answer(said.answer)] == (
        [None] * len(tokenizer.encode_more("a" * len(signs) + "<|im_"))
        + [None] * len(tokenizer.encode_more("end|>"))
    )
    model.answer(pixels, ASKED, max_new_tokens=1, before=(said,))


def test_marks_in_words_only_give_no_masks(internvl: Sa2VA, cases: Any) -> None:
    case = cases("text_only")
    first = internvl.answer(None, case["text"], max_new_tokens=16)
    assert "[SEG]" in first.text
    before = (Exchange(case["text"], first.raw),)
    second = internvl.answer(None, ASKED, max_new_tokens=4, before=before)
    assert first.segments == second.segments == ()


def test_a_small_cache_keeps_the_image_but_no_turns(internvl: Sa2VA, pixels: np.ndarray) -> None:
    seen = internvl._looking.image(pixels)
    ids = internvl._looking.prompt_ids(seen, f"<image>\n{ASKED}")
    whole: Read = internvl._looking.read(seen, ids) and internvl._cache.peek(("read", seen.key))
    cache = LookCache(whole.nbytes - 100)
    Looking(internvl.network, internvl._tokenizer, cache).read(seen, ids)
    kept: Read = cache.peek(("read", seen.key))
    assert kept.contents == tuple(ids[: ids.index(internvl._tokenizer.image_end) + 1])
    assert kept.nbytes == cache.bytes_held == whole.nbytes * len(kept.contents) // len(ids)


def test_a_conversation_ends_where_the_model_can_read_no_more(
    internvl: Sa2VA, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = internvl.network.backbone.decoder.config
    monkeypatch.setattr(config, "max_position_embeddings", 90)
    before = (Exchange("What?", "It is."),)
    answer = internvl.answer(None, ASKED, before=before)
    assert len(answer.tokens) < 90
    assert not answer.complete
    with pytest.raises(InvalidInput, match="grown to"):
        internvl.answer(None, ASKED, before=before * 4)


def test_tracking_reads_the_same_movie(internvl: Sa2VA, cases: Any) -> None:
    """What a question about a movie has read serves the tracking that follows."""
    case = cases("video_short")
    internvl.clear_cache()
    answer = internvl.answer(list(case["pixels"]), case["text"], max_new_tokens=8)
    found = next(
        part
        for part in internvl.track(case["pixels"], case["text"], max_new_tokens=8)
        if isinstance(part, Found)
    )
    assert found.answer.tokens == answer.tokens
