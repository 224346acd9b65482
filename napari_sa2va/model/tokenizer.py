"""Text to token ids and back, from the tokenizer files of a checkpoint."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from tokenizers import AddedToken
from transformers import PreTrainedTokenizerFast

from napari_sa2va.errors import CheckpointError
from napari_sa2va.model.config import read_json
from napari_sa2va.model.prompts import IMAGE, SEG, template_signs
from napari_sa2va.model.shards import AGAIN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_sa2va.model.prompts import Signs

PHRASE_START: Final = "<p>"
PHRASE_END: Final = "</p>"
_SPECIAL_KEYS: Final = ("bos_token", "eos_token", "pad_token", "unk_token")
_ANSWER: Final = "\ue000"  # private use: no text has it by itself
_LONGEST_RUN: Final = 32
_WORD: Final = re.compile(r"[^\W\d_]+")


_Fast: Any = PreTrainedTokenizerFast  # its constructor is not typed


class Tokenizer:
    """The tokenizer of a checkpoint.

    Parameters
    ----------
    folder : Path
        Holds ``tokenizer.json``, or SentencePiece's ``tokenizer.model``; and, for the special
        tokens, ``tokenizer_config.json``.
    signs : Signs, optional
        What the family writes into prompts; by default InternVL's with a Qwen2.

    Attributes
    ----------
    seg, visual, image_end : int
        Ids of ``[SEG]``, of what stands where a visual token goes, and of what follows an image.
    stop : frozenset of int
        Ids that end an answer: the signs' own, and the tokenizer's end of a sequence.

    Raises
    ------
    CheckpointError
        If a file is missing or damaged, or lacks one of Sa2VA's special tokens.
    """

    def __init__(self, folder: Path, signs: Signs | None = None) -> None:
        signs = template_signs("qwen_chat") if signs is None else signs
        path = folder / "tokenizer.json"
        pieces = folder / "tokenizer.model"
        settings = _settings(folder / "tokenizer_config.json")
        named = {key: settings[key] for key in _SPECIAL_KEYS if settings.get(key) is not None}
        # A token is stored as its text, or as a dictionary with its text in it.
        named = {k: v["content"] if isinstance(v, dict) else v for k, v in named.items()}
        if path.is_file():
            try:
                self._tokenizer: Any = _Fast(tokenizer_file=str(path), **named)
                model = json.loads(path.read_text(encoding="utf-8"))["model"]
            except Exception as error:  # the Rust library raises bare Exceptions
                raise CheckpointError(f"{path} cannot be read ({error}). {AGAIN}") from error
        elif pieces.is_file():
            path, model = pieces, {}
            self._tokenizer = _from_pieces(pieces, settings, named)
        else:
            raise CheckpointError(
                f"{folder} has no tokenizer.json, so the model cannot read. {AGAIN}"
            )
        vocabulary: dict[str, int] = self._tokenizer.get_vocab()
        needed = (SEG, signs.visual, signs.image_end, *signs.others)
        lacking = [token for token in needed if token not in vocabulary]
        if lacking:
            raise CheckpointError(
                f"{path} lacks Sa2VA's special tokens {', '.join(lacking)}: it belongs to another "
                f"model. {AGAIN}"
            )
        self.seg = vocabulary[SEG]
        self.visual = vocabulary[signs.visual]
        self.image_end = vocabulary[signs.image_end]
        self.signs = signs
        ends = [vocabulary[word] for word in signs.stop if word in vocabulary]
        if self._tokenizer.eos_token_id is not None:
            ends.append(int(self._tokenizer.eos_token_id))
        self.stop = frozenset(ends)
        self._written = self.stop | {vocabulary[token] for token in needed if token != SEG}
        self._names = {
            index: str(token) for index, token in self._tokenizer.added_tokens_decoder.items()
        }
        self._template = _chat_template(folder)
        # A vocabulary of whole words has nothing to merge: what is no word falls to letters.
        self._whole_words = model.get("type") == "BPE" and not model.get("merges")

    def __len__(self) -> int:
        return len(self._tokenizer)

    def encode(self, text: str) -> list[int]:
        """Turn text, special tokens included, into ids."""
        ids: list[int] = self._tokenizer.encode(text)
        return ids

    def encode_more(self, text: str) -> list[int]:
        """Turn text that follows other text into ids: no sign of a beginning in front."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return ids

    def encode_answer(self, raw: str) -> list[int]:
        """Turn an earlier answer into ids, as in training on its own.

        The signs that only the program writes are left out: a model may have made one, and must
        not end its turn, or begin a user's, by it.
        """
        return [token for token in self.encode_more(raw) if token not in self._written]

    def decode(self, ids: Sequence[int]) -> str:
        """Turn ids into text, special tokens included."""
        text = self._tokenizer.decode(
            list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        assert isinstance(text, str)
        return text

    def chat(self, images: int, questions: Sequence[str]) -> list[str] | None:
        """Write a conversation in the checkpoint's own chat template.

        Parameters
        ----------
        images : int
            So many come in front of the first question.
        questions : sequence of str
            One at least.

        Returns
        -------
        list of str, or None
            As many as questions: what comes in front of each answer. None where the checkpoint has
            no template.

        Raises
        ------
        CheckpointError
            If the template cannot be followed.
        """
        if self._template is None:
            return None
        answer = _ANSWER  # stands for all answers but the last
        while any(answer in question for question in questions):
            answer += _ANSWER
        messages: list[dict[str, Any]] = []
        for number, question in enumerate(questions):
            shown = [{"type": "image"}] * (0 if number else images)
            messages += [
                {"role": "user", "content": [*shown, {"type": "text", "text": question}]},
                {"role": "assistant", "content": [{"type": "text", "text": answer}]},
            ]
        try:
            # transformers runs templates in jinja2's sandbox: they compute text and nothing else.
            written = self._tokenizer.apply_chat_template(
                messages[:-1],
                chat_template=self._template,
                tokenize=False,
                add_generation_prompt=True,
            )
        except Exception as error:  # a template may raise whatever it likes
            raise CheckpointError(
                f"The checkpoint's chat template cannot be followed ({error}). {AGAIN}"
            ) from error
        assert isinstance(written, str)
        pieces = written.split(answer)
        if len(pieces) != len(questions):
            raise CheckpointError(
                "The checkpoint's chat template cannot be followed: it leaves out earlier turns. "
                f"{AGAIN}"
            )
        return pieces

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


def _chat_template(folder: Path) -> str | None:
    """Read the chat template, in whichever file the checkpoint has it; None without any."""
    path = folder / "chat_template.jinja"
    if path.is_file():
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{path} cannot be read ({error}). {AGAIN}") from error
    for name in ("chat_template.json", "tokenizer_config.json"):
        template = _settings(folder / name).get("chat_template")
        if isinstance(template, str):
            return template
    return None


def _settings(path: Path) -> dict[str, Any]:
    """Read ``tokenizer_config.json``; a missing file says nothing."""
    try:
        return read_json(path)
    except FileNotFoundError:
        return {}


def _from_pieces(path: Path, settings: dict[str, Any], named: dict[str, str]) -> Any:
    """Build the tokenizer of a SentencePiece file."""
    from napari_sa2va.model.sentencepiece_file import build_tokenizer, read_model

    model = read_model(path)
    try:
        added = {
            int(index): AddedToken(
                token["content"],
                lstrip=bool(token.get("lstrip")),
                rstrip=bool(token.get("rstrip")),
                normalized=bool(token.get("normalized")),
                special=True,
            )
            for index, token in settings.get("added_tokens_decoder", {}).items()
        }
        # InternLM2's tokenizer puts it in front unless it is told not to.
        begin = named.get("bos_token") if settings.get("add_bos_token", True) else None
        backend = build_tokenizer(model, added, begin)
        return _Fast(tokenizer_object=backend, **named)
    except Exception as error:  # the Rust library raises bare Exceptions
        raise CheckpointError(
            f"{path} and tokenizer_config.json do not belong together ({error}). {AGAIN}"
        ) from error


class Detokenizer:
    """Turns tokens into text while they come, never splitting a character.

    Parameters
    ----------
    tokenizer : Tokenizer
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        # Tokens that were told stay as context: some tokenizers write the first one of a text
        # without its space.
        self._context: list[int] = []
        self._run: list[int] = []
        self._told = 0  # characters of the context

    def push(self, token: int) -> str:
        """Add an ordinary token; return the text that it completes, which may be empty."""
        self._run.append(token)
        text = self._tokenizer.decode(self._context + self._run)
        # Perhaps part of a character. Bytes that never become one are let go at some length, or
        # each of them would cost more than the one before.
        if text.endswith("\ufffd") and len(self._run) < _LONGEST_RUN:
            return ""
        more = text[self._told :]
        self._begin_after(self._run)
        return more

    def flush(self, special: int | None = None) -> str:
        """Return what is left, at the end or before a special token."""
        more = self._tokenizer.decode(self._context + self._run)[self._told :] if self._run else ""
        self._begin_after([] if special is None else [special])
        return more

    def _begin_after(self, context: list[int]) -> None:
        self._context, self._run = context, []
        self._told = len(self._tokenizer.decode(context)) if context else 0
