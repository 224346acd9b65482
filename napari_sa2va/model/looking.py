"""What the language model sees: visual tokens and the part of a prompt that images share."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import torch
from transformers import DynamicCache

from napari_sa2va.errors import InvalidInput
from napari_sa2va.model import prompts
from napari_sa2va.model.backbone import Look
from napari_sa2va.model.cache import content_key
from napari_sa2va.model.decoding import Heard, read_prompt
from napari_sa2va.model.failures import stop_if
from napari_sa2va.model.grounding import see
from napari_sa2va.model.preprocess import sam2_image

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sa2va.model.cache import LookCache
    from napari_sa2va.model.network import Sa2VANetwork
    from napari_sa2va.model.sam2_network import FrameFeatures
    from napari_sa2va.model.tokenizer import Tokenizer


class Seen(NamedTuple):
    """Images as the language model sees them.

    Attributes
    ----------
    key : str
        Equal for equal images only.
    looks : tuple of Look
        One of each image or frame; empty when there is none.
    """

    key: str
    looks: tuple[Look, ...]


NOTHING: Final = Seen("", ())


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
        """Look at an image.

        Parameters
        ----------
        pixels : ndarray of uint8, shape (height, width, 3)
        """
        key = content_key(pixels)
        look = self._cache.get(
            ("image", key),
            lambda: self._network.backbone.look(pixels, cancelled),
            lambda found: found.nbytes,
        )
        return Seen(key, (look,))

    def frames(
        self, frames: Sequence[NDArray[np.uint8]], cancelled: Callable[[], bool] | None = None
    ) -> Seen:
        """Look at frames of a video."""
        keys, looks = [], []
        for frame in frames:
            stop_if(cancelled)
            keys.append(content_key(frame))
            looks.append(
                self._cache.get(
                    ("frame", keys[-1]),
                    partial(self._network.backbone.glance, frame, cancelled),
                    lambda found: found.nbytes,
                )
            )
        return Seen("\n".join(["frames", *keys]), tuple(looks))

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
        signs = self._tokenizer.signs
        for token in (signs.visual, signs.image_end, *signs.others):
            if token in question:
                raise InvalidInput(
                    f"The text contains {token}, which the model reads as a sign of its own. "
                    "Take it out."
                )
        if question.count(prompts.IMAGE) != bool(seen.looks):
            raise InvalidInput(
                f"{prompts.IMAGE} must stand once in a question about an image, and not in others."
            )
        images = [len(look.tokens) for look in seen.looks]
        pointed = [len(region) for region in regions]
        backbone = self._network.backbone
        return self._tokenizer.encode(backbone.prompt(self._tokenizer, question, images, pointed))

    @torch.inference_mode()
    def read(
        self,
        seen: Seen,
        ids: Sequence[int],
        regions: Sequence[Tensor] = (),
        cancelled: Callable[[], bool] | None = None,
    ) -> Heard:
        """Feed a prompt to the language model, its common prefix from the cache.

        The prefix ends with the last image: it is the same for every question about it.
        """
        backbone, visual = self._network.backbone, self._tokenizer.visual
        device = self._network.sam2.device
        tokens = torch.tensor(ids, device=device)
        positions = backbone.positions(ids, visual, seen.looks).to(device)
        past = DynamicCache(config=backbone.decoder.config)
        end = self._tokenizer.image_end
        cut = len(ids) - list(ids)[::-1].index(end) if seen.looks and end in ids else 0
        if cut:
            pairs = self._cache.get(
                ("prefix", seen.key, tuple(ids[:cut])),
                lambda: self._prefix(
                    tokens[:cut], positions[:, :cut], Look.together(seen.looks), cancelled
                ),
                lambda kept: sum(k.nbytes + v.nbytes for k, v in kept),
            )
            for layer, (keys, values) in enumerate(pairs):
                past.update(keys, values, layer)  # copies: what is cached stays as it is
        pointed = [backbone.region(seen.looks[-1], region) for region in regions]
        look = Look(torch.cat(pointed)) if pointed else None
        state = read_prompt(
            backbone, tokens[cut:], positions[:, cut:], past, visual, look, cancelled
        )
        return Heard(state, past, int(positions.max()) + 1)

    def _prefix(
        self,
        tokens: Tensor,
        positions: Tensor,
        look: Look,
        cancelled: Callable[[], bool] | None,
    ) -> list[tuple[Tensor, Tensor]]:
        backbone = self._network.backbone
        past = DynamicCache(config=backbone.decoder.config)
        read_prompt(backbone, tokens, positions, past, self._tokenizer.visual, look, cancelled)
        layers: Any = past.layers
        return [(layer.keys, layer.values) for layer in layers]
