"""What is wrong with this installation, in sentences that say what to do."""

from __future__ import annotations

import importlib
import os
import platform
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from napari_sa2va.zoo.gpu import Driver
    from napari_sa2va.zoo.machine import Device

DISTRIBUTION: Final = "napari-sa2va"
BINDINGS: Final = ("PyQt6", "PySide6", "PyQt5")
"""Of Qt, those that napari runs with."""
_LITTLE_MEMORY: Final = 2 * 1024**3
_INSTALL_TORCH: Final = "Install torch as pytorch.org says for this machine."


def find_problems(devices: tuple[Device, ...], driver: Driver | None) -> tuple[str, ...]:
    """Return what keeps models from running here, or from running well.

    Parameters
    ----------
    devices : tuple of Device
        As `napari_sa2va.zoo.machine.devices` returned them.
    driver : Driver or None
        Of a GPU, as `napari_sa2va.zoo.gpu.find_driver` found it.
    """
    return (
        *_unmet_requirements(),
        *_broken_imports(),
        *_unused_gpu(devices, driver),
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


def _unused_gpu(devices: tuple[Device, ...], driver: Driver | None) -> Iterator[str]:
    torch = _torch()
    if torch is None:
        return
    if any(device.name.startswith("cuda") for device in devices):
        yield from _unknown_architectures(torch)
    elif driver is not None:
        yield _why_unused(torch, driver)
    if platform.system() == "Darwin" and platform.machine() == "x86_64" and _apple_silicon():
        yield (
            "This Python was built for Intel and runs translated, which hides Apple's GPU. "
            "Install a Python for Apple silicon."
        )


def _why_unused(torch: ModuleType, driver: Driver) -> str:
    has = f"This machine has an {driver.maker} driver"
    if driver.failure:
        return (
            f"{has} that does not work ({driver.failure}), so models run on the processor. Restart "
            "the machine; if that does not help, install the driver again."
        )
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None and hidden.strip() in ("", "-1", "NoDevFiles"):
        return (
            f"{has}, but CUDA_VISIBLE_DEVICES is {hidden!r}, which hides the GPU: unset it to use "
            "the GPU."
        )
    if driver.maker == "AMD":
        return (
            f"{has}, but this torch finds no GPU of it, so models run on the processor. Install a "
            "torch for ROCm as pytorch.org says."
        )
    if torch.version.cuda is None:
        return (
            f"{has}, but this torch was built without CUDA, so models run on the processor. "
            f"{_INSTALL_TORCH}"
        )
    version = f" {driver.version}" if driver.version else ""
    return (
        f"{has}{version}, but torch (built for CUDA {torch.version.cuda}) finds no GPU"
        f"{_torch_says(torch)}. The driver may be too old for it: update the driver, or install a "
        "torch for an older CUDA."
    )


def _torch_says(torch: ModuleType) -> str:
    """Return torch's own reason for finding no GPU, in brackets; empty without one."""
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError, AttributeError) as error:
        lines = str(error).strip().splitlines()
        return f" (it says: {lines[0].split('. ')[0].rstrip('.')})" if lines else ""
    return ""


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
    if not any(find_spec(binding) for binding in BINDINGS):
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


def _apple_silicon() -> bool:
    # A translated process sees the real processor's name in the kernel's version string alone.
    return "ARM64" in platform.version()
