"""Sa2VA: look at an image, answer a question about it in words and masks."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import torch

from napari_sa2va.errors import EngineError
from napari_sa2va.model.asking import Asker, image_parts, video_parts
from napari_sa2va.model.cache import LookCache
from napari_sa2va.model.checkpoint import load_network
from napari_sa2va.model.config import Sa2VAConfig
from napari_sa2va.model.decoding import MAX_NEW_TOKENS
from napari_sa2va.model.device import choose_device, choose_dtype
from napari_sa2va.model.failures import as_callable, guarded
from napari_sa2va.model.looking import Looking
from napari_sa2va.model.results import Answer, Capabilities
from napari_sa2va.model.tokenizer import Tokenizer
from napari_sa2va.model.tracking import follow_masks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from napari_sa2va.model.failures import Cancel
    from napari_sa2va.model.network import Sa2VANetwork
    from napari_sa2va.model.results import Part, TrackedFrame, VideoPart
    from napari_sa2va.model.tracking import Direction, Frames, Method

    Progress = Callable[[str, float], object]

T = TypeVar("T")

# Room for the largest image in Sa2VA-InternVL3-14B in float32, whose keys and values are 1.3 GB.
CACHE_BYTES: Final = 2 << 30


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
        device, dtype : str
            ``"auto"``, or as in ``"cpu"``, ``"cuda:1"``, ``"mps"`` and ``"float32"``,
            ``"bfloat16"``; see `napari_sa2va.model.device`.
        progress : callable, optional
            Called with a message and a fraction, 0 to 1.
        cancelled : callable or threading.Event, optional
            Ends the loading when it returns true or is set.

        Raises
        ------
        CheckpointError, NotEnoughMemory, InvalidInput, Cancelled
        """
        path, asked, place = Path(folder), as_callable(cancelled), choose_device(device)
        chosen = choose_dtype(dtype, place)
        if not path.is_dir():
            from napari_sa2va.zoo.resolve import resolve

            path = resolve(str(folder), progress, asked)
        tokenizer = Tokenizer(path, Sa2VAConfig.from_folder(path).template)
        network = load_network(path, place, chosen, progress, asked)
        return cls(network, tokenizer, path.resolve().name, cache_bytes)

    @property
    def network(self) -> Sa2VANetwork:
        """The network; raises `EngineError` after `unload`."""
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
        decoder = self.network.sam2.tracking_decoder
        return Capabilities(regions=True, video=True, consistent_tracking=decoder is not None)

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
        if self._network is None:
            return
        self._cache.clear()
        self._network = None
        del self._looking  # holds the network too
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """Return the words that this model's vocabulary spells letter by letter."""
        return self._tokenizer.unknown_words(text)

    def answer(
        self,
        image: NDArray[np.uint8] | None,
        text: str,
        regions: NDArray[np.bool_] | None = None,
        cancelled: Cancel = None,
        max_new_tokens: int = MAX_NEW_TOKENS,
    ) -> Answer:
        """Run `ask` to its end and return the whole answer."""
        *_, answer = self.ask(image, text, regions, cancelled, max_new_tokens)
        assert isinstance(answer, Answer)
        return answer

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
        asked = as_callable(cancelled)
        parts = image_parts(self._asker, image, text, regions, asked, max_new_tokens)
        return self._guarded(parts, "answering", asked)

    def track(
        self,
        frames: Frames,
        text: str,
        keys: Sequence[int] | None = None,
        method: Method | None = None,
        direction: Direction = "forward",
        cancelled: Cancel = None,
        max_new_tokens: int = MAX_NEW_TOKENS,
    ) -> Iterator[VideoPart]:
        """Answer a question about a video and follow the objects it points out.

        Parameters
        ----------
        frames : sequence of ndarray of uint8, shape (height, width, 3)
            All of one size; read one at a time, when needed.
        text : str
            The question.
        keys : sequence of int, optional
            The frames that are looked at, from which the tracking starts.
        method : "official" or "consistent", optional
            See `napari_sa2va.model.tracking`; consistent where the checkpoint allows it.
        direction : "forward", "backward" or "both"
            Forward from the first key, backward from the last; both ways from the first.
        cancelled : callable or threading.Event, optional
            Asked between tokens and between frames.
        max_new_tokens : int
            Where the answer is cut off.

        Yields
        ------
        TextPart
            As the answer grows.
        Found
            Once: the answer and its objects.
        TrackedFrame
            Frame by frame, in the order visited; none when nothing was found.

        Raises
        ------
        InvalidInput, NotEnoughMemory, EngineError, Cancelled
        """
        asked = as_callable(cancelled)
        how = (keys, method, direction)
        parts = video_parts(self._asker, frames, text, *how, asked, max_new_tokens)
        return self._guarded(parts, "tracking", asked)

    def track_masks(
        self,
        frames: Frames,
        masks: Mapping[int, NDArray[np.bool_]],
        direction: Direction = "forward",
        cancelled: Cancel = None,
    ) -> Iterator[TrackedFrame]:
        """Follow objects from masks of them in one or more frames.

        Parameters
        ----------
        frames : sequence of ndarray of uint8, shape (height, width, 3)
        masks : mapping of int to ndarray of bool, shape (n, height, width)
            By frame: the same objects in the same order.
        direction, cancelled
            As in `track`.

        Yields
        ------
        TrackedFrame
        """
        asked = as_callable(cancelled)
        tracked = follow_masks(self.network, frames, masks, direction, asked)
        return self._guarded(tracked, "tracking", asked)

    @property
    def _asker(self) -> Asker:
        return Asker(self.network, self._tokenizer, self._looking)

    def _guarded(
        self, parts: Iterator[T], doing: str, asked: Callable[[], bool] | None
    ) -> Iterator[T]:
        return guarded(parts, doing, self.network.layers, asked, self.clear_cache)
