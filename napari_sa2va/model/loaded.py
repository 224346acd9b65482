"""A checkpoint in memory: what it can do, what it holds, and letting go of it."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import torch

from napari_sa2va.errors import EngineError
from napari_sa2va.model.asking import Asker
from napari_sa2va.model.cache import LookCache
from napari_sa2va.model.failures import guarded, translated
from napari_sa2va.model.looking import Looking
from napari_sa2va.model.quantized import quantized_as
from napari_sa2va.model.results import Capabilities
from napari_sa2va.model.tracking_decoder import read_tracking_decoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import nn

    from napari_sa2va.model.network import Sa2VANetwork
    from napari_sa2va.model.tokenizer import Tokenizer

T = TypeVar("T")

# Room for the largest image in Sa2VA-InternVL3-14B in float32, whose keys and values are 1.3 GB.
CACHE_BYTES: Final = 2 << 30


class LoadedModel:
    """A network, its tokenizer, and what it has looked at; `Sa2VA` is one that answers.

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
        self.tracking_file: Path | None = None
        """Where SAM2's original decoder was read from, if not from the checkpoint."""
        self._own_decoder: nn.Module | None = None  # of the checkpoint, while a file's takes over
        # What was read last, to be had again: few megabytes, of a file of 900.
        self._read: tuple[tuple[Path, int, int], nn.Module] | None = None
        self.config = network.config
        self.device: torch.device = network.sam2.device
        self.dtype = network.sam2.dtype

    @property
    def network(self) -> Sa2VANetwork:
        """The network; raises `EngineError` after `unload`."""
        if self._network is None:
            raise EngineError("This model was unloaded. Load it again.")
        return self._network

    @property
    def dtype_name(self) -> str:
        """The dtype as a user writes it, such as ``"bfloat16"`` or ``"int8"``."""
        return quantized_as(self.network) or str(self.dtype).removeprefix("torch.")

    @property
    def capabilities(self) -> Capabilities:
        """What this checkpoint can do."""
        decoder = self.network.sam2.tracking_decoder
        return Capabilities(
            regions=self.config.takes_regions,
            consistent_tracking=decoder is not None,
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
        if self._network is None:
            return
        self._cache.clear()
        self._network = self._own_decoder = self._read = None
        del self._looking  # holds the network too
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """Return the words that this model's vocabulary spells letter by letter."""
        return self._tokenizer.unknown_words(text)

    def load_tracking_decoder(self, path: str | Path) -> None:
        """Read SAM2's original mask decoder, which makes consistent tracking possible.

        Parameters
        ----------
        path : str or Path
            Meta's file of SAM 2.0 hiera-large, ``sam2_hiera_large.pt``, or its weights as
            safetensors; see `napari_sa2va.model.tracking_decoder`. Of a SAM 2.1 file the decoder
            fits as well, but was trained with another memory than Sa2VA's.

        Raises
        ------
        CheckpointError
            If the file cannot be read, has no mask decoder, or one of another size. The model
            stays as it was.
        """
        file, sam2 = Path(path), self.network.sam2
        if self._read is None or self._read[0] != _stamp(file):
            with translated("loading the tracking decoder"):
                decoder = read_tracking_decoder(self.network, file)
            self._read = _stamp(file), decoder
        if self.tracking_file is None:
            self._own_decoder = sam2.original_mask_decoder
        sam2.original_mask_decoder = self._read[1]
        self.tracking_file = file

    def drop_tracking_decoder(self) -> None:
        """Undo `load_tracking_decoder`: track with what the checkpoint itself has."""
        if self.tracking_file is None:
            return
        self.network.sam2.original_mask_decoder = self._own_decoder
        self.tracking_file = self._own_decoder = None

    @property
    def _asker(self) -> Asker:
        return Asker(self.network, self._tokenizer, self._looking)

    def _guarded(
        self, parts: Iterator[T], doing: str, asked: Callable[[], bool] | None
    ) -> Iterator[T]:
        return guarded(parts, doing, self.network.layers, asked, self.clear_cache)


def _stamp(file: Path) -> tuple[Path, int, int]:
    """Tell a file from another that was put in its place; one that is not there from both."""
    try:
        found = file.stat()
    except OSError:
        return file, -1, -1
    return file, found.st_size, found.st_mtime_ns
