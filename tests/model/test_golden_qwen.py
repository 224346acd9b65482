"""The official code's answers with the Qwen-VL families, reproduced in float32 on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import golden
import numpy as np
import pytest
import torch

from napari_sa2va.errors import CheckpointError, InvalidInput
from napari_sa2va.model import Found, Sa2VA, TrackedFrame
from napari_sa2va.model.looking import NOTHING
from napari_sa2va.model.speech import Speech

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FAMILIES = ["qwen2_5_vl", "qwen3_vl"]
IMAGES = ["image", "image_square"]


@pytest.fixture(params=FAMILIES)
def qwen(request: pytest.FixtureRequest, loaded: Callable[[str], Sa2VA]) -> Sa2VA:
    return loaded(request.param)


@pytest.fixture
def qwen_case(qwen: Sa2VA, cases: Any) -> Callable[[str], dict[str, Any]]:
    return lambda name: cases(name, qwen.config.family)


def assert_masks(masks: np.ndarray, case: dict[str, Any], index: int) -> None:
    """Compare masks (frames, height, width) of one object."""
    assert (masks != golden.golden_mask(case, index)).mean() <= golden.MASK_PIXELS


def assert_logits(frames: list[np.ndarray], case: dict[str, Any], index: int, model: Sa2VA) -> None:
    """Compare one object's low-resolution logits of all frames with the stored ones."""
    if f"seg{index}_mask_logits" not in case:
        return
    stored = case[f"seg{index}_mask_logits"].astype(np.float32)
    for frame, logits in zip(case[f"seg{index}_logit_frames"], stored, strict=True):
        found = golden.at_sam_size(frames[frame], model.config.sam2.image_size)
        assert np.abs(found - logits).max() < golden.LOGITS


