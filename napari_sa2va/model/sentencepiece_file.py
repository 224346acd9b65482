"""A fast tokenizer from a SentencePiece file, which InternLM2 checkpoints have instead of JSON.

The file is a protocol buffer (sentencepiece_model.proto of google/sentencepiece). The few fields
that decide how a BPE model cuts text are read here: neither the library nor any code is run.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, processors
from tokenizers.models import BPE

from napari_sa2va.errors import CheckpointError
from napari_sa2va.model.shards import AGAIN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# Field numbers of the proto.
_PIECES, _TRAINER, _NORMALIZER = 1, 2, 3
_PIECE, _SCORE, _TYPE = 1, 2, 3
_MODEL_TYPE, _CHARSMAP, _DUMMY_PREFIX, _REMOVE_SPACES = 3, 2, 3, 4
# Kinds of models and of pieces.
_BPE: Final = 2
_NORMAL: Final = 1
_UNKNOWN: Final = 2
_USER_DEFINED: Final = 4
# Wire types: variable-length number, 8 bytes, length and bytes, 4 bytes.
_NUMBER, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5

_SPACE: Final = "▁"  # what SentencePiece writes for a space


class Piece(NamedTuple):
    """An entry of the vocabulary."""

    text: str
    score: float
    kind: int


class Model(NamedTuple):
    """What is read of a file.

    Attributes
    ----------
    pieces : tuple of Piece
        By id.
    charsmap : bytes
        Rules by which characters are replaced first; empty for none.
    dummy_prefix, remove_spaces : bool
        Put a space in front of every text; make one space of several.
    """

    pieces: tuple[Piece, ...]
    charsmap: bytes
    dummy_prefix: bool
    remove_spaces: bool


def read_model(path: Path) -> Model:
    """Read a SentencePiece file.

    Raises
    ------
    CheckpointError
        If it cannot be read, or is not of the BPE kind.
    """
    try:
        file = list(_fields(path.read_bytes()))
        pieces = []
        for number, value in file:
            if number == _PIECES:
                piece = dict(_fields(value))
                (score,) = struct.unpack("<f", piece.get(_SCORE, bytes(4)))
                pieces.append(Piece(piece[_PIECE].decode(), score, piece.get(_TYPE, _NORMAL)))
        settings = dict(file)
        trainer = dict(_fields(settings.get(_TRAINER, b"")))
        normalizer = dict(_fields(settings.get(_NORMALIZER, b"")))
        model = Model(
            tuple(pieces),
            bytes(normalizer.get(_CHARSMAP, b"")),
            bool(normalizer.get(_DUMMY_PREFIX, True)),
            bool(normalizer.get(_REMOVE_SPACES, True)),
        )
    except (OSError, ValueError, KeyError, IndexError, TypeError, struct.error) as error:
        raise CheckpointError(f"{path} cannot be read ({error!r}). {AGAIN}") from error
    if trainer.get(_MODEL_TYPE, 1) != _BPE or not pieces:
        raise CheckpointError(f"{path} is of a kind that no Sa2VA checkpoint has. {AGAIN}")
    return model


def build_tokenizer(model: Model, named: Mapping[int, Any], begin: str | None) -> Tokenizer:
    """Build a tokenizer that cuts text as SentencePiece does.

    Parameters
    ----------
    named : mapping of int to AddedToken
        Special tokens by id, which take the places of pieces or follow them.
    begin : str or None
        The special token in front of every text.

    Raises
    ------
    ValueError
        If a special token gets another id than it is to have.
    """
    texts = [named[i].content if i in named else one.text for i, one in enumerate(model.pieces)]
    vocabulary = {text: index for index, text in enumerate(texts)}
    unknown = next((texts[i] for i, one in enumerate(model.pieces) if one.kind == _UNKNOWN), None)
    tokenizer = Tokenizer(
        BPE(vocabulary, _merges(model), unk_token=unknown, fuse_unk=True, byte_fallback=True)
    )
    steps: list[Any] = []
    if model.charsmap:
        steps.append(normalizers.Precompiled(model.charsmap))
    if model.remove_spaces:
        steps += [normalizers.Replace(Regex(p), t) for p, t in (("^ +| +$", ""), (" {2,}", " "))]
    if model.dummy_prefix:
        steps.append(normalizers.Prepend(_SPACE))
    steps.append(normalizers.Replace(" ", _SPACE))
    tokenizer.normalizer = normalizers.Sequence(steps)
    written: list[Any] = [decoders.Replace(_SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    if model.dummy_prefix:
        written.append(decoders.Strip(content=" ", left=1))
    tokenizer.decoder = decoders.Sequence(written)
    whole = [
        AddedToken(one.text, normalized=False)
        for index, one in enumerate(model.pieces)
        if one.kind == _USER_DEFINED and index not in named
    ]
    tokenizer.add_tokens(whole)
    tokenizer.add_special_tokens([named[index] for index in sorted(named)])
    for index, token in named.items():
        if tokenizer.token_to_id(token.content) != index:
            raise ValueError(f"{token.content} does not get its id {index}")
    if begin is not None:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{begin} $A", special_tokens=[(begin, tokenizer.token_to_id(begin))]
        )
    return tokenizer


def _merges(model: Model) -> list[tuple[str, str]]:
    """Return the pairs that are merged, best first: those whose whole has the highest score.

    SentencePiece stores no merges: any two neighbours that are a piece together may become one.
    """
    scores = {one.text: one.score for one in model.pieces if one.kind == _NORMAL}
    found = [
        (score, text[:cut], text[cut:])
        for text, score in scores.items()
        for cut in range(1, len(text))
        if text[:cut] in scores and text[cut:] in scores
    ]
    found.sort(key=lambda merge: (-merge[0], -len(merge[1])))
    return [(left, right) for _, left, right in found]


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield the fields of a message: their numbers, and numbers or bytes."""
    place = 0
    while place < len(data):
        key, place = _number(data, place)
        wire = key & 7
        if wire == _NUMBER:
            value, place = _number(data, place)
            yield key >> 3, value
            continue
        if wire == _BYTES:
            length, place = _number(data, place)
        elif wire in (_EIGHT, _FOUR):
            length = 8 if wire == _EIGHT else 4
        else:
            raise ValueError(f"wire type {wire}")
        if place + length > len(data):
            raise ValueError("cut short")
        yield key >> 3, data[place : place + length]
        place += length


def _number(data: bytes, place: int) -> tuple[int, int]:
    """Read a number of seven bits a byte, the lowest first; return it and the place after it."""
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
