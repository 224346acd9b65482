"""The Sa2VA checkpoints that exist, what each can do, and which of them this version runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from napari_sa2va.errors import CheckpointError

DEMO: Final = "demo"


class Family(StrEnum):
    """Which vision-language model a checkpoint is built on."""

    INTERNVL = "InternVL"
    QWEN2_5_VL = "Qwen2.5-VL"
    QWEN3_VL = "Qwen3-VL"


class Capability(StrEnum):
    """What a checkpoint was trained to do."""

    SEGMENT = "segment"
    ASK = "ask"
    CAPTION = "caption with masks"
    REGION = "describe a region"
    VIDEO = "video"


@dataclass(frozen=True, slots=True)
class VisionSizes:
    """Sizes of a vision tower and of what it looks at; the defaults are InternViT-300M's.

    Attributes
    ----------
    tiles : int
        The most pictures in one go: tiles of an image, the thumbnail counted.
    patches : int
        Patches of a picture, the class token counted.
    tokens : int
        The most visual tokens in a prompt.
    widths, mlps : int
        Peak of a pass, in values a patch: so many times `hidden`, and `intermediate`. Fitted to
        measurements on a processor.
    sam2_side : int
        Side of the square that SAM2 sees, in pixels.
    """

    hidden: int = 1024
    intermediate: int = 4096
    tiles: int = 13
    patches: int = 1025
    tokens: int = 13 * 256
    widths: int = 6
    mlps: int = 2
    sam2_side: int = 1024


@dataclass(frozen=True, slots=True)
class LanguageSizes:
    """Sizes of a language model that decide how much memory a question takes."""

    hidden: int
    intermediate: int
    layers: int
    key_value_heads: int
    head: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A published checkpoint, or the one in the package.

    Attributes
    ----------
    name : str
        What a user types and reads.
    hub_id : str or None
        Where the Hub has it; None for the one in the package.
    parameters : int
        Number of weights; 0 where only the file knows (the demo).
    language : LanguageSizes or None
        None where only the file knows.
    capabilities : frozenset of Capability
    license : str
        Of the weights. Published weights are under the terms on their model card, and on those
        of the language model they were trained from.
    unsupported : str or None
        Why this version cannot run it; None when it can.
    vision : VisionSizes
    two_decoders : bool
        Whether it brings SAM2's original mask decoder beside its own, as Sa2VA-i does.
    """

    name: str
    hub_id: str | None
    family: Family
    backbone: str
    language_model: str
    parameters: int
    license: str
    capabilities: frozenset[Capability]
    language: LanguageSizes | None = None
    unsupported: str | None = None
    vision: VisionSizes = VisionSizes()
    two_decoders: bool = False

    @property
    def bundled(self) -> bool:
        """Whether it is part of the package."""
        return self.hub_id is None


# Region prompts exist in the InternVL family only: the official Qwen classes take them and ignore
# them.
_QWEN_CAPABILITIES: Final = frozenset(Capability) - {Capability.REGION}
FAMILY_CAPABILITIES: Final[dict[Family, frozenset[Capability]]] = {
    Family.INTERNVL: frozenset(Capability),
    Family.QWEN2_5_VL: _QWEN_CAPABILITIES,
    Family.QWEN3_VL: _QWEN_CAPABILITIES,
}
CARD: Final = "see the model card"
# Qwen2.5-3B is under Qwen's research licence; the other sizes used here are under Apache-2.0.
_CARD_QWEN_3B: Final = "see the model card; Qwen2.5-3B itself is for non-commercial use"

# Sizes as in the published configurations.
_QWEN_0_5B: Final = LanguageSizes(896, 4864, 24, 2, 64)
_QWEN_1_5B: Final = LanguageSizes(1536, 8960, 28, 2, 128)
_QWEN_3B: Final = LanguageSizes(2048, 11008, 36, 2, 128)
_QWEN_7B: Final = LanguageSizes(3584, 18944, 28, 4, 128)
_QWEN_14B: Final = LanguageSizes(5120, 13824, 48, 8, 128)
_QWEN3_4B: Final = LanguageSizes(2560, 9728, 36, 8, 128)
_INTERNLM_7B: Final = LanguageSizes(4096, 14336, 32, 8, 128)
_INTERNLM_20B: Final = LanguageSizes(6144, 16384, 48, 8, 128)
_VIT_6B_SIZES: Final = VisionSizes(hidden=3200, intermediate=12800)
# Images of the largest area, one after the other; a video's question has five of them. Measured in
# float32: 8192 patches through Qwen2.5-VL's tower 580 MiB, 6272 through Qwen3-VL's 709 MiB, which
# interpolates position embeddings.
QWEN2_5_VISION: Final = VisionSizes(1280, 3420, 1, 8192, 5 * 2048, widths=6, mlps=4)
QWEN3_VISION: Final = VisionSizes(1024, 4096, 1, 6272, 5 * 1568, widths=14, mlps=4)


