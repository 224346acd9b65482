"""What the language model sees, images and words, and what of it need not be read again."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

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
from napari_sa2va.model.turns_read import Read, contents

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_sa2va.model.cache import LookCache
    from napari_sa2va.model.network import Sa2VANetwork
    from napari_sa2va.model.sam2_network import FrameFeatures
    from napari_sa2va.model.tokenizer import Tokenizer
    from napari_sa2va.model.turns import Exchange


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

    def prompt_ids(
        self,
        seen: Seen,
        question: str,
        regions: Sequence[Tensor] = (),
        before: Sequence[Exchange] = (),
    ) -> list[int]:
        """Write a conversation in the chat template, images in place, up to the next answer.

        Each answer is turned into tokens by itself, as in training: whatever is asked next, the
        tokens up to here stay the same, and need not be read again.

        Parameters
        ----------
        question : str
        regions : sequence of Tensor
            Indices of each region's visual tokens, from `regions.region_tokens`.
        before : sequence of Exchange
            Earlier turns. The first question of all has ``<image>`` where the images go, when there
            are any.

        Raises
        ------
        InvalidInput
            If a question holds tokens that only the program may write.
        """
        questions = [*(exchange.question for exchange in before), question]
        self._check(questions, with_images=bool(seen.looks))
        images = [len(look.tokens) for look in seen.looks]
        pointed = [len(region) for region in regions]
        tokenizer = self._tokenizer
        first, *later = self._network.backbone.prompt(tokenizer, questions, images, pointed)
        ids = tokenizer.encode(first)
        for exchange, prompt in zip(before, later, strict=True):
            ids += tokenizer.encode_answer(exchange.answer)
            ids += tokenizer.encode_more(prompt)
        return ids

    def _check(self, questions: Sequence[str], *, with_images: bool) -> None:
        signs = self._tokenizer.signs
        for number, question in enumerate(questions):
            for token in (signs.visual, signs.image_end, *signs.others):
                if token in question:
                    raise InvalidInput(
                        f"The text contains {token}, which the model reads as a sign of its own. "
                        "Take it out."
                    )
            if question.count(prompts.IMAGE) != (with_images and number == 0):
                raise InvalidInput(
                    f"{prompts.IMAGE} must stand once in the first question about an image, and "
                    "not in others."
                )

    @torch.inference_mode()
    def read(
        self,
        seen: Seen,
        ids: Sequence[int],
        regions: Sequence[Tensor] = (),
        cancelled: Callable[[], bool] | None = None,
    ) -> Heard:
        """Feed a prompt to the language model, but for what it has read before.

        Of each image, what was read last is kept: the image itself, all earlier turns, and the last
        answer (`keep`). What the new prompt begins with in the same way is taken from there.

        Raises
        ------
        InvalidInput
            If the prompt is longer than the language model can read.
        """
        backbone, visual = self._network.backbone, self._tokenizer.visual
        device = self._network.sam2.device
        positions = backbone.positions(ids, visual, seen.looks)
        position = int(positions.max()) + 1
        if position >= backbone.most_positions:
            raise InvalidInput(
                f"The conversation has grown to {position} tokens, and this model reads fewer than "
                f"{backbone.most_positions}. Start a new one, or look at fewer frames."
            )
        images = sum(len(look.tokens) for look in seen.looks)
        found = contents(ids, visual, images, regions)
        past = DynamicCache(config=backbone.decoder.config)
        known: Read | None = self._cache.peek(("read", seen.key))
        # The last token is read in any case: its state is where the answer begins.
        start = 0 if known is None else min(known.shared(found), len(ids) - 1)
        if known is not None and start:
            known.recall(start, past)
        tokens = torch.tensor(ids[start:], device=device)
        look = None
        if visual in ids[start:]:
            pointed = [Look(backbone.region(seen.looks[-1], region)) for region in regions]
            look = Look.together([*seen.looks, *pointed]).after(list(ids[:start]).count(visual))
        state = read_prompt(
            backbone, tokens, positions[:, start:].to(device), past, visual, look, cancelled
        )
        heard = Heard(state, past, position, tuple(found))
        self.keep(seen, heard, ())
        return heard

    def keep(self, seen: Seen, heard: Heard, answer: Sequence[int]) -> None:
        """Keep what was read of images, for the next question about them.

        Parameters
        ----------
        heard : Heard
            Its keys and values may have grown.
        answer : sequence of int
            Tokens that they have grown by.
        """
        read = Read.of([*heard.contents, *answer], heard.past)
        if read is None:
            return
        if read.nbytes > self._cache.capacity:
            end = self._tokenizer.image_end
            turned = read.contents[::-1]
            read = read.first(len(turned) - turned.index(end) if end in turned else 0)
        self._cache.put(("read", seen.key), read, read.nbytes)
