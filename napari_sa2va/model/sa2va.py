"""Sa2VA: look at an image, answer a question about it in words and masks."""

from __future__ import annotations

import gc
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Final

import torch

from napari_sa2va.errors import EngineError, NotEnoughMemory
from napari_sa2va.model import prompts
from napari_sa2va.model.cache import LookCache
from napari_sa2va.model.checkpoint import load_network
from napari_sa2va.model.checks import check_question
from napari_sa2va.model.decoding import MAX_NEW_TOKENS
from napari_sa2va.model.device import choose_device, choose_dtype
from napari_sa2va.model.failures import stop_if, translated
from napari_sa2va.model.grounding import masks
from napari_sa2va.model.looking import NOTHING, Looking
from napari_sa2va.model.regions import region_tokens
from napari_sa2va.model.results import Answer, Capabilities, Segment, SegmentPart
from napari_sa2va.model.speech import Speech
from napari_sa2va.model.tokenizer import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from napari_sa2va.model.network import Sa2VANetwork
    from napari_sa2va.model.results import Part

    Cancel = Event | Callable[[], bool] | None
    Progress = Callable[[str, float], object]

CACHE_BYTES: Final = 1 << 30


class Sa2VA:
    """A loaded checkpoint that answers questions.

    Made by `from_pretrained`. What it computes from pixels alone is kept (`LookCache`), so that a
    second question about an image costs only its own words.

    Parameters
    ----------
    network : Sa2VANetwork
        In evaluation mode.
    tokenizer : Tokenizer
    name : str
        What to call the model.
    cache_bytes : int
        Capacity of the cache.
    """

    def __init__(
        self,
        network: Sa2VANetwork,
        tokenizer: Tokenizer,
        name: str = "Sa2VA",
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self._network: Sa2VANetwork | None = network
        self._tokenizer = tokenizer
        self._cache = LookCache(cache_bytes)
        self._looking = Looking(network, tokenizer, self._cache)
        self.name = name
        self.config = network.config
        self.device: torch.device = network.sam2.device
        self.dtype = network.sam2.dtype

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        device: str | torch.device = "auto",
        dtype: str | torch.dtype = "auto",
        progress: Progress | None = None,
        cancelled: Cancel = None,
        cache_bytes: int = CACHE_BYTES,
    ) -> Sa2VA:
        """Load a checkpoint.

        Parameters
        ----------
        folder : str or Path
            A checkpoint folder, ``"demo"``, or a name or Hub id as `napari_sa2va.zoo` knows them.
        device : str
            ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
        dtype : str
            ``"auto"``, ``"float32"``, ``"bfloat16"``, ``"float16"``.
        progress : callable, optional
            Called with a message and a fraction, 0 to 1.
        cancelled : callable or threading.Event, optional
            Ends the loading when it returns true or is set.

        Raises
        ------
        CheckpointError, NotEnoughMemory, InvalidInput, Cancelled
        """
        path, asked = Path(folder), _asked(cancelled)
        if not path.is_dir():
            from napari_sa2va.zoo.resolve import resolve

            path = resolve(str(folder), progress, asked)
        place = choose_device(device)
        network = load_network(path, place, choose_dtype(dtype, place), progress, asked)
        tokenizer = Tokenizer(path, network.config.template)
        return cls(network, tokenizer, path.resolve().name, cache_bytes)

    # --- what it is

    @property
    def network(self) -> Sa2VANetwork:
        """The network.

        Raises
        ------
        EngineError
            After `unload`.
        """
        if self._network is None:
            raise EngineError("This model was unloaded. Load it again.")
        return self._network

    @property
    def dtype_name(self) -> str:
        """The dtype as a user writes it, such as ``"bfloat16"``."""
        return str(self.dtype).removeprefix("torch.")

    @property
    def capabilities(self) -> Capabilities:
        """What this checkpoint can do."""
        return Capabilities(
            regions=True,
            video=True,
            consistent_tracking=self.network.sam2.tracking_decoder is not None,
        )

    @property
    def bytes_held(self) -> int:
        """Bytes of the weights and of the cache."""
        if self._network is None:
            return 0
        weights: int = sum(t.nbytes for t in self._network.state_dict().values())
        return weights + self._cache.bytes_held

    @property
    def cache_bytes(self) -> int:
        """Capacity of the cache of looked-at images; 0 turns it off."""
        return self._cache.capacity

    @cache_bytes.setter
    def cache_bytes(self, capacity: int) -> None:
        self._cache.capacity = capacity

    def clear_cache(self) -> None:
        """Forget every image that was looked at."""
        self._cache.clear()

    def unload(self) -> None:
        """Free the weights and the cache; the model cannot be used afterwards."""
        self._cache.clear()
        self._network = None
        del self._looking
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """Return the words that this model's vocabulary spells letter by letter."""
        return self._tokenizer.unknown_words(text)

    # --- what it does

    def answer(
        self,
        image: NDArray[np.uint8] | None,
        text: str,
        regions: NDArray[np.bool_] | None = None,
        cancelled: Cancel = None,
        max_new_tokens: int = MAX_NEW_TOKENS,
    ) -> Answer:
        """Run `ask` to its end and return the whole answer."""
        for part in self.ask(image, text, regions, cancelled, max_new_tokens):
            if isinstance(part, Answer):
                return part
        raise AssertionError("ask always ends with an Answer")

    def ask(
        self,
        image: NDArray[np.uint8] | None,
        text: str,
        regions: NDArray[np.bool_] | None = None,
        cancelled: Cancel = None,
        max_new_tokens: int = MAX_NEW_TOKENS,
    ) -> Iterator[Part]:
        """Answer a question, part by part.

        Parameters
        ----------
        image : ndarray of uint8, shape (height, width, 3), or None
            None for a question in words only, whose answer has no masks.
        text : str
            The question. Where it contains ``<image>`` the image goes there, else in front.
        regions : ndarray of bool, shape (n, height, width), optional
            Regions that the question calls region1, region2, …
        cancelled : callable or threading.Event, optional
            Asked between tokens and between masks.
        max_new_tokens : int
            Where the answer is cut off.

        Yields
        ------
        TextPart
            As the answer grows.
        SegmentPart
            For each object, after the text.
        Answer
            Once, last.

        Raises
        ------
        InvalidInput, NotEnoughMemory, EngineError, Cancelled
        """
        parts = self._parts(image, text, regions, _asked(cancelled), max_new_tokens)
        while True:
            try:
                # Not round the yield: the caller's own errors are none of the model's.
                with translated("answering"):
                    part = next(parts, None)
            except NotEnoughMemory:
                self.clear_cache()
                raise
            if part is None:
                return
            yield part

    def _parts(
        self,
        image: NDArray[np.uint8] | None,
        text: str,
        regions: NDArray[np.bool_] | None,
        cancelled: Callable[[], bool] | None,
        max_new_tokens: int,
    ) -> Iterator[Part]:
        check_question(image, text, regions)
        network, looking = self.network, self._looking
        stop_if(cancelled)
        seen = NOTHING if image is None else looking.image(image, cancelled)
        question = text if image is None else prompts.first_question(text)
        indices = [] if regions is None else region_tokens(regions, self.config.token_side)
        speech = Speech(
            network, self._tokenizer, looking, seen, question, indices, cancelled, max_new_tokens
        )
        yield from speech.parts()
        segments: list[Segment] = []
        if image is not None and speech.objects:
            features = looking.features(image)
            stop_if(cancelled)
            found = masks(network.sam2, features, speech.language(), image.shape[:2])
            for mask, phrase in zip(found, speech.phrases(), strict=True):
                name, span = phrase if phrase is not None else (None, None)
                segments.append(Segment(name, span, *mask))
                yield SegmentPart(segments[-1])
                stop_if(cancelled)
        yield speech.answer(segments)


def _asked(cancelled: Cancel) -> Callable[[], bool] | None:
    return cancelled.is_set if isinstance(cancelled, Event) else cancelled