def _internvl(
    hub_id: str,
    backbone: str,
    language_model: str,
    parameters: int,
    language: LanguageSizes,
    license: str = CARD,
    vision: VisionSizes = VisionSizes(),
) -> Checkpoint:
    return Checkpoint(
        name=hub_id.split("/")[1],
        hub_id=hub_id,
        family=Family.INTERNVL,
        backbone=backbone,
        language_model=language_model,
        parameters=parameters,
        license=license,
        capabilities=FAMILY_CAPABILITIES[Family.INTERNVL],
        language=language,
        vision=vision,
    )


def _qwen(
    hub_id: str,
    family: Family,
    language_model: str,
    parameters: int,
    language: LanguageSizes,
    vision: VisionSizes,
) -> Checkpoint:
    return Checkpoint(
        name=hub_id.split("/")[1],
        hub_id=hub_id,
        family=family,
        backbone=family.value,
        language_model=language_model,
        parameters=parameters,
        license=_CARD_QWEN_3B if language_model == "Qwen2.5-3B" else CARD,
        capabilities=FAMILY_CAPABILITIES[family],
        language=language,
        vision=vision,
    )


def _sa2va_i(plain: Checkpoint) -> Checkpoint:
    name = plain.name.replace("Sa2VA", "Sa2VA-i")
    return replace(
        plain,
        name=name,
        hub_id=f"kumuji/{name}",
        parameters=plain.parameters + _SECOND_DECODER,
        two_decoders=True,
    )


# The parameters were counted by building the official classes at the published sizes.
_VIT: Final = "InternVL2.5 (InternViT-300M)"
_VIT3: Final = "InternVL3 (InternViT-300M)"
_VIT_6B: Final = "InternVL2.5 (InternViT-6B)"
_FIRST: Final = (
    _internvl("ByteDance/Sa2VA-1B", _VIT, "Qwen2.5-0.5B", 1_163_665_714, _QWEN_0_5B),
    _internvl("ByteDance/Sa2VA-4B", _VIT, "Qwen2.5-3B", 3_941_809_714, _QWEN_3B, _CARD_QWEN_3B),
    _internvl("ByteDance/Sa2VA-8B", _VIT, "InternLM2.5-7B", 8_317_666_866, _INTERNLM_7B),
    _internvl(
        "ByteDance/Sa2VA-26B",
        _VIT_6B,
        "InternLM2.5-20B",
        25_778_005_938,
        _INTERNLM_20B,
        vision=_VIT_6B_SIZES,
    ),
)
# SAM2's mask decoder, which Sa2VA-i has twice.
_SECOND_DECODER: Final = 4_215_109

CATALOGUE: Final[tuple[Checkpoint, ...]] = (
    Checkpoint(
        name=DEMO,
        hub_id=None,
        family=Family.INTERNVL,
        backbone="trained from scratch on synthetic cells",
        language_model="a small Qwen2",
        parameters=0,
        license="BSD-3-Clause",
        capabilities=FAMILY_CAPABILITIES[Family.INTERNVL],
    ),
    _internvl("ByteDance/Sa2VA-InternVL3-2B", _VIT3, "Qwen2.5-1.5B", 2_316_157_490, _QWEN_1_5B),
    _internvl("ByteDance/Sa2VA-InternVL3-8B", _VIT3, "Qwen2.5-7B", 8_182_606_386, _QWEN_7B),
    _internvl("ByteDance/Sa2VA-InternVL3-14B", _VIT3, "Qwen2.5-14B", 15_369_268_786, _QWEN_14B),
    *_FIRST,
    _qwen(
        "ByteDance/Sa2VA-Qwen2_5-VL-3B",
        Family.QWEN2_5_VL,
        "Qwen2.5-3B",
        4_293_849_650,
        _QWEN_3B,
        QWEN2_5_VISION,
    ),
    _qwen(
        "ByteDance/Sa2VA-Qwen2_5-VL-7B",
        Family.QWEN2_5_VL,
        "Qwen2.5-7B",
        8_527_539_250,
        _QWEN_7B,
        QWEN2_5_VISION,
    ),
    _qwen(
        "ByteDance/Sa2VA-Qwen3-VL-4B",
        Family.QWEN3_VL,
        "Qwen3-4B",
        5_057_072_690,
        _QWEN3_4B,
        QWEN3_VISION,
    ),
    *(_sa2va_i(plain) for plain in _FIRST),
)


def find(name: str) -> Checkpoint | None:
    """Return the checkpoint with this name or Hub id, or None; upper and lower case are equal."""
    wanted = name.strip().casefold()
    for checkpoint in CATALOGUE:
        spellings = (checkpoint.name, checkpoint.hub_id)
        if any(spelling and wanted == spelling.casefold() for spelling in spellings):
            return checkpoint
    return None


def check_supported(checkpoint: Checkpoint) -> None:
    """Raise `CheckpointError` for a published checkpoint that this version cannot run."""
    if checkpoint.unsupported is not None:
        usable = ", ".join(c.name for c in CATALOGUE if c.unsupported is None)
        raise CheckpointError(
            f"{checkpoint.name} cannot be used: {checkpoint.unsupported}. Usable: {usable}."
        )
