from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from napari_sa2va.zoo.memory import cgroup_memory, parse_meminfo, parse_vm_stat, system_memory

if TYPE_CHECKING:
    from pathlib import Path

MEMINFO = """MemTotal:       24682416 kB
MemFree:        16893624 kB
MemAvailable:   23994228 kB
HugePages_Total:       0
"""

VM_STAT = """Mach Virtual Memory Statistics: (page size of 16384 bytes)
Pages free:                               11007.
Pages active:                            350000.
Pages inactive:                          340000.
Pages speculative:                         1993.
Pages purgeable:                           1000.
"Translation faults":                 123456789.
"""


def write_group(folder: Path, limit: str) -> Path:
    (folder / "memory.max").write_text(limit + "\n")
    (folder / "memory.current").write_text("3000\n")
    (folder / "memory.stat").write_text("anon 1000\ninactive_file 500\nactive_file 20\n")
    return folder


def test_linux() -> None:
    assert parse_meminfo(MEMINFO) == (24682416 * 1024, 23994228 * 1024)


def test_macos() -> None:
    assert parse_vm_stat(VM_STAT) == (11007 + 340000 + 1993 + 1000) * 16384


def test_a_container_s_limit(tmp_path: Path) -> None:
    assert cgroup_memory(write_group(tmp_path, "10000")) == (10000, 7500)
    assert cgroup_memory(write_group(tmp_path, "2000")) == (2000, 0)
    assert cgroup_memory(write_group(tmp_path, "max")) is None
    assert cgroup_memory(tmp_path / "none") is None


def test_this_machine() -> None:
    total, free = system_memory()
    assert 256 * 1024**2 < total < 2**50
    assert 0 < free <= total


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_that_is_taken_is_not_free() -> None:
    before = system_memory()[1]
    taken = bytearray(400 * 1024**2)
    taken[::4096] = b"x" * len(taken[::4096])  # touched, so it is really there
    assert system_memory()[1] < before - 200 * 1024**2
