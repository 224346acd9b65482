"""Greedy decoding that keeps one row per ``[SEG]`` and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch

from napari_sa2va.model.failures import stop_if

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from torch import Tensor
    from transformers import DynamicCache

MAX_NEW_TOKENS: Final = 2048  # as the official inference has it
# Prompts are read in pieces of this length, which bounds memory and lets a run be cancelled.
_PIECE: Final = 512


def read_prompt(
    language_model: Any,
    embeddings: Tensor,
    past: DynamicCache,
    cancelled: Callable[[], bool] | None = None,
) -> Tensor:
    """Feed a prompt, or the next part of one, to the language model.

    Parameters
    ----------
    language_model : Module
        A causal language model of transformers.
    embeddings : Tensor, shape (n, width)
    past : DynamicCache
        Grows by `n` positions.
    cancelled : callable, optional
        Asked between pieces.

    Returns
    -------
    Tensor, shape (width,)
        State of the last token after the final norm.
    """
    last = embeddings[-1]
    for piece in torch.split(embeddings, _PIECE):
        stop_if(cancelled)
        out = language_model.model(inputs_embeds=piece[None], past_key_values=past, use_cache=True)
        last = out.last_hidden_state[0, -1]
    return last


class GreedyDecoder:
    """Generates an answer token by token.

    A ``[SEG]`` is read where it is the input: its state is known one step after it was chosen, and
    never when it is the last token.

    Parameters
    ----------
    language_model : Module
        A causal language model of transformers.
    state : Tensor, shape (width,)
        State of the prompt's last token.
    past : DynamicCache
        Keys and values of the whole prompt; grows.
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
        language_model: Any,
        state: Tensor,
        past: DynamicCache,
        seg: int,
        stop: Collection[int],
        limit: int = MAX_NEW_TOKENS,
    ) -> None:
        self._model = language_model
        self._state = state
        self._past = past
        self._seg = seg
        self._stop = stop
        self._limit = limit
        self.tokens: list[int] = []
        self.seg_states: list[Tensor] = []

    @property
    def complete(self) -> bool:
        """Whether the answer ended by itself."""
        return bool(self.tokens) and self.tokens[-1] in self._stop

    @torch.inference_mode()
    def step(self) -> int | None:
        """Choose the next token; None when the answer is over."""
        if self.complete or len(self.tokens) >= self._limit:
            return None
        if self.tokens:
            self._read(self.tokens[-1])
        token = int(self._model.lm_head(self._state).argmax())
        self.tokens.append(token)
        return token

    def _read(self, token: int) -> None:
        device = self._state.device
        out = self._model.model(
            input_ids=torch.tensor([[token]], device=device),
            past_key_values=self._past,
            use_cache=True,
        )
        self._state = out.last_hidden_state[0, -1]
        if token == self._seg:
            self.seg_states.append(self._state)
