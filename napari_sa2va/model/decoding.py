"""Greedy decoding that keeps one row per ``[SEG]`` and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import torch

from napari_sa2va.model.failures import stop_if

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from torch import Tensor
    from transformers import DynamicCache

    from napari_sa2va.model.backbone import Backbone, Look

MAX_NEW_TOKENS: Final = 2048  # as the official inference has it
# Prompts are read in pieces of this length, which bounds memory and lets a run be cancelled.
_PIECE: Final = 512


class Heard(NamedTuple):
    """A prompt that was read.

    Attributes
    ----------
    state : Tensor, shape (width,)
        Of the prompt's last token.
    past : DynamicCache
        Keys and values of the whole prompt; who decodes lets it grow.
    position : int
        Of the token that comes next; less than the tokens read where an image's share positions.
    contents : tuple of int
        What was read; see `napari_sa2va.model.turns_read.contents`.
    """

    state: Tensor
    past: DynamicCache
    position: int
    contents: tuple[int, ...] = ()


@torch.inference_mode()
def read_prompt(
    backbone: Backbone,
    ids: Tensor,
    positions: Tensor,
    past: DynamicCache,
    visual: int,
    look: Look | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Tensor:
    """Feed a prompt, or the next part of one, to the language model.

    Parameters
    ----------
    backbone : Backbone
    ids : Tensor of int64, shape (n,)
    positions : Tensor, shape (axes, n)
    past : DynamicCache
        Grows by `n` tokens.
    visual : int
        Id of the token in whose place a visual token goes.
    look : Look, optional
        As many visual tokens as places for them.
    cancelled : callable, optional
        Asked between pieces.

    Returns
    -------
    Tensor, shape (width,)
        State of the last token.
    """
    embeddings = backbone.embed(ids)
    here = ids == visual
    if look is not None:
        embeddings[here] = look.tokens.to(embeddings.dtype)
    last, seen = embeddings[-1], 0
    for start in range(0, len(ids), _PIECE):
        stop_if(cancelled)
        piece = slice(start, start + _PIECE)
        more = seen + int(here[piece].sum())
        deep = [layer[seen:more] for layer in look.deep] if look and more > seen else []
        last = backbone.read(embeddings[piece], positions[:, piece], past, here[piece], deep)
        seen = more
    return last


class GreedyDecoder:
    """Generates an answer token by token.

    A ``[SEG]`` is read where it is the input: its state is known one step after it was chosen, and
    never when it is the last token.

    Parameters
    ----------
    backbone : Backbone
    heard : Heard
        The prompt; its keys and values grow.
    seg : int
        Id of ``[SEG]``.
    stop : collection of int
        Ids that end the answer.
    limit : int
        Greatest number of new tokens.

    Attributes
    ----------
    tokens : list of int
        All tokens chosen so far, the stop token included.
    seg_states : list of Tensor, shape (width,)
        One for each ``[SEG]`` that was read.
    """

    def __init__(
        self,
        backbone: Backbone,
        heard: Heard,
        seg: int,
        stop: Collection[int],
        limit: int = MAX_NEW_TOKENS,
    ) -> None:
        self._backbone = backbone
        self._state, self._past, self._next, _ = heard
        self._seg = seg
        self._stop = stop
        self._limit = limit
        self.tokens: list[int] = []
        self.seg_states: list[Tensor] = []

    @property
    def complete(self) -> bool:
        """Whether the answer ended by itself."""
        return bool(self.tokens) and self.tokens[-1] in self._stop

    @property
    def said(self) -> list[int]:
        """All tokens so far but one that ends the answer."""
        return self.tokens[:-1] if self.complete else self.tokens

    @torch.inference_mode()
    def step(self) -> int | None:
        """Choose the next token; None when the answer is over."""
        if self.complete or len(self.tokens) >= self._limit:
            return None
        if self.tokens:
            self._read(self.tokens[-1])
        token = int(self._backbone.logits(self._state).argmax())
        self.tokens.append(token)
        return token

    def _read(self, token: int) -> None:
        device = self._state.device
        self._state = self._backbone.read(
            self._backbone.embed(torch.tensor([token], device=device)),
            torch.full((self._backbone.axes, 1), self._next, device=device),
            self._past,
        )
        self._next += 1
        if token == self._seg:
            self.seg_states.append(self._state)
