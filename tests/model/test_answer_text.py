from __future__ import annotations

import random
import re

import golden
import pytest

from napari_sa2va.model.answer_text import AnswerText, Phrase
from napari_sa2va.model.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(golden.GOLDEN / "internvl")


def read(tokenizer: Tokenizer, raw: str) -> tuple[AnswerText, list[str]]:
    words = AnswerText(tokenizer)
    parts = [words.push(token) for token in tokenizer.encode(raw)]
    return words, [*parts, words.finish()]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Sure, [SEG].<|im_end|>", "Sure, [SEG]."),
        ("<p> A cell </p> [SEG] by <p>two</p>[SEG].", "A cell [SEG] by two[SEG]."),
        ("a <b> < p> \n", "a <b> < p> \n"),
        ("<p> open", "open"),
        ("<vp>x</vp><|im_end|>", "x"),
        ("", ""),
    ],
)
def test_text_is_told_without_tags_and_streamed_as_it_is(
    tokenizer: Tokenizer, raw: str, text: str
) -> None:
    words, parts = read(tokenizer, raw)
    assert words.text == text
    assert "".join(parts) == text


@pytest.mark.parametrize(
    ("raw", "phrases"),
    [
        ("It is [SEG].", [None]),
        (
            "<p> A cell </p> [SEG] by <p> two </p> [SEG] [SEG] [SEG]",
            ["A cell", "two", "two", "two"],
        ),
        ("[SEG] <p> named </p> [SEG] then [SEG]", [None, "named", None]),
        ("<p> not it </p> and [SEG]", [None]),
        ("<p> </p> [SEG]", [None]),
        ("<p> a <p> b </p> [SEG]", ["b"]),
        ("<p> never closed [SEG]", [None]),
        ("<p> with a [SEG] in it </p> [SEG]", [None, None]),
        ("closed only </p> [SEG]", [None]),
        ("<p> a </p> </p> [SEG]", [None]),
        ("<p> a </p>" + " [SEG]" * 50, ["a"] * 50),
        ("<p> 細胞 😀 </p> [SEG] <p> خلية </p>[SEG]", ["細胞 😀", "خلية"]),
    ],
)
def test_phrases_belong_to_the_masks_behind_them(
    tokenizer: Tokenizer, raw: str, phrases: list[str | None]
) -> None:
    words, _ = read(tokenizer, raw)
    found = words.phrases()
    assert [phrase.text if phrase else None for phrase in found] == phrases
    for phrase in found:
        if isinstance(phrase, Phrase):
            assert words.text[slice(*phrase.span)] == phrase.text


def test_whatever_a_model_writes_is_text_with_phrases_in_it(tokenizer: Tokenizer) -> None:
    """Any order of tags, spaces and letters of any script, byte for byte."""
    rng = random.Random(5)
    pieces = ["<p>", "</p>", "[SEG]", "<vp>", " ", "\n", "a", "細", "😀", "é", "\ufffd", "\ue000"]
    for _ in range(300):
        raw = "".join(rng.choices(pieces, k=rng.randint(1, 14)))
        words, parts = read(tokenizer, raw)
        expected = re.sub(r"<p>\s*|\s*</p>", "", raw.replace("<vp>", ""))
        assert words.text == "".join(parts) == expected, raw
        found = words.phrases()
        assert len(found) == raw.count("[SEG]"), raw
        for phrase in filter(None, found):
            assert words.text[slice(*phrase.span)] == phrase.text == phrase.text.strip() != ""
            assert "[SEG]" not in phrase.text


def test_a_long_answer_costs_no_more_by_the_token(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []
    decode = tokenizer.decode
    monkeypatch.setattr(tokenizer, "decode", lambda ids: decoded.append(len(ids)) or decode(ids))
    words = AnswerText(tokenizer)
    for token in tokenizer.encode("<p> a cell </p> [SEG] and 細胞. " * 60):
        words.push(token)
    assert max(decoded) < 10  # tokens at a time: a character or two


def test_letters_that_spell_a_tag_are_no_tag(tokenizer: Tokenizer) -> None:
    words = AnswerText(tokenizer)
    for letter in "<p>x</p> [SEG]":
        words.push(tokenizer.encode(letter)[0])
    words.finish()
    assert words.text == "<p>x</p> [SEG]"
    assert words.phrases() == []
