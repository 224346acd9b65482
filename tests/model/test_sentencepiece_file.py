"""Text is cut as SentencePiece itself cut it (``encoded.json``, by sentencepiece 0.2.3).

Both models were trained on the README, with the settings named in the tests.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import golden
import numpy as np
import pytest
import torch

from napari_sa2va.errors import CheckpointError
from napari_sa2va.model import Exchange, Sa2VA
from napari_sa2va.model.answer_text import AnswerText
from napari_sa2va.model.checkpoint import save_checkpoint
from napari_sa2va.model.config import Sa2VAConfig
from napari_sa2va.model.looking import NOTHING
from napari_sa2va.model.network import Sa2VANetwork
from napari_sa2va.model.prompts import template_signs
from napari_sa2va.model.sentencepiece_file import build_tokenizer, read_model
from napari_sa2va.model.tokenizer import Tokenizer

if TYPE_CHECKING:
    from napari_sa2va.model.config import Sam2Config

DATA = Path(__file__).parents[1] / "data" / "sentencepiece"
SPECIAL = ["<|im_end|>", "<|im_start|>", "<img>", "</img>", "<IMG_CONTEXT>"]
SPECIAL += ["[SEG]", "<p>", "</p>", "<vp>", "</vp>"]
PIECES = 700


def encoded(name: str) -> dict[str, list[int]]:
    stored: dict[str, dict[str, list[int]]] = json.loads((DATA / "encoded.json").read_text())
    return stored[name]


@pytest.mark.parametrize("name", ["plain", "prefixed"])
def test_text_is_cut_as_by_sentencepiece(name: str) -> None:
    model = read_model(DATA / f"{name}.model")
    assert len(model.pieces) == PIECES
    assert model.dummy_prefix == model.remove_spaces == (name == "prefixed")
    tokenizer = build_tokenizer(model, {}, None)
    for text, ids in encoded(name).items():
        assert tokenizer.encode(text).ids == ids, text
        if name == "plain":
            assert tokenizer.decode(ids, skip_special_tokens=False) == text


def internlm2_folder(folder: Path) -> Path:
    """Write a tokenizer as InternLM2 checkpoints have it: one special token takes a piece's id."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(DATA / "plain.model", folder / "tokenizer.model")
    taken = {0: "<unk>", 1: "<s>", 2: "</s>", 4: SPECIAL[0]}
    added = taken | {PIECES + i: token for i, token in enumerate(SPECIAL[1:])}
    settings = {
        "tokenizer_class": "InternLM2Tokenizer",
        "auto_map": {"AutoTokenizer": ["tokenization_internlm2.InternLM2Tokenizer", None]},
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "added_tokens_decoder": {
            str(index): {"content": token, "special": True} for index, token in added.items()
        },
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


def test_special_tokens_have_their_ids_and_text_begins_with_its_token(tmp_path: Path) -> None:
    tokenizer = Tokenizer(internlm2_folder(tmp_path), template_signs("internlm2_chat"))
    words = encoded("plain")["cell"]
    assert tokenizer.encode("cell") == [1, *words]
    assert tokenizer.encode("<|im_start|>cell<|im_end|>") == [1, PIECES, *words, 4]
    assert (tokenizer.image_end, tokenizer.visual, tokenizer.seg) == (702, 703, 704)
    assert {tokenizer.special(token) for token in tokenizer.stop} == {"<|im_end|>", "</s>"}
    text = "<p> two  cells, 10 µm </p> [SEG]\n"
    assert tokenizer.decode(tokenizer.encode(text)[1:]) == text
    words = AnswerText(tokenizer)
    parts = [words.push(token) for token in tokenizer.encode_answer(f"It is [SEG] by {text}細胞")]
    assert "".join([*parts, words.finish()]) == "It is [SEG] by two  cells, 10 µm [SEG]\n細胞"
    assert tokenizer.unknown_words("zebra") == ()


def test_damage_is_named(tmp_path: Path) -> None:
    folder = internlm2_folder(tmp_path)
    path = folder / "tokenizer_config.json"
    path.write_text(path.read_text().replace('"705"', '"805"'))
    with pytest.raises(CheckpointError, match=r"805.*Download"):
        Tokenizer(folder)
    model = folder / "tokenizer.model"
    for damaged in (model.read_bytes()[:-3], b"", b"\xff" * 40):
        model.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"tokenizer\.model.*Download"):
            Tokenizer(folder)


def test_a_checkpoint_with_internlm2_answers(tmp_path: Path, small_sam2: Sam2Config) -> None:
    """From the files on the disk to masks, in the official format."""
    config: dict[str, Any] = json.loads((golden.GOLDEN / "internvl" / "config.json").read_text())
    config |= {"template": "internlm2_chat", "sam2": asdict(small_sam2)}
    config["llm_config"] = {
        "architectures": ["InternLM2ForCausalLM"],
        "model_type": "internlm2",
        "hidden_size": 48,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "vocab_size": PIECES + len(SPECIAL) - 1,
        "rope_scaling": {"type": "dynamic", "factor": 2.0},
        "max_position_embeddings": 4096,
        "bias": False,
    }
    with torch.random.fork_rng():
        torch.manual_seed(4)
        network = Sa2VANetwork(Sa2VAConfig.from_dict(config)).eval().requires_grad_(False)
    folder = internlm2_folder(tmp_path / "checkpoint")
    save_checkpoint(network, config, folder, folder, torch.float32)
    model = Sa2VA.from_pretrained(folder, device="cpu", dtype="float32")
    assert model.capabilities.regions
    for name, tensor in network.state_dict().items():
        assert torch.equal(model.network.state_dict()[name], tensor), name
    image = np.random.default_rng(0).integers(0, 255, (60, 60, 3), np.uint8)
    answer = model.answer(image, "Please segment the cell.", max_new_tokens=4)
    assert len(answer.tokens) == 4
    assert model.answer(image, "Please segment the cell.", max_new_tokens=4) == answer
    before = (Exchange("Please segment the cell.", answer.raw),)
    follow_up = model.answer(image, "What is it?", max_new_tokens=4, before=before)
    model.clear_cache()
    again = model.answer(image, "What is it?", max_new_tokens=4, before=before)
    assert again.tokens == follow_up.tokens
    said = model._looking.prompt_ids(NOTHING, "What is it?", (), before)
    assert said.count(1) == 1  # the sign of a beginning
