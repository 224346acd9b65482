"""Text to token ids and back, from the tokenizer files of a checkpoint."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from transformers import PreTrainedTokenizerFast

from napari_sa2va.errors import CheckpointError
from napari_sa2va.model.prompts import IMAGE, IMAGE_CONTEXT, SEG
from napari_sa2va.model.shards import AGAIN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PHRASE_START: Final = "<p>"
PHRASE_END: Final = "</p>"
_NEEDED: Final = (SEG, IMAGE_CONTEXT, "<img>", "</img>", "<|im_end|>")
# The templates' own stop words; the tokenizer's end-of-sequence token is added to them.
_STOP_WORDS: Final = {
    "qwen_chat": ("<|im_end|>", "<|endoftext|>"),
    "internlm2_chat": ("<|im_end|>",),
}
_SPECIAL_KEYS: Final = ("bos_token", "eos_token", "pad_token", "unk_token")
_WORD: Final = re.compile(r"[^\W\d_]+")


_Fast: Any = PreTrainedTokenizerFast  # its constructor is not typed


class Tokenizer:
    """The tokenizer of a checkpoint.

    Parameters
    ----------
    folder : Path
        Holds ``tokenizer.json`` and, for the special tokens, ``tokenizer_config.json``.
    template : str
        Name of the chat template, which decides where an answer stops.

    Attributes
    ----------
    seg, context : int
        Ids of ``[SEG]`` and of ``<IMG_CONTEXT>``.
    stop : frozenset of int
        Ids that end an answer.

    Raises
    ------
    CheckpointError
        If a file is missing or damaged, or lacks one of Sa2VA's special tokens.
    """

    def __init__(self, folder: Path, template: str = "qwen_chat") -> None:
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise CheckpointError(
                f"{folder} has no tokenizer.json, so the model cannot read. {AGAIN}"
            )
        settings = _special_tokens(folder / "tokenizer_config.json")
        try:
            self._tokenizer: Any = _Fast(tokenizer_file=str(path), **settings)
            model = json.loads(path.read_text(encoding="utf-8"))["model"]
        except Exception as error:  # the Rust library raises bare Exceptions
            raise CheckpointError(f"{path} cannot be read ({error}). {AGAIN}") from error
        if template not in _STOP_WORDS:
            raise CheckpointError(f"This version does not know the chat template {template!r}.")
        vocabulary: dict[str, int] = self._tokenizer.get_vocab()
        lacking = [token for token in _NEEDED if token not in vocabulary]
        if lacking:
            raise CheckpointError(
                f"{path} lacks Sa2VA's special tokens {', '.join(lacking)}: it belongs to another "
                f"model. {AGAIN}"
            )
        self.seg = vocabulary[SEG]
        self.context = vocabulary[IMAGE_CONTEXT]
        self.image_end = vocabulary["</img>"]
        ends = [vocabulary[word] for word in _STOP_WORDS[template] if word in vocabulary]
        if self._tokenizer.eos_token_id is not None:
            ends.append(int(self._tokenizer.eos_token_id))
        self.stop = frozenset(ends)
        self._names = {
            index: str(token) for index, token in self._tokenizer.added_tokens_decoder.items()
        }
        # A vocabulary of whole words has nothing to merge: what is no word falls to letters.
        self._whole_words = model.get("type") == "BPE" and not model.get("merges")

    def __len__(self) -> int:
        return len(self._tokenizer)

    def encode(self, text: str) -> list[int]:
        """Turn text, special tokens included, into ids."""
        ids: list[int] = self._tokenizer.encode(text)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Turn ids into text, special tokens included."""
        text = self._tokenizer.decode(
            list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        assert isinstance(text, str)
        return text

    def special(self, token: int) -> str | None:
        """Return what a special token is called, None for an ordinary one."""
        return self._names.get(token)

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """Return the words that a vocabulary of whole words does not have.

        Such a tokenizer spells them letter by letter, and the model was never taught what the
        letters mean. A tokenizer that merges pieces knows no such words.
        """
        if not self._whole_words:
            return ()
        text = text.replace(IMAGE, "")
        tokens = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        spans = tokens["offset_mapping"]
        unknown: dict[str, None] = {}
        for word in _WORD.finditer(text):
            pieces = sum(start < word.end() and end > word.start() for start, end in spans)
            if pieces > 1:
                unknown[word.group()] = None
        return tuple(unknown)


def _special_tokens(path: Path) -> dict[str, Any]:
    """Read which tokens mean beginning, end and padding; a missing file means none are named."""
    if not path.is_file():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        named = {key: values[key] for key in _SPECIAL_KEYS if values.get(key) is not None}
    except (OSError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}). {AGAIN}") from error
    # A token is stored as its text, or as a dictionary with its text in it.
    return {k: v["content"] if isinstance(v, dict) else v for k, v in named.items()}


class Detokenizer:
    """Turns tokens into text while they come, never splitting a character.

    Parameters
    ----------
    tokenizer : Tokenizer
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._run: list[int] = []  # ordinary tokens since the last break
        self._told = 0  # so many of them have been returned as text

    def push(self, token: int) -> str:
        """Add an ordinary token; return the text that it completes, which may be empty."""
        self._run.append(token)
        text = self._pending()
        if text.endswith("\ufffd") and len(self._run) - self._told < 4:
            return ""  # part of a character; UTF-8 has at most four bytes
        # What was told stays as context: some tokenizers write the first piece without its space.
        self._run, self._told = self._run[self._told :], len(self._run) - self._told
        return text

    def flush(self) -> str:
        """Return what is left, before a special token or at the end."""
        text = self._pending()
        self._run, self._told = [], 0
        return text

    def _pending(self) -> str:
        told = self._tokenizer.decode(self._run[: self._told]) if self._told else ""
        return self._tokenizer.decode(self._run).removeprefix(told) if self._run else ""
