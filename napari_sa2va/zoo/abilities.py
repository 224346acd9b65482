"""What a checkpoint can do, and what people are told where it cannot."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from napari_sa2va.errors import CheckpointError
from napari_sa2va.model.config import read_json
from napari_sa2va.model.families import INTERNVL, QWEN2_5_VL, QWEN3_VL, family_of
from napari_sa2va.zoo.catalogue import (
    CATALOGUE,
    DEMO,
    FAMILY_CAPABILITIES,
    Capability,
    Family,
    find,
)
from napari_sa2va.zoo.library import load
from napari_sa2va.zoo.resolve import resolve
from napari_sa2va.zoo.sam2 import lacks_decoder, sam2_file_for

if TYPE_CHECKING:
    from pathlib import Path

_FAMILIES: Final = {
    INTERNVL: Family.INTERNVL,
    QWEN2_5_VL: Family.QWEN2_5_VL,
    QWEN3_VL: Family.QWEN3_VL,
}
_NAMED: Final = 3
_CANNOT: Final = {
    Capability.SEGMENT: "{} cannot segment. These can: {}.",
    Capability.VIDEO: "{} cannot follow objects through planes. These can: {}.",
    Capability.REGION: (
        "{} takes no regions: each is outlined in a crop round it, and asked about by the "
        "outline's colour. These take regions: {}."
    ),
    Capability.CAPTION: (
        "{} was not trained to describe a whole image and point at what it names. These were: {}."
    ),
    Capability.ASK: "{} was not trained to answer questions about a whole image. These were: {}.",
}
INSTEAD: Final = frozenset({Capability.REGION})
"""What is done in another way where a checkpoint cannot."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a checkpoint before it is loaded.

    Attributes
    ----------
    name : str
        As it was chosen.
    here : bool
        Whether it is on this machine, and whole.
    can : frozenset of Capability, or None
        None where only its configuration says, and that is not on this machine.
    lacks_decoder : bool
        Whether consistent tracking needs SAM 2.0's file.
    sam2_file : Path or None
        That file, where it is needed and was fetched.
    """

    name: str
    here: bool
    can: frozenset[Capability] | None = None
    lacks_decoder: bool = False
    sam2_file: Path | None = None

    def lacks(self, capability: Capability) -> bool:
        """Whether it is known that the checkpoint cannot do something."""
        return self.can is not None and capability not in self.can


def look_up(name: str) -> Known:
    """Look for a checkpoint on this machine, and at what it can do; nobody is asked.

    Reads a few small files, which may lie on a slow disk.

    Parameters
    ----------
    name : str
        As in `napari_sa2va.zoo.resolve.resolve`.
    """
    folder = None
    with suppress(CheckpointError):  # said when it is to be loaded
        folder = resolve(name, download=False)
    return Known(
        name,
        folder is not None,
        capabilities_of(name, folder),
        lacks_decoder(name),
        sam2_file_for(name),
    )


def capabilities_of(name: str, folder: Path | None) -> frozenset[Capability] | None:
    """Return what a checkpoint can do; None where that is not known.

    The catalogue knows the published ones and the demo. Others, such as a lab's own, can do what
    their family can.

    Parameters
    ----------
    name : str
    folder : Path or None
        Where it is on this machine.
    """
    known = find(name)
    if known is None and (added := load().find(name)) is not None and not added.folder:
        known = find(added.where)
    if known is not None:
        return known.capabilities
    if folder is None:
        return None
    try:
        family = family_of(read_json(folder / "config.json"))
    except (CheckpointError, FileNotFoundError):
        return None
    return None if family is None else FAMILY_CAPABILITIES[_FAMILIES[family]]


def who_can(capability: Capability) -> str:
    """Name checkpoints that can do something, the smallest published ones first."""
    able = sorted(
        (one for one in CATALOGUE if capability in one.capabilities and one.unsupported is None),
        key=lambda one: (one.name == DEMO, one.parameters),
    )
    names = ", ".join(one.name for one in able[:_NAMED])
    return f"{names} and {len(able) - _NAMED} more" if len(able) > _NAMED else names


def why_not(name: str, capability: Capability) -> str:
    """Say for people that a checkpoint cannot do something, what is done then, and which can."""
    return _CANNOT[capability].format(name, who_can(capability))
