"""The vocabulary grows, and everything that was known keeps its id."""

from __future__ import annotations

import json

from napari_sa2va.samples import demo_folder
from napari_sa2va.training.vocabulary import SPECIAL_TOKENS, build_tokenizer


def test_the_first_vocabulary_is_the_shipped_one_or_its_beginning() -> None:
    shipped = json.loads((demo_folder() / "tokenizer.json").read_text(encoding="utf-8"))
    first = json.loads(build_tokenizer(added=False).to_str())["model"]["vocab"]
    stored = shipped["model"]["vocab"]
    assert all(stored[token] == index for token, index in first.items())


def test_new_words_come_last() -> None:
    old, new = (build_tokenizer(added).get_vocab() for added in (False, True))
    assert all(new[token] == index for token, index in old.items())
    assert sorted(new.values()) == list(range(len(new)))
    assert len(new) > len(old)


def test_special_tokens_are_special_in_both() -> None:
    for tokenizer in (build_tokenizer(False), build_tokenizer(True)):
        for token in SPECIAL_TOKENS:
            assert token in tokenizer.encode(f"the {token}cell").tokens
        assert tokenizer.decode(
            tokenizer.encode("It is [SEG].").ids, skip_special_tokens=False
        ) == ("It is [SEG].")
