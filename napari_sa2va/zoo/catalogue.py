"""The Sa2VA checkpoints that exist, what each can do, and which of them this version runs."""

from __future__ import annotations

from dataclasses import dataclass
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

    @property
    def bundled(self) -> bool:
        """Whether it is part of the package."""
        return self.hub_id is None


# Region prompts exist in the InternVL family only: the official Qwen classes take them and ignore
# them.
_QWEN_CAPABILITIES: Final = frozenset(Capability) - {Capability.REGION}
_NO_QWEN: Final = "the Qwen-VL family is not supported yet"
_NO_INTERNLM2: Final = "language models of the InternLM2 kind are not supported yet"
_CARD: Final = "see the model card"
# Qwen2.5-3B is under Qwen's research licence; the other sizes used here are under Apache-2.0.
_CARD_QWEN_3B: Final = "see the model card; Qwen2.5-3B itself is for non-commercial use"

# Sizes of Qwen2.5 as in its published configurations.
_QWEN_0_5B: Final = LanguageSizes(896, 4864, 24, 2, 64)
_QWEN_1_5B: Final = LanguageSizes(1536, 8960, 28, 2, 128)
_QWEN_3B: Final = LanguageSizes(2048, 11008, 36, 2, 128)
_QWEN_7B: Final = LanguageSizes(3584, 18944, 28, 4, 128)
_QWEN_14B: Final = LanguageSizes(5120, 13824, 48, 8, 128)


def _internvl(
    hub_id: str,
    backbone: str,
    language_model: str,
    parameters: int,
    language: LanguageSizes | None = None,
    license: str = _CARD,
    unsupported: str | None = None,
) -> Checkpoint:
    return Checkpoint(
        name=hub_id.split("/")[1],
        hub_id=hub_id,
        family=Family.INTERNVL,
        backbone=backbone,
        language_model=language_model,
        parameters=parameters,
        license=license,
        capabilities=frozenset(Capability),
        language=language,
        unsupported=unsupported,
    )


def _qwen(hub_id: str, family: Family, language_model: str, parameters: int) -> Checkpoint:
    return Checkpoint(
        name=hub_id.split("/")[1],
        hub_id=hub_id,
        family=family,
        backbone=family.value,
        language_model=language_model,
        parameters=parameters,
        license=_CARD_QWEN_3B if language_model == "Qwen2.5-3B" else _CARD,
        capabilities=_QWEN_CAPABILITIES,
        unsupported=_NO_QWEN,
    )


def _sa2va_i(plain: Checkpoint, parameters: int) -> Checkpoint:
    return _internvl(
        f"kumuji/{plain.name.replace('Sa2VA', 'Sa2VA-i')}",
        plain.backbone,
        plain.language_model,
        parameters,
        plain.language,
        plain.license,
        plain.unsupported,
    )


# The parameters were counted by building the official classes at the published sizes.
_VIT: Final = "InternVL2.5 (InternViT-300M)"
_VIT3: Final = "InternVL3 (InternViT-300M)"
_VIT_6B: Final = "InternVL2.5 (InternViT-6B)"
_FIRST: Final = (
    _internvl("ByteDance/Sa2VA-1B", _VIT, "Qwen2.5-0.5B", 1_163_665_714, _QWEN_0_5B),
    _internvl("ByteDance/Sa2VA-4B", _VIT, "Qwen2.5-3B", 3_941_809_714, _QWEN_3B, _CARD_QWEN_3B),
    _internvl(
        "ByteDance/Sa2VA-8B", _VIT, "InternLM2.5-7B", 8_317_666_866, unsupported=_NO_INTERNLM2
    ),
    _internvl(
        "ByteDance/Sa2VA-26B",
        _VIT_6B,
        "InternLM2.5-20B",
        25_778_005_938,
        unsupported=_NO_INTERNLM2,
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
        capabilities=frozenset({Capability.SEGMENT, Capability.REGION, Capability.VIDEO}),
    ),
    _internvl("ByteDance/Sa2VA-InternVL3-2B", _VIT3, "Qwen2.5-1.5B", 2_316_157_490, _QWEN_1_5B),
    _internvl("ByteDance/Sa2VA-InternVL3-8B", _VIT3, "Qwen2.5-7B", 8_182_606_386, _QWEN_7B),
    _internvl("ByteDance/Sa2VA-InternVL3-14B", _VIT3, "Qwen2.5-14B", 15_369_268_786, _QWEN_14B),
    *_FIRST,
    _qwen("ByteDance/Sa2VA-Qwen2_5-VL-3B", Family.QWEN2_5_VL, "Qwen2.5-3B", 4_293_849_650),
    _qwen("ByteDance/Sa2VA-Qwen2_5-VL-7B", Family.QWEN2_5_VL, "Qwen2.5-7B", 8_527_539_250),
    _qwen("ByteDance/Sa2VA-Qwen3-VL-4B", Family.QWEN3_VL, "Qwen3-4B", 5_057_072_690),
    *(_sa2va_i(plain, plain.parameters + _SECOND_DECODER) for plain in _FIRST),
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
