"""The vision-language model that a Sa2VA is built on: what every family of them has to say.

A family is one file in `napari_sa2va.model.families`. All else (reading, caching, decoding, masks,
tracking) is the same for all of them and goes through this interface.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from transformers import DynamicCache

    from napari_sa2va.model.config import Sa2VAConfig
    from napari_sa2va.model.names import Naming
    from napari_sa2va.model.prompts import Signs
    from napari_sa2va.model.tokenizer import Tokenizer


class Look(NamedTuple):
    """One image, or one frame, as the language model sees it.

    Attributes
    ----------
    tokens : Tensor, shape (n, width)
        Visual tokens, in the order in which the prompt has them.
    deep : tuple of Tensor, shapes (n, width)
        What is added to the states of those tokens after the first layers, a tensor a layer
        (Qwen3-VL); empty in other families.
    grid : tuple of int
        Rows and columns of the tokens, where their positions depend on it; else (0, 0).
    """

    tokens: Tensor
    deep: tuple[Tensor, ...] = ()
    grid: tuple[int, int] = (0, 0)

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return self.tokens.nbytes + sum(layer.nbytes for layer in self.deep)

    def after(self, count: int) -> Look:
        """Leave out the first tokens."""
        return Look(self.tokens[count:], tuple(layer[count:] for layer in self.deep))

    @staticmethod
    def together(looks: Sequence[Look]) -> Look:
        """Put the tokens of several looks, one at least, in a row."""
        if len(looks) == 1:
            return looks[0]
        return Look(
            torch.cat([look.tokens for look in looks]),
            tuple(torch.cat(layers) for layers in zip(*(look.deep for look in looks), strict=True)),
        )


class Backbone(nn.Module, ABC):
    """A vision tower and a language model.

    Parameters
    ----------
    config : Sa2VAConfig
        Sizes of both.
    """

    def __init__(self, config: Sa2VAConfig) -> None:
        super().__init__()
        self.config = config

    axes: ClassVar[int] = 1
    """On how many axes a token has a position."""

    @staticmethod
    @abstractmethod
    def signs(config: Sa2VAConfig) -> Signs:
        """Return the tokens that the program writes into prompts and looks for in answers."""

    @property
    @abstractmethod
    def decoder(self) -> Any:
        """The language model without its head, a module of transformers."""

    @property
    @abstractmethod
    def lm_head(self) -> nn.Module:
        """From a state to the logits of the next token."""

    @property
    @abstractmethod
    def vision_layers(self) -> Sequence[nn.Module]:
        """The vision tower's blocks."""

    @property
    @abstractmethod
    def telling(self) -> Tensor:
        """A small tensor that no two checkpoints have alike."""

    @abstractmethod
    def naming(self, stored: Collection[str]) -> Naming:
        """Return what tells where a checkpoint keeps each of this module's parameters.

        Parameters
        ----------
        stored : collection of str
            All names of the checkpoint, by which layouts are told apart; empty for the newest.
        """

    @abstractmethod
    def look(self, pixels: NDArray[np.uint8], cancelled: Callable[[], bool] | None = None) -> Look:
        """Look at an image, shape (height, width, 3)."""

    def glance(
        self, pixels: NDArray[np.uint8], cancelled: Callable[[], bool] | None = None
    ) -> Look:
        """Look at a frame of a video, one of several in a prompt."""
        return self.look(pixels, cancelled)

    @property
    def most_positions(self) -> int:
        """How many positions the language model was made for."""
        return int(self.decoder.config.max_position_embeddings)

    @abstractmethod
    def prompt(
        self,
        tokenizer: Tokenizer,
        questions: Sequence[str],
        images: Sequence[int],
        regions: Sequence[int] = (),
    ) -> list[str]:
        """Write the questions of a conversation in the chat template, up to the last answer.

        Parameters
        ----------
        questions : sequence of str
            The first with ``<image>`` where the images go, when there are any.
        images, regions : sequence of int
            How many visual tokens each of them has.

        Returns
        -------
        list of str
            As many as questions: what comes in front of each answer.
        """

    def region(self, look: Look, indices: Tensor) -> Tensor:
        """Return the visual tokens of a region, from `regions.region_tokens`."""
        raise NotImplementedError(f"{type(self).__name__} takes no regions.")

    def positions(self, ids: Sequence[int], visual: int, looks: Sequence[Look]) -> Tensor:
        """Return the positions of a prompt's tokens.

        Parameters
        ----------
        visual : int
            Id of the token in whose place a visual token goes.

        Returns
        -------
        Tensor of int64, shape (axes, len(ids))
            The token after them is at the greatest position and one, on every axis.
        """
        return torch.arange(len(ids))[None]

    def embed(self, ids: Tensor) -> Tensor:
        """Embed ids (n,), as (n, width)."""
        embedded: Tensor = self.decoder.embed_tokens(ids)
        return embedded

    def read(
        self,
        embeddings: Tensor,
        positions: Tensor,
        past: DynamicCache,
        visual: Tensor | None = None,
        deep: Sequence[Tensor] = (),
    ) -> Tensor:
        """Feed tokens to the language model.

        Parameters
        ----------
        embeddings : Tensor, shape (n, width)
        positions : Tensor, shape (axes, n)
        past : DynamicCache
            Grows by `n` tokens.
        visual : Tensor of bool, shape (n,), optional
            Which of the tokens are visual; given along with `deep`.
        deep : sequence of Tensor
            See `Look`; of the visual tokens among these.

        Returns
        -------
        Tensor, shape (width,)
            State of the last token: the one that the object's embedding is made from.
        """
        out = self.decoder(
            inputs_embeds=embeddings[None],
            position_ids=positions,
            past_key_values=past,
            use_cache=True,
        )
        state: Tensor = out.last_hidden_state[0, -1]
        return state

    def logits(self, state: Tensor) -> Tensor:
        """Turn a state, as `read` returns it, into the logits of the next token."""
        logits: Tensor = self.lm_head(state)
        return logits
