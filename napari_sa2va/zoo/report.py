"""The report of ``napari-sa2va doctor``: what is here, what would fit, what is wrong."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from napari_sa2va.errors import Sa2VAError
from napari_sa2va.zoo.catalogue import CATALOGUE, Checkpoint
from napari_sa2va.zoo.fit import MemoryNeed, dtype_on, estimate, estimate_published, gib
from napari_sa2va.zoo.machine import Device, Machine, inspect_machine
from napari_sa2va.zoo.resolve import resolve


@dataclass(frozen=True, slots=True)
class CheckpointStatus:
    """What a checkpoint would need on one device of this machine.

    Attributes
    ----------
    name : str
    here : bool
        Whether it is on this machine.
    supported : bool
    need : MemoryNeed or None
        None where it cannot be told.
    dtype : str
        For which `need` is given.
    fits : bool or None
        Into the device's total memory, with other programs closed; None where unknown.
    problem : str or None
        Why it cannot be used.
    """

    name: str
    here: bool
    supported: bool
    need: MemoryNeed | None
    dtype: str
    fits: bool | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What `inspect_machine` found, and what that means for each checkpoint."""

    machine: Machine
    checkpoints: tuple[CheckpointStatus, ...]

    @property
    def largest(self) -> CheckpointStatus | None:
        """The largest checkpoint that fits into the preferred device, other programs closed."""
        fitting = [status for status in self.checkpoints if status.fits and status.supported]
        return max(
            fitting, key=lambda status: status.need.total if status.need else 0, default=None
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the report for machines: sizes in bytes."""
        largest = self.largest
        return asdict(self) | {"largest": largest.name if largest is not None else None}

    def as_json(self) -> str:
        """Return the report as JSON text."""
        return without_home(json.dumps(self.as_dict(), indent=2))

    def as_text(self) -> str:
        """Return the report for people."""
        machine, largest = self.machine, self.largest
        lines = [
            f"{machine.system}, Python {machine.python}, {machine.cores} cores",
            "",
            "Devices, the preferred one first",
            *(f"  {line}" for line in map(_device_line, machine.devices)),
            *([f"  {machine.driver.text}"] if machine.driver is not None else []),
            "",
            *([f"The largest checkpoint that fits: {largest.name}", ""] if largest else []),
            f"Checkpoints on {machine.devices[0].name}",
            *(f"  {line}" for line in map(_checkpoint_line, self.checkpoints)),
            "",
            "Packages",
            *(f"  {name} {version}" for name, version in machine.packages.items()),
            "",
            "Problems" if machine.problems else "No problems found.",
            *(f"  - {problem}" for problem in machine.problems),
        ]
        return without_home("\n".join(lines))


def make_report() -> Report:
    """Look at this machine and at every checkpoint of the catalogue. Uses no network."""
    machine = inspect_machine()
    statuses = tuple(checkpoint_status(c, machine.devices[0]) for c in CATALOGUE)
    return Report(machine, statuses)


def checkpoint_status(checkpoint: Checkpoint, device: Device) -> CheckpointStatus:
    """Say whether a checkpoint is here and would fit on a device."""
    dtype = dtype_on(device, "auto")
    problem = checkpoint.unsupported
    here = False
    need = estimate_published(checkpoint, dtype)
    if problem is None:
        folder, problem = _local_folder(checkpoint)
        here = folder is not None
        if folder is not None:
            try:
                need = estimate(folder, dtype)
            except Sa2VAError as error:
                problem = str(error)
    return CheckpointStatus(
        name=checkpoint.name,
        here=here,
        supported=checkpoint.unsupported is None,
        need=need,
        dtype=dtype,
        fits=need.total <= device.total if need is not None and device.total else None,
        problem=problem,
    )


def without_home(text: str) -> str:
    """Replace the home folder, which holds a person's name, by ``~``."""
    home = str(Path.home())
    # In JSON a Windows path has doubled backslashes.
    for spelling in (home, json.dumps(home)[1:-1]):
        if len(spelling) > 1:
            text = text.replace(spelling, "~")
    return text


def _local_folder(checkpoint: Checkpoint) -> tuple[Path | None, str | None]:
    try:
        return resolve(checkpoint.hub_id or checkpoint.name, download=False), None
    except Sa2VAError as error:
        # Not being downloaded is no problem; a demo that is missing from the package is one.
        return None, str(error) if checkpoint.bundled else None


def _device_line(device: Device) -> str:
    if not device.total:
        return f"{device.name}: {device.description}, memory unknown"
    memory = f"{gib(device.free)} of {gib(device.total)} free"
    return f"{device.name}: {device.description}, {memory}"


def _checkpoint_line(status: CheckpointStatus) -> str:
    parts = ["on this machine" if status.here else "not on this machine"]
    if status.need is not None:
        parts.append(f"needs about {gib(status.need.total)} in {status.dtype}")
    if status.fits is not None:
        parts.append("fits" if status.fits else "does not fit")
    if status.problem is not None:
        parts = [status.problem]
    return f"{status.name}: {', '.join(parts)}"
