from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import golden
import pytest
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, pre_tokenizers

from napari_sa2va.errors import CheckpointError
from napari_sa2va.model.prompts import template_signs
from napari_sa2va.model.tokenizer import Detokenizer, Tokenizer

if TYPE_CHECKING:
    from pathlib import Path

SPECIAL = ["<|im_end|>", "<|endoftext|>", "<|im_start|>", "<img>", "</img>", "<IMG_CONTEXT>"]
SPECIAL += ["[SEG]", "<p>", "</p>", "<vp>", "</vp>"]


@pytest.fixture(scope="module")
def byte_tokenizer() -> Tokenizer:
    return Tokenizer(golden.GOLDEN / "internvl")


def word_tokenizer(folder: Path, words: list[str]) -> Tokenizer:
    """Whole words and single bytes, no merges: the demo checkpoint's kind."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate([*letters, *words])}
    backend = Backend(models.BPE(vocabulary, [], ignore_merges=True))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(SPECIAL)
    backend.save(str(folder / "tokenizer.json"))
    return Tokenizer(folder)


def test_stop_tokens_come_from_the_template_and_the_tokenizer(byte_tokenizer: Tokenizer) -> None:
    named = {byte_tokenizer.special(token) for token in byte_tokenizer.stop}
    assert named == {"<|im_end|>", "<|endoftext|>"}


@pytest.mark.parametrize("text", ["plain", "µm, 10 °C, 細胞 and 😀\n", "<p>a</p> [SEG]<|im_end|>"])
def test_text_survives_both_ways(byte_tokenizer: Tokenizer, text: str) -> None:
    assert byte_tokenizer.decode(byte_tokenizer.encode(text)) == text


def test_streamed_text_never_splits_a_character(byte_tokenizer: Tokenizer) -> None:
    text = "a 細胞 of 10 µm 😀 ok"
    detokenizer = Detokenizer(byte_tokenizer)
    parts = [detokenizer.push(token) for token in byte_tokenizer.encode(text)]
    parts.append(detokenizer.flush())
    assert "".join(parts) == text
    assert not any("\ufffd" in part for part in parts)


def test_bytes_that_are_no_text_come_out_in_the_end(byte_tokenizer: Tokenizer) -> None:
    detokenizer = Detokenizer(byte_tokenizer)
    tokens = byte_tokenizer.encode("😀")[:3]
    assert [detokenizer.push(token) for token in tokens] == ["", "", ""]
    assert detokenizer.flush() == byte_tokenizer.decode(tokens)


def test_unknown_words_are_those_spelt_in_pieces(tmp_path: Path) -> None:
    tokenizer = word_tokenizer(tmp_path, ["the", "Ġred", "Ġcell", "Ġin"])
    question = "<image>\nthe red zebra, cell in the zebra 12"
    # "the" is known at the beginning only: with a space in front it is another token.
    assert tokenizer.unknown_words(question) == ("zebra", "the")
    assert tokenizer.unknown_words("the red cell") == ()


def test_a_tokenizer_with_merges_knows_no_unknown_words(tmp_path: Path) -> None:
    word_tokenizer(tmp_path, ["ab"])
    path = tmp_path / "tokenizer.json"
    stored = json.loads(path.read_text(encoding="utf-8"))
    stored["model"]["merges"] = [["a", "b"]]
    path.write_text(json.dumps(stored), encoding="utf-8")
    assert Tokenizer(tmp_path).unknown_words("ab zebra") == ()


def test_broken_and_foreign_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"has no tokenizer\.json.*Download") as missing:
        Tokenizer(tmp_path)
    assert "\n" not in str(missing.value)
    word_tokenizer(tmp_path, ["cell"])
    with pytest.raises(CheckpointError, match="chat template 'phi3_chat'"):
        template_signs("phi3_chat")
    path = tmp_path / "tokenizer.json"
    path.write_text(path.read_text(encoding="utf-8").replace("[SEG]", "[CUT]"), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"lacks Sa2VA's special tokens \[SEG\]"):
        Tokenizer(tmp_path)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(CheckpointError, match="cannot be read"):
        Tokenizer(tmp_path)
    shutil.copyfile(golden.GOLDEN / "internvl" / "tokenizer.json", path)
    (tmp_path / "tokenizer_config.json").write_text("[", encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"tokenizer_config\.json cannot be read"):
        Tokenizer(tmp_path)
