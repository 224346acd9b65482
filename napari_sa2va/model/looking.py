"""What the language model sees: visual tokens and the part of a prompt that images share."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import torch
from transformers import DynamicCache

from napari_sa2va.errors import InvalidInput
from napari_sa2va.model import prompts
from napari_sa2va.model.cache import content_key
from napari_sa2va.model.decoding import read_prompt
from napari_sa2va.model.failures import stop_if
from napari_sa2va.model.grounding import see
from napari_sa2va.model.preprocess import frame_tile, image_tiles, sam2_image

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sa2va.model.cache import LookCache
    from napari_sa2va.model.network import Sa2VANetwork
    from napari_sa2va.model.sam2_network import FrameFeatures
    from napari_sa2va.model.tokenizer import Tokenizer

# Tiles encoded in one go; a run can be cancelled in between.
_TILES: Final = 4
# What only the program may write into a prompt.
_RESERVED: Final = (prompts.IMAGE_CONTEXT, "<img>", "</img>", "<|im_start|>", "<|im_end|>")


class Seen(NamedTuple):
    """Images as the language model sees them.

    Attributes
    ----------
    key : str
        Equal for equal images only.
    string : str
        What ``<image>`` in a question becomes; empty when there is no image.
    tokens : Tensor, shape (tiles, tokens per tile, width), or None
    """

    key: str
    string: str
    tokens: Tensor | None


NOTHING: Final = Seen("", "", None)


class Looking:
    """Looks at images through one network and remembers what it saw.

    Parameters
    ----------
    network : Sa2VANetwork
    tokenizer : Tokenizer
    cache : LookCache
    """

    def __init__(self, network: Sa2VANetwork, tokenizer: Tokenizer, cache: LookCache) -> None:
        self._network = network
        self._tokenizer = tokenizer
        self._cache = cache

    def image(self, pixels: NDArray[np.uint8], cancelled: Callable[[], bool] | None = None) -> Seen:
        """Look at an image, in tiles.

        Parameters
        ----------
        pixels : ndarray of uint8, shape (height, width, 3)
        """
        config = self._network.config
        key = content_key(pixels)
        tokens = self._cache.get(
            ("tiles", key),
            lambda: self._visual_tokens(image_tiles(pixels, config), cancelled),
            lambda value: value.nbytes,
        )
        return Seen(key, prompts.image_string(len(tokens), config.tokens_per_tile), tokens)

    def frames(
        self, frames: Sequence[NDArray[np.uint8]], cancelled: Callable[[], bool] | None = None
    ) -> Seen:
        """Look at frames of a video, each squeezed into one tile."""
        config = self._network.config
        keys, tokens = [], []
        for frame in frames:
            stop_if(cancelled)
            keys.append(content_key(frame))
            tokens.append(
                self._cache.get(
                    ("frame", keys[-1]),
                    partial(self._frame_tokens, frame),
                    lambda value: value.nbytes,
                )
            )
        string = prompts.video_string(len(tokens), config.tokens_per_tile)
        return Seen("\n".join(keys), string, torch.cat(tokens))

    def features(self, pixels: NDArray[np.uint8], *, original: bool = False) -> FrameFeatures:
        """Return SAM2's features of an image, reduced for one of its mask decoders.

        Both decoders' are kept, so that a click after a question encodes nothing.

        Parameters
        ----------
        pixels : ndarray of uint8, shape (height, width, 3)
        original : bool
            For SAM2's original decoder where there is one, else for the fine-tuned one.
        """
        sam2 = self._network.sam2
        decoder = sam2.tracking_decoder
        tuned, stock = self._cache.get(
            ("sam2", content_key(pixels), decoder),  # one may be loaded after the image was seen
            lambda: see(sam2, sam2_image(pixels, self._network.config), decoder),
            lambda pair: (
                pair[0].nbytes
                + (0 if pair[1] is pair[0] else sum(level.nbytes for level in pair[1].fine))
            ),
        )
        return stock if original else tuned

    def prompt_ids(self, seen: Seen, question: str, regions: Sequence[Tensor] = ()) -> list[int]:
        """Write a question in the chat template, images in place.

        Parameters
        ----------
        question : str
            With ``<image>`` where the images go, when there are any.
        regions : sequence of Tensor
            Indices of each region's visual tokens, from `regions.region_tokens`.

        Raises
        ------
        InvalidInput
            If the question holds tokens that only the program may write.
        """
        for token in _RESERVED:
            if token in question:
                raise InvalidInput(
                    f"The text contains {token}, which the model reads as a sign of its own. "
                    "Take it out."
                )
        if question.count(prompts.IMAGE) != (seen.tokens is not None):
            raise InvalidInput(
                f"{prompts.IMAGE} must stand once in a question about an image, and not in others."
            )
        pointed = prompts.region_string([len(r) for r in regions]) if regions else ""
        return self._tokenizer.encode(
            prompts.turn(question.replace(prompts.IMAGE, seen.string + pointed))
        )

    @torch.inference_mode()
    def read(
        self,
        seen: Seen,
        ids: Sequence[int],
        regions: Sequence[Tensor] = (),
        cancelled: Callable[[], bool] | None = None,
    ) -> tuple[Tensor, DynamicCache]:
        """Feed a prompt to the language model, its common prefix from the cache.

        The prefix ends with the last image: it is the same for every question about it.

        Returns
        -------
        state : Tensor, shape (width,)
            Of the prompt's last token.
        past : DynamicCache
            Keys and values of the prompt; the caller may let it grow.
        """
        model = self._network.language_model
        past = DynamicCache(config=model.config)
        end = self._tokenizer.image_end
        cut = len(ids) - list(ids)[::-1].index(end) if end in ids else 0
        if seen.tokens is not None:
            images = seen.tokens.flatten(0, 1)
            pairs = self._cache.get(
                ("prefix", seen.key, tuple(ids[:cut])),
                lambda: self._prefix(ids[:cut], images, cancelled),
                lambda kept: sum(k.nbytes + v.nbytes for k, v in kept),
            )
            for layer, (keys, values) in enumerate(pairs):
                past.update(keys, values, layer)  # copies: what is cached stays as it is
            pointed = [seen.tokens[-1][r.to(seen.tokens.device)] for r in regions]
            rest = self._embedded(ids[cut:], torch.cat(pointed) if pointed else images[:0])
        else:
            rest = self._embedded(ids, None)
        return read_prompt(model, rest, past, cancelled), past

    def _prefix(
        self, ids: Sequence[int], images: Tensor, cancelled: Callable[[], bool] | None
    ) -> list[tuple[Tensor, Tensor]]:
        model = self._network.language_model
        past = DynamicCache(config=model.config)
        read_prompt(model, self._embedded(ids, images), past, cancelled)
        layers: Any = past.layers
        return [(layer.keys, layer.values) for layer in layers]

    def _embedded(self, ids: Sequence[int], visual: Tensor | None) -> Tensor:
        """Embed ids, visual tokens in the places of ``<IMG_CONTEXT>``."""
        embed = self._network.language_model.model.embed_tokens
        index = torch.tensor(ids, device=embed.weight.device)
        embedded: Tensor = embed(index)
        if visual is not None:
            embedded[index == self._tokenizer.context] = visual.to(embedded.dtype)
        return embedded

    def _frame_tokens(self, frame: NDArray[np.uint8]) -> Tensor:
        return self._visual_tokens(frame_tile(frame, self._network.config)[None], None)

    @torch.inference_mode()
    def _visual_tokens(self, tiles: Tensor, cancelled: Callable[[], bool] | None) -> Tensor:
        sam2, found = self._network.sam2, []
        for some in torch.split(tiles, _TILES):
            stop_if(cancelled)
            found.append(self._network.visual_tokens(some.to(sam2.device, sam2.dtype)))
        return torch.cat(found)