@pytest.mark.parametrize("name", IMAGES)
def test_images(qwen: Sa2VA, qwen_case: Any, name: str) -> None:
    case, looking = qwen_case(name), qwen._looking
    qwen.clear_cache()
    seen = looking.image(case["pixels"])
    (look,) = seen.looks
    assert list(look.tokens.shape) == case["visual_tokens_shape"].tolist()
    assert np.abs(look.tokens[:64].numpy() - case["visual_tokens_first_64"]).max() < golden.VISUAL
    ((_, rows, columns),) = case["image_grid_thw"]
    assert look.grid == (rows // 2, columns // 2)
    assert looking.prompt_ids(seen, case["text"]) == case["input_ids"].tolist()
    speech = Speech(
        qwen.network, qwen._tokenizer, looking, seen, case["text"], (), lambda: False, 16
    )
    assert "".join(part.text for part in speech.parts())
    stored = np.stack([case[f"seg{i}_language_embedding"] for i in range(case["segments"])])
    assert np.abs(speech.language().numpy() - stored).max() < golden.EMBEDDING
    answer = qwen.answer(case["pixels"], case["text"], max_new_tokens=16)  # from the caches
    assert list(answer.tokens) == case["generated_ids"].tolist()
    assert answer.raw.strip() == case["prediction"].strip()
    assert len(answer.segments) == case["segments"]
    for index, segment in enumerate(answer.segments):
        assert_masks(segment.mask[None], case, index)
        assert_logits([segment.logits], case, index, qwen)


def test_words(qwen: Sa2VA, qwen_case: Any) -> None:
    case = qwen_case("text_only")
    assert qwen._looking.prompt_ids(NOTHING, case["text"]) == case["input_ids"].tolist()
    answer = qwen.answer(None, case["text"], max_new_tokens=16)
    assert list(answer.tokens) == case["generated_ids"].tolist()
    assert answer.segments == ()


def test_a_video(qwen: Sa2VA, qwen_case: Any) -> None:
    case = qwen_case("video")
    seen = qwen._looking.frames(case["pixels"][:5])
    assert qwen._looking.prompt_ids(seen, case["text"]) == case["input_ids"].tolist()
    parts = list(qwen.track(case["pixels"], case["text"], max_new_tokens=16))
    (found,) = [part for part in parts if isinstance(part, Found)]
    frames = [part for part in parts if isinstance(part, TrackedFrame)]
    assert list(found.answer.tokens) == case["generated_ids"].tolist()
    assert len(found.objects) == case["segments"]
    assert [frame.index for frame in frames] == list(range(len(case["pixels"])))
    masks = np.stack([frame.masks for frame in frames], axis=1)
    for index, mask in enumerate(masks):
        assert_masks(mask, case, index)
        assert_logits([frame.logits[index] for frame in frames], case, index, qwen)


def test_positions_are_those_of_transformers(qwen: Sa2VA, qwen_case: Any) -> None:
    """On three axes: along one, the text models would answer too, and wrongly."""
    case = qwen_case("video")
    ids, visual = case["input_ids"].tolist(), qwen._tokenizer.visual
    backbone: Any = qwen.network.backbone
    looks = qwen._looking.frames(case["pixels"][:5]).looks
    expected, beyond = backbone.model.model.get_rope_index(
        torch.tensor([ids]),
        mm_token_type_ids=(torch.tensor([ids]) == visual).int(),
        image_grid_thw=torch.from_numpy(case["image_grid_thw"]),
    )
    positions = backbone.positions(ids, visual, looks)
    assert torch.equal(positions, expected[:, 0])
    assert int(positions.max()) + 1 == len(ids) + int(beyond)
    assert len({tuple(axis) for axis in positions.tolist()}) == 3


def test_a_question_after_another_image_is_answered_alike(qwen: Sa2VA, qwen_case: Any) -> None:
    """transformers keeps positions of the last image on its model; here none may leak."""
    case, other = qwen_case("image_square"), qwen_case("image")
    answers = []
    for capacity in (0, qwen.cache_bytes):
        qwen.clear_cache()
        qwen.cache_bytes, kept = capacity, qwen.cache_bytes
        try:
            qwen.answer(case["pixels"], "What is this?", max_new_tokens=2)
            qwen.answer(other["pixels"], other["text"], max_new_tokens=2)
            answers.append(qwen.answer(case["pixels"], case["text"], max_new_tokens=16))
        finally:
            qwen.cache_bytes = kept
    without, reused = answers
    assert list(without.tokens) == list(reused.tokens) == case["generated_ids"].tolist()
    for one, two in zip(without.segments, reused.segments, strict=True):
        assert np.abs(one.logits - two.logits).max() < 1e-3


def test_what_was_seen_is_read_once(
    qwen: Sa2VA, qwen_case: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels, backbone = qwen_case("image_square")["pixels"], qwen.network.backbone
    looks, lengths = [], []
    look, read = backbone.look, backbone.read
    monkeypatch.setattr(backbone, "look", lambda *args: looks.append(1) or look(*args))
    monkeypatch.setattr(
        backbone, "read", lambda some, *args: lengths.append(len(some)) or read(some, *args)
    )
    qwen.clear_cache()
    qwen.answer(pixels, "What is this?", max_new_tokens=1)
    assert sum(lengths) > (look_tokens := len(qwen._looking.image(pixels).looks[0].tokens))
    lengths.clear()
    qwen.answer(pixels, "Where is it?", max_new_tokens=1)
    assert sum(lengths) < look_tokens / 4
    assert len(looks) == 1


def test_regions_are_refused_not_ignored(qwen: Sa2VA, qwen_case: Any) -> None:
    pixels = qwen_case("image_square")["pixels"]
    assert not qwen.capabilities.regions
    with pytest.raises(InvalidInput, match="regions"):
        qwen.answer(pixels, "Describe region1.", np.ones((1, *pixels.shape[:2]), bool))


@pytest.mark.parametrize("sign", ["<|image_pad|>", "<|vision_end|>", "<|im_start|>"])
def test_signs_of_the_prompt_are_refused(qwen: Sa2VA, sign: str) -> None:
    with pytest.raises(InvalidInput, match="Take it out"):
        qwen.answer(None, f"What is {sign}?")


def test_without_a_chat_template_the_family_s_own_is_written(
    qwen: Sa2VA, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qwen._tokenizer, "_template", None)
    written = qwen.network.backbone.prompt(qwen._tokenizer, ["<image>Where?", "And?"], [2, 1])
    images = "".join(f"<|vision_start|>{'<|image_pad|>' * count}<|vision_end|>" for count in (2, 1))
    turn = f"<|im_start|>user\n{images}Where?<|im_end|>\n<|im_start|>assistant\n"
    system = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    assert written[0] == (system if qwen.config.family == "qwen2_5_vl" else "") + turn
    assert written[1] == "<|im_end|>\n<|im_start|>user\nAnd?<|im_end|>\n<|im_start|>assistant\n"


@pytest.mark.parametrize(
    "template",
    [
        "{% for message in",
        "{{ raise_exception('no') }}",
        "{{ messages.__class__.__mro__[1].__subclasses__() }}",
        "{{ cycler.__init__.__globals__.os.system('true') }}",
    ],
)
def test_a_template_computes_text_and_nothing_else(
    loaded: Callable[[str], Sa2VA], monkeypatch: pytest.MonkeyPatch, template: str
) -> None:
    qwen = loaded("qwen3_vl")
    monkeypatch.setattr(qwen._tokenizer, "_template", template)
    with pytest.raises(CheckpointError, match="template cannot be followed"):
        qwen.answer(None, "What?", max_new_tokens=1)


def test_bfloat16(tmp_path: Path, cases: Any) -> None:
    folder = golden.write_checkpoint("qwen3_vl", tmp_path)
    model = Sa2VA.from_pretrained(folder, device="cpu", dtype="bfloat16")
    case = cases("image_square", "qwen3_vl")
    answer = model.answer(case["pixels"], case["text"], max_new_tokens=8)
    assert answer.segments
    assert all(np.isfinite(segment.logits).all() for segment in answer.segments)


def test_an_object_is_corrected_by_clicks(qwen: Sa2VA, qwen_case: Any) -> None:
    case = qwen_case("image")
    refined = qwen.refine(case["pixels"], points=[(100, 150)], labels=[1])
    assert refined.mask.shape == case["pixels"].shape[:2]
    assert len(refined.candidates) == 2


def test_runs_are_told_apart_by_their_checkpoint(
    loaded: Callable[[str], Sa2VA], cases: Any
) -> None:
    one, other = (loaded(family) for family in FAMILIES)
    frames = cases("video", FAMILIES[0])["pixels"][:2]
    mask = np.zeros((1, *frames[0].shape[:2]), bool)
    mask[0, 40:80, 40:80] = True
    run = one.track_masks(frames, {0: mask})
    assert len(list(run)) == 2
    assert run.state is not None
    with pytest.raises(InvalidInput, match="another checkpoint"):
        list(other.resume(frames, run.state))
