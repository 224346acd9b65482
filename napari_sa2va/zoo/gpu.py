"""The GPU and its driver as the system knows them, whatever torch can do with them."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from napari_sa2va.model.precision import why_not

_VERSION_FILE: Final = Path("/proc/driver/nvidia/version")
# Linux's interface to AMD's GPUs for computing.
_AMD_DEVICE: Final = Path("/dev/kfd")
_QUERY: Final = ("--query-gpu=name,driver_version", "--format=csv,noheader")
_SECONDS: Final = 20


@dataclass(frozen=True, slots=True)
class Driver:
    """A driver for GPUs.

    Attributes
    ----------
    maker : str
        ``"NVIDIA"`` or ``"AMD"``.
    version : str
        Empty where it cannot be told.
    gpus : tuple of str
        Their names; empty where they cannot be told.
    failure : str
        What the driver's own tool says when it does not work; else empty.
    """

    maker: str
    version: str = ""
    gpus: tuple[str, ...] = ()
    failure: str = ""

    @property
    def text(self) -> str:
        """The driver for people."""
        parts = [f"{self.maker} driver {self.version}".strip()]
        if self.gpus:
            parts.append(", ".join(self.gpus))
        if self.failure:
            parts.append(f"does not work ({self.failure})")
        return ": ".join(parts)


def find_driver() -> Driver | None:
    """Look for a driver; None where there is none. macOS has its own, which torch always finds."""
    tool = shutil.which("nvidia-smi")
    if tool is not None:
        return _ask(tool)
    if _VERSION_FILE.is_file():
        return Driver("NVIDIA", _kernel_version())
    if _AMD_DEVICE.exists():
        return Driver("AMD")
    return None


def why_not_on(dtype: str, device: str) -> str:
    """Say why a number format cannot work on a device, as far as that shows without torch.

    Parameters
    ----------
    dtype, device : str
        As in `napari_sa2va.engine.ModelChoice`.

    Returns
    -------
    str
        Empty where it may work.
    """
    kinds = _automatic() if device == "auto" else (device.split(":")[0],)
    reasons = [why_not(dtype, kind) for kind in kinds]
    return reasons[0] if all(reasons) else ""


@cache
def _automatic() -> tuple[str, ...]:
    """Return the kinds of devices that ``"auto"`` may lead to, the likeliest first."""
    if shutil.which("nvidia-smi") or _VERSION_FILE.is_file() or _AMD_DEVICE.exists():
        return ("cuda", "cpu")  # this torch may be one without CUDA
    return ("mps",) if (sys.platform, platform.machine()) == ("darwin", "arm64") else ("cpu",)


def _ask(tool: str) -> Driver:
    try:
        done = subprocess.run([tool, *_QUERY], capture_output=True, text=True, timeout=_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        return Driver("NVIDIA", _kernel_version(), failure=type(error).__name__)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip().splitlines()
        reason = said[0].rstrip(".") if said else f"status {done.returncode}"
        return Driver("NVIDIA", _kernel_version(), failure=reason)
    rows = [line.rsplit(",", 1) for line in done.stdout.splitlines() if "," in line]
    version = rows[0][1].strip() if rows else _kernel_version()
    return Driver("NVIDIA", version, tuple(name.strip() for name, _ in rows))


def _kernel_version() -> str:
    try:
        found = re.search(r"(\d+\.\d+(\.\d+)?)", _VERSION_FILE.read_text(encoding="utf-8"))
    except OSError:
        return ""
    return found[1] if found else ""
