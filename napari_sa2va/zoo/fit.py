"""How much memory a model needs, and whether it is there: asked before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from napari_sa2va.errors import CheckpointError, NotEnoughMemory
from napari_sa2va.model.config import Sa2VAConfig
from napari_sa2va.model.families import INTERNVL, QWEN3_VL
from napari_sa2va.model.precision import FEW_BITS, INT4, INT8, weights_size
from napari_sa2va.model.shards import Shards
from napari_sa2va.zoo.catalogue import (
    CATALOGUE,
    DEMO,
    QWEN2_5_VISION,
    QWEN3_VISION,
    Checkpoint,
    LanguageSizes,
    VisionSizes,
)
from napari_sa2va.zoo.machine import Device, device_named

if TYPE_CHECKING:
    from pathlib import Path

# Of what is the same for all weights; `FEW_BITS` are of the language model's layers alone.
BYTES_PER_WEIGHT: Final = {"float32": 4, "bfloat16": 2, "float16": 2}
GIB: Final = 1024**3

# Prompt, answer and the texts between the image's tokens, in tokens: a generous conversation.
_TEXT_TOKENS: Final = 1024
# Peak of SAM2's hiera-large image encoder at 1024 x 1024 with one image in float32, measured on a
# processor: 448 MiB. It grows with the area.
_SAM2_PEAK: Final = 448 * 1024**2
_SAM2_SIDE: Final = 1024
# By kind of device: what to advise where a model does not fit, the best first. Processors without
# instructions for bfloat16 are slow in it (docs/models.md).
_FEWER: Final = {
    "cpu": (INT8, "bfloat16"),
    "cuda": ("bfloat16", INT8, INT4),
    "mps": ("bfloat16", "float16"),
}
# Prompts are read in pieces of so many tokens (`model.decoding`).
_PIECE: Final = 512


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """Memory that a model takes, in bytes.

    Attributes
    ----------
    weights : int
    working : int
        Estimated peak while an image of the largest size is looked at.
    """

    weights: int
    working: int

    @property
    def total(self) -> int:
        """Weights and working memory together."""
        return self.weights + self.working


def working_memory(vision: VisionSizes, language: LanguageSizes, bytes_per_value: int) -> int:
    """Estimate the peak of looking at the largest image and answering about it.

    The three parts run after another, so the largest counts; the key-value cache stays. Factors
    were fitted to measurements in float32 on a processor (13 tiles of 448 pixels through
    InternViT-300M: 694 MiB; 4,352 tokens, in pieces, through layers of Qwen2.5-1.5B's size, their
    keys and values included: 195 MiB).

    Returns
    -------
    int
        Bytes.
    """
    tokens = vision.tokens + _TEXT_TOKENS
    patches = vision.tiles * vision.patches
    looking = patches * (vision.widths * vision.hidden + vision.mlps * vision.intermediate)
    reading = _PIECE * (6 * language.hidden + 4 * language.intermediate)
    reading += 5 * tokens * language.hidden
    keys_and_values = tokens * 2 * language.layers * language.key_value_heads * language.head
    grounding = _SAM2_PEAK / 4 * (vision.sam2_side / _SAM2_SIDE) ** 2
    return int(bytes_per_value * (max(looking, reading, grounding) + keys_and_values))


def dtype_on(device: Device, dtype: str) -> str:
    """Return the dtype that a model is loaded in on a device, ``"auto"`` resolved.

    Raises
    ------
    InvalidInput
        If `dtype` is none that a model can have, or does not work on this device.
    """
    if dtype in BYTES_PER_WEIGHT:
        return dtype
    if dtype == "auto" and not device.name.startswith("cuda"):
        return "float32"  # said without torch, since `doctor` must work where torch does not
    import torch

    from napari_sa2va.model.device import choose_dtype

    return str(choose_dtype(dtype, torch.device(device.name))).removeprefix("torch.")


def estimate(folder: Path, dtype: str, rest: str = "float32") -> MemoryNeed:
    """Estimate what a checkpoint folder needs, from its configuration and its files' headers.

    Parameters
    ----------
    folder : Path
    dtype : str
        One of `BYTES_PER_WEIGHT`, or of `FEW_BITS`.
    rest : str
        One of `BYTES_PER_WEIGHT`: of what is not held in few bits, where `dtype` is one of those.

    Raises
    ------
    CheckpointError
        If the folder holds no checkpoint, or a damaged one.
    """
    config = Sa2VAConfig.from_folder(folder)
    with Shards(folder) as shards:
        shapes = {name: shards.shape(name) for name in shards.names}
    try:
        vision, language = _vision_sizes(config), _language_sizes(config.language)
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise CheckpointError(f"{folder / 'config.json'} lacks sizes: {error!r}.") from error
    computed_in = BYTES_PER_WEIGHT[rest if dtype in FEW_BITS else dtype]
    working = working_memory(vision, language, computed_in)
    return MemoryNeed(weights_size(shapes, dtype, rest), working)


def estimate_published(checkpoint: Checkpoint, dtype: str) -> MemoryNeed | None:
    """Estimate what a published checkpoint needs, without its files; None where unknown."""
    if checkpoint.language is None:
        return None
    size = BYTES_PER_WEIGHT[dtype]
    working = working_memory(checkpoint.vision, checkpoint.language, size)
    return MemoryNeed(checkpoint.parameters * size, working)


def check_fits(folder: Path, device: str = "auto", dtype: str = "auto") -> MemoryNeed:
    """Check that a checkpoint fits into the free memory of a device, before it is loaded.

    A model that is to be replaced must be unloaded first.

    Parameters
    ----------
    folder : Path
    device, dtype : str
        As in `napari_sa2va.Sa2VA.from_pretrained`.

    Returns
    -------
    MemoryNeed

    Raises
    ------
    NotEnoughMemory
        With the numbers, and what would fit instead.
    CheckpointError
        If the folder holds no checkpoint, or a damaged one.
    InvalidInput
        If this machine has no such device, or the dtype does not work on it.
    """
    place = device_named(device)
    chosen = dtype_on(place, dtype)
    need = estimate(folder, chosen, dtype_on(place, "auto"))
    # Where the free memory cannot be told (0 of 0), the attempt decides.
    if place.total and need.total > place.free:
        raise NotEnoughMemory(
            f"{folder.name} needs about {gib(need.total)} on {place.name} in {chosen} "
            f"({gib(need.weights)} for its weights, {gib(need.working)} to work), and "
            f"{gib(place.free)} of {gib(place.total)} are free. "
            f"{_advice(folder, need, place, chosen)}"
        )
    return need


def gib(size: int) -> str:
    """Write a number of bytes for people, such as ``"8.6 GiB"`` or ``"420 MiB"``."""
    return f"{size / GIB:.1f} GiB" if size >= GIB else f"{size / 1024**2:.0f} MiB"


def _advice(folder: Path, need: MemoryNeed, device: Device, dtype: str) -> str:
    """Name what would fit: fewer bits of the same model, else a smaller model, else the demo."""
    kind, rest = device.name.split(":")[0], dtype_on(device, "auto")
    for fewer in _FEWER.get(kind, ()):
        would = estimate(folder, fewer, rest)
        if would.total < need.total and would.total <= device.free:
            return f"In {fewer} it would fit (about {gib(would.total)})."
    if dtype in FEW_BITS:  # of published ones that are not here, the layers' share is not known
        dtype = rest
    smaller = [
        (checkpoint, published)
        for checkpoint in CATALOGUE
        if checkpoint.unsupported is None
        and (published := estimate_published(checkpoint, dtype)) is not None
        and published.total <= min(device.free, need.total)
    ]
    if smaller:
        checkpoint, published = max(smaller, key=lambda pair: pair[1].total)
        return f"{checkpoint.name} would fit (about {gib(published.total)})."
    return f"Close other programs, or choose the {DEMO} checkpoint."


def _vision_sizes(config: Sa2VAConfig) -> VisionSizes:
    hidden, intermediate = (int(config.vision[key]) for key in ("hidden_size", "intermediate_size"))
    side = config.sam2.image_size
    if config.family != INTERNVL:
        sizes = QWEN3_VISION if config.family == QWEN3_VL else QWEN2_5_VISION
        return replace(sizes, hidden=hidden, intermediate=intermediate, sam2_side=side)
    tiles = config.max_tiles + (config.use_thumbnail and config.max_tiles > 1)
    return VisionSizes(
        hidden=hidden,
        intermediate=intermediate,
        tiles=tiles,
        patches=(config.tile_size // config.patch_size) ** 2 + 1,
        tokens=tiles * config.tokens_per_tile,
        sam2_side=side,
    )


def _language_sizes(settings: dict[str, Any]) -> LanguageSizes:
    heads = int(settings["num_attention_heads"])
    return LanguageSizes(
        hidden=int(settings["hidden_size"]),
        intermediate=int(settings["intermediate_size"]),
        layers=int(settings["num_hidden_layers"]),
        key_value_heads=int(settings.get("num_key_value_heads") or heads),
        head=int(settings.get("head_dim") or int(settings["hidden_size"]) // heads),
    )
