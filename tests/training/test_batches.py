"""Question trees: what training shows the model is what inference will show it."""

from __future__ import annotations

import torch

from napari_sa2va.model.config import Sa2VAConfig
from napari_sa2va.model.network import Sa2VANetwork
from napari_sa2va.model.prompts import first_question, image_string, region_string, turn
from napari_sa2va.training.batches import SceneBatches, SequenceBuilder
from napari_sa2va.training.demo_config import demo_config
from napari_sa2va.training.initialise import initialise
from napari_sa2va.training.questions import FOUND, REFUSAL, Turn
from napari_sa2va.training.steps import run_language
from napari_sa2va.training.vocabulary import build_tokenizer

_TOKENIZER = build_tokenizer()
_CONFIG = Sa2VAConfig.from_dict(demo_config(_TOKENIZER.get_vocab_size()))
_TURNS = [
    Turn("Please segment the large red cell in this image.", FOUND, "combination", (0,)),
    Turn("Please segment the dog in this image.", REFUSAL, "unknown word"),
    Turn("Please describe the region1 in detail.", "A small red round cell.", "region", region=1),
]


def test_every_branch_is_the_prompt_that_inference_builds() -> None:
    builder = SequenceBuilder(_TOKENIZER, _CONFIG, 1)
    tree = builder.tree(_TURNS, [[], [], [3, 4]])
    for number, (asked, region) in enumerate(zip(_TURNS, [[], [], [3, 4]], strict=True), start=1):
        text = first_question(asked.question)
        image = image_string(1, _CONFIG.tokens_per_tile)
        text = text.replace("<image>", image + (region_string([len(region)]) if region else ""))
        wanted = _TOKENIZER.encode(turn(text) + asked.answer + "<|im_end|>\n").ids
        seen = [
            token
            for token, branch in zip(tree["ids"], tree["branch"], strict=True)
            if branch in (0, number)
        ]
        assert seen == wanted


def test_labels_are_the_answers() -> None:
    tree = SequenceBuilder(_TOKENIZER, _CONFIG, 1).tree(_TURNS, [[], [], [3, 4]])
    for number, asked in enumerate(_TURNS, start=1):
        pairs = zip(tree["labels"], tree["branch"], strict=True)
        labels = [label for label, branch in pairs if branch == number and label >= 0]
        assert labels == _TOKENIZER.encode(asked.answer + "<|im_end|>").ids
    seg = _TOKENIZER.token_to_id("[SEG]")
    assert [tree["ids"][place] for place in tree["seg_at"]] == [seg]


def test_branches_do_not_see_each_other() -> None:
    """A question among others gets the states that it gets alone."""
    torch.manual_seed(0)
    network = Sa2VANetwork(_CONFIG)
    initialise(network)
    builder = SequenceBuilder(_TOKENIZER, _CONFIG, 1)
    tokens = torch.randn(1, _CONFIG.tokens_per_tile, _CONFIG.language["hidden_size"])
    together = builder.batch([builder.tree(_TURNS, [[], [], [3, 4]])])
    alone = builder.batch([builder.tree(_TURNS[1:2], [[]])])
    with torch.inference_mode():
        many, _ = run_language(network, together, tokens)
        one, _ = run_language(network, alone, tokens)
    torch.testing.assert_close(many[together.branch == 2], one[alone.branch == 1])


def test_words_of_the_lessons_are_tokens() -> None:
    """Only words that are meant to be unknown are spelt letter by letter."""
    for text in (
        "Please segment the tiny ring-shaped nucleus on the left in this image.",
        "Where is all nuclei in this picture? Please respond with a segmentation mask.",
        "Can you segment the largest magenta object at the bottom in this image?",
        "Please describe the region1 in detail.",
        "What color are the cells?",
        "Red, green and blue.",
        "There are 2 part regions in the picture: ",
    ):
        tokens = _TOKENIZER.encode(text).tokens
        assert not [t for t in tokens if len(t) == 1 and t.isalpha() and t not in "ĠĊ"], tokens
    assert len(_TOKENIZER.encode(" dog").ids) == 4  # the space is a byte too


def test_a_batch_holds_soft_masks_of_what_is_asked() -> None:
    batch = SceneBatches(_TOKENIZER, _CONFIG, 0, size=2, questions=4).make(range(2))
    assert len(batch.seg_masks) == len(batch.sequences.seg_at)
    assert len(batch.prompt_masks) == len(batch.sequences.prompt_at)
    assert batch.seg_masks.flatten(1).amax(1).min() > 0.5
    assert batch.images.shape == (2, 3, 256, 256)
    assert batch.tiles.shape == (2, 3, 192, 192)
