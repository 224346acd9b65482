"""What this machine has: processors, memory and installed packages, and what is wrong with them."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from napari_sa2va.errors import InvalidInput
from napari_sa2va.zoo.gpu import Driver, find_driver
from napari_sa2va.zoo.memory import system_memory

REPORTED_PACKAGES: Final = (
    "napari-sa2va",
    "napari",
    "npe2",
    "magicgui",
    "superqt",
    "PyQt6",
    "PySide6",
    "numpy",
    "pandas",
    "torch",
    "torchvision",
    "transformers",
    "sam2",
    "safetensors",
    "huggingface_hub",
    "tifffile",
    "scikit-image",
)


@dataclass(frozen=True, slots=True)
class Device:
    """Something a model can run on.

    Attributes
    ----------
    name : str
        torch's name: ``"cpu"``, ``"cuda:0"``, ``"mps"``.
    description : str
    total, free : int
        Memory in bytes. `free` is what a new model may take without pushing others out.
    """

    name: str
    description: str
    total: int
    free: int


@dataclass(frozen=True, slots=True)
class Machine:
    """A snapshot of this machine; memory changes all the time.

    `driver` is that of a GPU, whether or not torch can use it; None without one.
    """

    system: str
    python: str
    cores: int
    packages: dict[str, str]
    devices: tuple[Device, ...]
    problems: tuple[str, ...]
    driver: Driver | None = None


def devices() -> tuple[Device, ...]:
    """Return the devices that torch can use, the best one first.

    Without a working torch this is the processor alone.
    """
    return (*_cuda_devices(), *_mps_devices(), _processor())


def device_named(name: str) -> Device:
    """Return the device a user chose.

    Parameters
    ----------
    name : str
        ``"auto"`` (the first of `devices`), or torch's name with or without a number.

    Raises
    ------
    InvalidInput
        If this machine has no such device.
    """
    found = devices()
    if name == "auto":
        return found[0]
    for device in found:
        if name in (device.name, device.name.split(":")[0]):
            return device
    names = ", ".join(device.name for device in found)
    raise InvalidInput(
        f"This machine has no device {name!r}. It has: {names}. "
        "`napari-sa2va doctor` says why one is missing."
    )


def versions() -> dict[str, str]:
    """Return the installed versions of the packages that matter; absent ones are left out."""
    found = {}
    for package in REPORTED_PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def inspect_machine() -> Machine:
    """Look at this machine. Imports torch, which takes seconds the first time."""
    from napari_sa2va.zoo.problems import find_problems

    found = devices()
    driver = find_driver()
    return Machine(
        system=f"{platform.system()} {platform.release()} ({platform.machine()})",
        python=platform.python_version(),
        cores=os.cpu_count() or 1,
        packages=versions(),
        devices=found,
        problems=find_problems(found, driver),
        driver=driver,
    )


def _processor() -> Device:
    total, free = system_memory()
    return Device("cpu", _processor_name(), total, free)


def _processor_name() -> str:
    try:  # on Linux Python knows no more than the architecture
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    named = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return named[1].strip() if named else platform.processor() or platform.machine()


def _cuda_devices() -> tuple[Device, ...]:
    try:
        import torch
    except (ImportError, OSError):  # OSError: a library that torch needs cannot be loaded
        return ()
    if not torch.cuda.is_available():
        return ()
    found = []
    for index in range(torch.cuda.device_count()):
        try:
            free, total = torch.cuda.mem_get_info(index)
            # What torch has reserved and not handed out counts as used for the driver; it is ours.
            free += torch.cuda.memory_reserved(index) - torch.cuda.memory_allocated(index)
        except RuntimeError:  # a GPU that others fill, or have to themselves
            free = total = 0
        found.append(Device(f"cuda:{index}", torch.cuda.get_device_name(index), total, free))
    return tuple(found)


def _mps_devices() -> tuple[Device, ...]:
    try:
        import torch
    except (ImportError, OSError):
        return ()
    if not torch.backends.mps.is_available():
        return ()
    # The processor's memory, of which the GPU may take a share that Metal recommends.
    total = int(torch.mps.recommended_max_memory())
    free = min(total - int(torch.mps.driver_allocated_memory()), system_memory()[1])
    return (Device("mps", "Apple GPU", total, max(free, 0)),)
