"""All models at a glance: which are here, how large they are, and what fits this machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from napari_sa2va.errors import Sa2VAError
from napari_sa2va.zoo import library
from napari_sa2va.zoo.abilities import capabilities_of
from napari_sa2va.zoo.cache import Repository
from napari_sa2va.zoo.catalogue import CARD, CATALOGUE, Capability, Checkpoint, find
from napari_sa2va.zoo.fit import MemoryNeed, dtype_on, estimate, estimate_published
from napari_sa2va.zoo.hub import local_copy
from napari_sa2va.zoo.resolve import checked_folder, demo_folder
from napari_sa2va.zoo.sam2 import SAM2_BYTES, SAM2_HUB_ID, SAM2_NAME, local_sam2_file
from napari_sa2va.zoo.table import COLUMNS

if TYPE_CHECKING:
    from napari_sa2va.zoo.machine import Device

# Published weights are stored in 16 bits; the Hub tells the true size when it is asked.
_BYTES_ON_HUB: Final = 2
# Larger ones are slow without a GPU.
_MOST_ON_PROCESSOR: Final = 3_000_000_000


@dataclass(frozen=True, slots=True)
class Model:
    """One line of the list.

    Attributes
    ----------
    name : str
        What a user types and reads.
    hub_id : str or None
    folder : str or None
        Where it is on this machine; None while it is not, or not whole.
    on_disk : int
        Bytes of it that are here, unfinished downloads included.
    download : int or None
        About how many bytes it has in all; None where only the Hub knows.
    need : MemoryNeed or None
        What it takes on the device; None where it cannot be told.
    dtype : str
        For which `need` is given.
    fits : bool or None
        Into the device's memory with other programs closed; None where unknown.
    fits_now : bool or None
        Into what is free of it.
    license : str
    can : tuple of str
        What it was trained to do, in the words of the tables.
    added : bool
        Whether the user put it on the list.
    revision : str
        The commit that is here; empty for folders, and for what is not here.
    problem : str or None
        Why it cannot be used.
    recommended : bool
        The best choice for this device.
    """

    name: str
    hub_id: str | None = None
    folder: str | None = None
    on_disk: int = 0
    download: int | None = None
    need: MemoryNeed | None = None
    dtype: str = ""
    fits: bool | None = None
    fits_now: bool | None = None
    license: str = ""
    can: tuple[str, ...] = ()
    added: bool = False
    revision: str = ""
    problem: str | None = None
    recommended: bool = False

    @property
    def here(self) -> bool:
        """Whether it is on this machine, whole."""
        return self.folder is not None

    @property
    def fits_word(self) -> str:
        """Whether it fits, as lists say it; empty where unknown."""
        if self.fits is None:
            return ""
        return "yes" if self.fits_now else "not now" if self.fits else "no"


def models(device: Device) -> tuple[Model, ...]:
    """List all models for a device: the recommended one, then published and added ones, then SAM 2.

    Nobody is asked over the network.
    """
    dtype = dtype_on(device, "auto")
    found = [published(checkpoint, device, dtype) for checkpoint in CATALOGUE]
    best = _recommended(device, dtype)
    found = [replace(model, recommended=True) if model.name == best else model for model in found]
    found += [_added(one, device, dtype) for one in library.load().added.values()]
    found.sort(key=lambda model: not model.recommended)
    return (*found, _sam2())


def published(checkpoint: Checkpoint, device: Device, dtype: str) -> Model:
    """Return the line of a checkpoint of the catalogue."""
    need = estimate_published(checkpoint, dtype)
    folder: Path | None = None
    problem = checkpoint.unsupported
    if checkpoint.hub_id is None:
        try:
            folder = demo_folder()
        except Sa2VAError as error:
            problem = str(error)
    else:
        folder = local_copy(checkpoint.hub_id)
    size = _size(checkpoint.hub_id, folder)
    if folder is not None and problem is None:
        need, problem = _measured(folder, dtype, need)
    return Model(
        name=checkpoint.name,
        hub_id=checkpoint.hub_id,
        folder=None if folder is None else str(folder),
        on_disk=size,
        download=checkpoint.parameters * _BYTES_ON_HUB if checkpoint.hub_id else None,
        need=need,
        dtype=dtype,
        fits=_fits(need, device.total, device),
        fits_now=_fits(need, device.free, device),
        license=_license(checkpoint.license, checkpoint.hub_id),
        can=_can(checkpoint.capabilities),
        revision=_commit(folder),
        problem=problem,
    )


def recommended(device: Device) -> str:
    """Return the name of the model to choose for a device: the largest that is of use there.

    Without a GPU that is one of 3 billion parameters at most; where none fits, the demo.
    """
    return _recommended(device, dtype_on(device, "auto"))


def _recommended(device: Device, dtype: str) -> str:
    best = CATALOGUE[0]
    for checkpoint in CATALOGUE:
        need = estimate_published(checkpoint, dtype)
        if checkpoint.unsupported is not None or need is None:
            continue
        if device.name == "cpu" and checkpoint.parameters > _MOST_ON_PROCESSOR:
            continue
        if _fits(need, device.free, device) and checkpoint.parameters > best.parameters:
            best = checkpoint
    return best.name


def _added(one: library.Added, device: Device, dtype: str) -> Model:
    hub_id = None if one.folder else one.where
    known = find(one.where) if hub_id else None
    if known is not None:
        line = published(known, device, dtype)
        return replace(line, name=one.name, added=True)
    folder: Path | None = None
    problem: str | None = None
    need: MemoryNeed | None = None
    if hub_id is not None:
        folder = local_copy(hub_id)
    else:
        try:
            folder = checked_folder(Path(one.where))
        except Sa2VAError as error:
            problem = str(error)
    if folder is not None:
        need, problem = _measured(folder, dtype, None)
    return Model(
        name=one.name,
        hub_id=hub_id,
        folder=None if folder is None else str(folder),
        on_disk=_size(hub_id, folder),
        need=need,
        dtype=dtype,
        fits=_fits(need, device.total, device),
        fits_now=_fits(need, device.free, device),
        license=_license(CARD, hub_id) if hub_id else "your own",
        can=_can(capabilities_of(one.name, folder)),
        added=True,
        revision=_commit(folder),
        problem=problem,
    )


def _sam2() -> Model:
    file = local_sam2_file()
    return Model(
        name=SAM2_NAME,
        hub_id=SAM2_HUB_ID,
        folder=None if file is None else str(file.parent),
        on_disk=Repository(SAM2_HUB_ID).size(),
        download=SAM2_BYTES,
        license="Apache-2.0",
        can=("mask decoder for consistent tracking",),
        revision=_commit(None if file is None else file.parent),
    )


def _measured(
    folder: Path, dtype: str, otherwise: MemoryNeed | None
) -> tuple[MemoryNeed | None, str | None]:
    try:
        return estimate(folder, dtype), None
    except Sa2VAError as error:
        return otherwise, str(error)


def _size(hub_id: str | None, folder: Path | None) -> int:
    if hub_id is not None:
        return Repository(hub_id).size()
    if folder is None:
        return 0
    try:
        return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    except OSError:  # a drive that does not answer must not keep the others off the list
        return 0


def _can(capabilities: frozenset[Capability] | None) -> tuple[str, ...]:
    return tuple(name for one, name in COLUMNS.items() if one in (capabilities or ()))


def _license(said: str, hub_id: str | None) -> str:
    """Put what the model card of a fetched checkpoint says in the place of a hint at the card."""
    fetched = None if hub_id is None else library.load().fetched.get(hub_id)
    return said if fetched is None or not fetched.license else said.replace(CARD, fetched.license)


def _commit(folder: Path | None) -> str:
    return folder.name if folder is not None and folder.parent.name == "snapshots" else ""


def _fits(need: MemoryNeed | None, memory: int, device: Device) -> bool | None:
    return need.total <= memory if need is not None and device.total else None
