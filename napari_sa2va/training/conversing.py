"""Several turns with a loaded model, in its chat template, the image in view at every turn.

What measures the demo checkpoint needs no more than this; whole turns are read again each time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from napari_sa2va.model.answer_text import AnswerText
from napari_sa2va.model.decoding import GreedyDecoder
from napari_sa2va.model.grounding import masks as masks_of
from napari_sa2va.model.prompts import first_question, turn
from napari_sa2va.model.regions import region_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from napari_sa2va.model import Sa2VA

_MOST_TOKENS: Final = 160


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its text, the phrase in front of each mask (None: none), and the masks."""

    text: str
    phrases: tuple[str | None, ...]
    masks: tuple[NDArray[np.bool_], ...]


def converse(
    model: Sa2VA,
    image: NDArray[np.uint8],
    questions: Sequence[str],
    regions: NDArray[np.bool_] | None = None,
) -> list[Reply]:
    """Ask one question after the other, each with what was said before it.

    Parameters
    ----------
    regions : ndarray of bool, shape (n, height, width), optional
        What the first question calls region1, region2, …
    """
    looking, tokenizer, network = model._looking, model._tokenizer, model.network
    seen = looking.image(image)
    pointed = [] if regions is None else region_tokens(regions, network.config.token_side)
    ids: list[int] = []
    replies = []
    for number, question in enumerate(questions):
        if number == 0:
            ids = looking.prompt_ids(seen, first_question(question), pointed)
        else:
            ids = [*ids, *tokenizer.encode(f"\n{turn(question)}")]
        heard = looking.read(seen, ids, pointed)
        decoder = GreedyDecoder(
            network.backbone, heard, tokenizer.seg, tokenizer.stop, _MOST_TOKENS
        )
        words = AnswerText(tokenizer)
        while (token := decoder.step()) is not None:
            words.push(token)
        words.finish()
        ids = [*ids, *decoder.tokens]
        phrases = [None if phrase is None else phrase.text for phrase in words.phrases()]
        found: list[NDArray[np.bool_]] = []
        if decoder.seg_states:
            with torch.inference_mode():
                language = network.text_hidden_fcs(torch.stack(decoder.seg_states))
            size = (image.shape[0], image.shape[1])
            found = [
                one.mask for one in masks_of(network.sam2, looking.features(image), language, size)
            ]
        replies.append(Reply(words.text, tuple(phrases[: len(found)]), tuple(found)))
    return replies
