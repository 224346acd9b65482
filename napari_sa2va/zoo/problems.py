"""What is wrong with this installation, in sentences that say what to do."""

from __future__ import annotations

import importlib
import platform
import shutil
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from napari_sa2va.zoo.machine import Device

DISTRIBUTION: Final = "napari-sa2va"
_BINDINGS: Final = ("PyQt6", "PySide6")
_LITTLE_MEMORY: Final = 2 * 1024**3
_INSTALL_TORCH: Final = "Install torch as pytorch.org says for this machine."


def find_problems(devices: tuple[Device, ...]) -> tuple[str, ...]:
    """Return what keeps models from running here, or from running well.

    Parameters
    ----------
    devices : tuple of Device
        As `napari_sa2va.zoo.machine.devices` returned them.
    """
    return (
        *_unmet_requirements(),
        *_broken_imports(),
        *_unused_gpu(devices),
        *_missing_window_toolkit(),
        *_little_memory(devices),
    )


def _unmet_requirements() -> Iterator[str]:
    from packaging.requirements import Requirement

    try:
        lines = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        yield f"{DISTRIBUTION} is not installed: run `python -m pip install napari-sa2va[all]`."
        return
    for requirement in map(Requirement, lines):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            yield f"{requirement.name} is missing: run `python -m pip install '{requirement}'`."
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            yield (
                f"{requirement.name} {version} is installed, and {requirement.specifier} is "
                f"needed: run `python -m pip install '{requirement}'`."
            )


def _broken_imports() -> Iterator[str]:
    for name in ("torch", "torchvision"):
        try:
            importlib.import_module(name)
        except (ImportError, OSError, RuntimeError) as error:
            # RuntimeError: torchvision's, when it was built for another torch.
            reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
            yield f"{name} does not import ({reason}). {_INSTALL_TORCH}"
            return


def _unused_gpu(devices: tuple[Device, ...]) -> Iterator[str]:
    torch = _torch()
    if torch is None:
        return
    if any(device.name.startswith("cuda") for device in devices):
        yield from _unknown_architectures(torch)
    elif _nvidia_driver():
        if torch.version.cuda is None:
            yield (
                "This machine has an NVIDIA driver, but this torch was built without CUDA, so "
                f"models run on the processor. {_INSTALL_TORCH}"
            )
        else:
            yield (
                f"This machine has an NVIDIA driver, but torch (built for CUDA {torch.version.cuda}"
                ") finds no GPU. The driver may be too old for it: update the driver, or install "
                "a torch for an older CUDA."
            )
    if platform.system() == "Darwin" and platform.machine() == "x86_64" and _apple_silicon():
        yield (
            "This Python was built for Intel and runs translated, which hides Apple's GPU. "
            "Install a Python for Apple silicon."
        )


def _unknown_architectures(torch: ModuleType) -> Iterator[str]:
    built_for = torch.cuda.get_arch_list()
    # AMD names its GPUs differently, and "compute_" code is compiled for any newer GPU on demand.
    if torch.version.hip is not None or any(arch.startswith("compute_") for arch in built_for):
        return
    # "sm_86" and "sm_90a" hold the major version before the last digit; code for one minor version
    # runs on the others of the same major version.
    majors = {int(arch.removeprefix("sm_").rstrip("af")) // 10 for arch in built_for}
    for index in range(torch.cuda.device_count()):
        major, minor = torch.cuda.get_device_capability(index)
        if major not in majors:
            yield (
                f"This torch has no code for {torch.cuda.get_device_name(index)} (compute "
                f"capability {major}.{minor}). {_INSTALL_TORCH}"
            )


def _missing_window_toolkit() -> Iterator[str]:
    if not any(find_spec(binding) for binding in _BINDINGS):
        yield (
            "No Qt is installed, so napari cannot open windows (the command line works): run "
            "`python -m pip install 'napari-sa2va[all]'`."
        )


def _little_memory(devices: tuple[Device, ...]) -> Iterator[str]:
    processor = devices[-1]
    if 0 < processor.free < _LITTLE_MEMORY:
        yield (
            f"Only {processor.free / 1024**3:.1f} GiB of memory are free. The demo checkpoint "
            "runs; others will not. Close other programs."
        )


def _torch() -> ModuleType | None:
    try:
        return importlib.import_module("torch")
    except (ImportError, OSError):
        return None


def _nvidia_driver() -> bool:
    return Path("/proc/driver/nvidia/version").is_file() or shutil.which("nvidia-smi") is not None


def _apple_silicon() -> bool:
    # A translated process sees the real processor's name in the kernel's version string alone.
    return "ARM64" in platform.version()
