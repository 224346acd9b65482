"""Memory of the machine, total and free, on Linux, macOS and Windows.

psutil would tell the same, but it knows nothing of the limit of a container, where a model that
does not fit is killed without a word.
"""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

_CGROUPS: Final = Path("/sys/fs/cgroup")
# Pages of macOS that are given up without writing anything to disk.
_MACOS_FREE: Final = ("Pages free", "Pages inactive", "Pages purgeable", "Pages speculative")


def system_memory() -> tuple[int, int]:
    """Return the machine's total and free memory in bytes; (0, 0) where that cannot be told.

    On Linux a container's limit counts as the total where it is lower.
    """
    try:
        if sys.platform == "darwin":
            return _macos_memory()
        if sys.platform == "win32":
            return _windows_memory()
        return _linux_memory()
    except (OSError, ValueError, KeyError, subprocess.SubprocessError):
        return 0, 0


def parse_meminfo(text: str) -> tuple[int, int]:
    """Return total and available bytes from ``/proc/meminfo``, whose unit is KiB."""
    values = dict(re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE))
    return int(values["MemTotal"]) * 1024, int(values["MemAvailable"]) * 1024


def parse_vm_stat(text: str) -> int:
    """Return the free bytes from what macOS's ``vm_stat`` prints."""
    size = re.search(r"page size of (\d+) bytes", text)
    if size is None:
        raise ValueError("vm_stat did not say its page size")
    pages = dict(re.findall(r'^"?([\w -]+)"?:\s+(\d+)\.$', text, re.MULTILINE))
    return int(size[1]) * sum(int(pages.get(name, 0)) for name in _MACOS_FREE)


def cgroup_memory(path: Path) -> tuple[int, int] | None:
    """Return the limit of a version 2 control group and what is left of it, or None without one.

    File pages that nobody uses count as used by the kernel, but are given up on demand.
    """
    try:
        limit = (path / "memory.max").read_text(encoding="ascii").strip()
        used = int((path / "memory.current").read_text(encoding="ascii"))
        statistics = (path / "memory.stat").read_text(encoding="ascii")
    except OSError:
        return None
    if limit == "max":
        return None
    idle = re.search(r"^inactive_file (\d+)$", statistics, re.MULTILINE)
    used -= int(idle[1]) if idle else 0
    return int(limit), max(int(limit) - used, 0)


def _linux_memory() -> tuple[int, int]:
    total, free = parse_meminfo(Path("/proc/meminfo").read_text(encoding="ascii"))
    for path in _own_cgroups():
        limited = cgroup_memory(path)
        if limited is not None:
            total, free = min(total, limited[0]), min(free, limited[1])
    return total, free


def _own_cgroups() -> list[Path]:
    """Return this process's control group and those above it: each may set a limit."""
    try:
        text = Path("/proc/self/cgroup").read_text(encoding="ascii")
    except OSError:
        return []
    own = re.search(r"^0::/(.*)$", text, re.MULTILINE)
    if own is None:
        return []
    group = _CGROUPS / own[1]
    return [group, *(parent for parent in group.parents if parent.is_relative_to(_CGROUPS))]


def _macos_memory() -> tuple[int, int]:
    # mypy knows only the platform it runs on; these names exist on macOS.
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    printed = subprocess.run(
        ["/usr/bin/vm_stat"], capture_output=True, text=True, check=True, timeout=10
    )
    return total, min(parse_vm_stat(printed.stdout), total)


class _MemoryStatus(ctypes.Structure):
    """MEMORYSTATUSEX of the Windows API."""

    _fields_ = (
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        ("total", ctypes.c_uint64),
        ("free", ctypes.c_uint64),
        ("total_page_file", ctypes.c_uint64),
        ("free_page_file", ctypes.c_uint64),
        ("total_virtual", ctypes.c_uint64),
        ("free_virtual", ctypes.c_uint64),
        ("free_extended_virtual", ctypes.c_uint64),
    )


def _windows_memory() -> tuple[int, int]:
    status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
    # getattr, since ctypes has windll on Windows alone.
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009
    if not kernel.GlobalMemoryStatusEx(ctypes.byref(status)):
        raise OSError("GlobalMemoryStatusEx failed")
    return int(status.total), int(status.free)
