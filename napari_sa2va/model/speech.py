"""One answer of the language model: its text while it comes, then what its marks mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from napari_sa2va.model.answer_text import AnswerText
from napari_sa2va.model.decoding import GreedyDecoder
from napari_sa2va.model.failures import stop_if
from napari_sa2va.model.results import Answer, TextPart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

    from napari_sa2va.model.answer_text import Phrase
    from napari_sa2va.model.looking import Looking, Seen
    from napari_sa2va.model.network import Sa2VANetwork
    from napari_sa2va.model.results import Segment
    from napari_sa2va.model.tokenizer import Tokenizer
    from napari_sa2va.model.turns import Exchange


class Speech:
    """Reads a prompt at once, then speaks when `parts` is iterated.

    Parameters
    ----------
    network : Sa2VANetwork
    tokenizer : Tokenizer
    looking : Looking
    seen : Seen
        The images that the question is about.
    question : str
    regions : sequence of Tensor
        Visual tokens of each region, from `regions.region_tokens`.
    cancelled : callable, optional
    limit : int
        Greatest number of tokens; fewer where the language model cannot go on for so long.
    before : sequence of Exchange
        Earlier turns. The first question of all has ``<image>`` where the images go.
    """

    def __init__(
        self,
        network: Sa2VANetwork,
        tokenizer: Tokenizer,
        looking: Looking,
        seen: Seen,
        question: str,
        regions: Sequence[Tensor],
        cancelled: Callable[[], bool] | None,
        limit: int,
        before: Sequence[Exchange] = (),
    ) -> None:
        self._network = network
        self._tokenizer = tokenizer
        self._looking = looking
        self._seen = seen
        self._question = question
        self._cancelled = cancelled
        self._words = AnswerText(tokenizer)
        ids = looking.prompt_ids(seen, question, regions, before)
        self._heard = looking.read(seen, ids, regions, cancelled)
        limit = min(limit, network.backbone.most_positions - self._heard.position)
        self.decoder = GreedyDecoder(
            network.backbone, self._heard, tokenizer.seg, tokenizer.stop, limit
        )

    def parts(self) -> Iterator[TextPart]:
        """Speak; raises `Cancelled` between tokens."""
        stop_if(self._cancelled)
        while (token := self.decoder.step()) is not None:
            more = self._words.push(token)
            if more:
                yield TextPart(more)
            stop_if(self._cancelled)
        self._looking.keep(self._seen, self._heard, self.decoder.tokens[:-1])
        if rest := self._words.finish():
            yield TextPart(rest)

    @property
    def objects(self) -> int:
        """How many ``[SEG]`` were read: all but one that is the very last token."""
        return len(self.decoder.seg_states)

    @torch.inference_mode()
    def language(self) -> Tensor:
        """Language embeddings of the objects, shape (objects, d_model)."""
        layers: Any = self._network.text_hidden_fcs
        embeddings: Tensor = layers(torch.stack(self.decoder.seg_states))
        return embeddings

    def phrases(self) -> list[Phrase | None]:
        """Phrase in front of each object's mark, None where there is none."""
        return self._words.phrases()[: self.objects]

    def answer(self, segments: Sequence[Segment] = ()) -> Answer:
        """Return the whole answer, with these masks."""
        return Answer(
            text=self._words.text,
            segments=tuple(segments),
            raw=self._tokenizer.decode(self.decoder.said),
            tokens=tuple(self.decoder.tokens),
            unknown_words=self._tokenizer.unknown_words(self._question),
            complete=self.decoder.complete,
        )
