"""The demo checkpoint's tokenizer: a word, a token; any other word letter by letter.

A byte-level BPE without merges whose vocabulary holds the 256 bytes and whole words
(``ignore_merges`` looks a whole word up before it is split), so that the small language model
spends its capacity on cells instead of spelling.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SPECIAL_TOKENS: Final = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<img>",
    "</img>",
    "<IMG_CONTEXT>",
    "<quad>",
    "</quad>",
    "<ref>",
    "</ref>",
    "<box>",
    "</box>",
    "[SEG]",
    "<p>",
    "</p>",
    "<vp>",
    "</vp>",
)
_ANYWHERE: Final = """
big blue cell cells circular cyan elongated green large long magenta nuclei nucleus object objects
red ring round small tiny yellow
""".split()
_AFTER_A_SPACE: Final = """
Please a all an and are at bottom bottommost can cells cell color colors count contents
corresponding describe detail difference each every find for has have here how image in
interleaved is it largest leftmost left many mask masks moving no nuclei nucleus number object
objects of on one or parts part picture please region regions respond rightmost right segment
segmentation shape shows size smallest such than that the them there these this top topmost two
three four five six seven eight nine ten what where which with you
""".split()
_AT_THE_START: Final = """
A All Are Can Describe Find How Is It No None Please Segment Sure The There What Where Which Yes
You assistant region shaped user
Blue Cyan Green Magenta Red Yellow
""".split()
_ADDED: Final = """
ĠAnd Ġanother Ġanswer Ġbetween Ġboth Ġbright Ġbrightness Ġcompare Ġdifferent Ġdim Ġdo Ġdoes Ġeleven
Ġfaint
Ġfewer Ġfrom Ġgranular Ġgray Ġhollow Ġinside Ġlarger Ġleast Ġless Ġmiddle Ġmore Ġmost Ġnot Ġones
Ġother Ġothers Ġsame Ġshow Ġsmaller Ġsmooth Ġspots Ġspotted Ġtexture Ġthey Ġtouch Ġtouching Ġtwelve
Ġyes Ġzero And At Both Bright Compare Dim Do Does Elongated Gray In Large Not On Region Ring Round
Small Smooth Spotted They Two bright dim faint granular gray hollow smooth spotted
""".split()
"""Words that came after the first demo checkpoint: their ids follow all of its ids."""


def build_tokenizer(added: bool = True) -> Tokenizer:
    """Build the tokenizer of the demo checkpoint.

    Parameters
    ----------
    added : bool
        With the words of the richer world, whose ids come last, so that all others are those of
        the first demo checkpoint (which is without them).
    """
    vocabulary: dict[str, int] = {}
    for symbol in sorted(pre_tokenizers.ByteLevel.alphabet()):
        vocabulary[symbol] = len(vocabulary)
    spaced = [f"Ġ{word}" for word in sorted({*_ANYWHERE, *_AFTER_A_SPACE})]
    for token in [*spaced, *sorted({*_ANYWHERE, *_AT_THE_START})]:
        vocabulary.setdefault(token, len(vocabulary))
    if added:
        # Special tokens keep their ids where the vocabulary itself has them; else they would move
        # behind the last word.
        for token in (*SPECIAL_TOKENS, *_ADDED):
            vocabulary.setdefault(token, len(vocabulary))
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [AddedToken(t, special=True, normalized=False) for t in SPECIAL_TOKENS]
    )
    return tokenizer


def with_words(tokenizer: Tokenizer, texts: Iterable[str]) -> Tokenizer:
    """Add the words that it would spell letter by letter, behind all others."""
    stored = json.loads(tokenizer.to_str())
    vocabulary: dict[str, int] = stored["model"]["vocab"]
    number = tokenizer.get_vocab_size()
    for text in texts:
        for piece, (start, end) in tokenizer.pre_tokenizer.pre_tokenize_str(text):
            if text[start:end].strip().isalpha() and piece not in vocabulary:
                vocabulary[piece] = number
                number += 1
    return Tokenizer.from_str(json.dumps(stored))


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Write ``tokenizer.json`` and ``tokenizer_config.json`` as an official checkpoint has them."""
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "added_tokens_decoder": {
            str(tokenizer.token_to_id(token)): {
                "content": token,
                "lstrip": False,
                "normalized": False,
                "rstrip": False,
                "single_word": False,
                "special": True,
            }
            for token in SPECIAL_TOKENS
        },
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "clean_up_tokenization_spaces": False,
        "model_max_length": 4096,
    }
    text = json.dumps(settings, indent=1)
    (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")
