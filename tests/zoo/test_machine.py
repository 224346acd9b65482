from __future__ import annotations

import os
import platform
from importlib import metadata
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from napari_sa2va.errors import InvalidInput
from napari_sa2va.model import precision
from napari_sa2va.zoo import gpu, machine, problems
from napari_sa2va.zoo.gpu import Driver
from napari_sa2va.zoo.machine import Device, device_named, devices, inspect_machine

if TYPE_CHECKING:
    from pathlib import Path

GPU = Device("cuda:0", "a GPU", 8, 4)
CPU = Device("cpu", "a processor", 64 * 1024**3, 32 * 1024**3)


def test_the_processor_is_always_there_and_last() -> None:
    assert devices()[-1].name == "cpu"


def test_devices_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "devices", lambda: (GPU, CPU))
    assert device_named("auto") is GPU
    assert device_named("cuda") is GPU
    assert device_named("cuda:0") is GPU
    assert device_named("cpu") is CPU
    with pytest.raises(InvalidInput, match=r"no device 'cuda:1'. It has: cuda:0, cpu"):
        device_named("cuda:1")


def test_this_machine_has_no_problem_that_the_tests_would_not_have() -> None:
    found = inspect_machine()
    assert found.python == platform.python_version()
    assert found.packages["torch"] == metadata.version("torch")
    assert not [p for p in found.problems if "does not import" in p or "needed" in p]


def fake_torch(cuda: str | None, architectures: list[str]) -> SimpleNamespace:
    def init() -> None:
        raise RuntimeError("The driver is too old (found 12020). Please update it.\nMore.")

    return SimpleNamespace(
        version=SimpleNamespace(cuda=cuda, hip=None),
        cuda=SimpleNamespace(
            init=init,
            get_arch_list=lambda: architectures,
            device_count=lambda: 1,
            get_device_capability=lambda index: (8, 9),
            get_device_name=lambda index: "RTX",
        ),
    )


def unused_gpu(
    monkeypatch: pytest.MonkeyPatch, torch: SimpleNamespace, driver: Driver | None, *found: Device
) -> str:
    monkeypatch.setattr(problems, "_torch", lambda: torch)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return " ".join(problems._unused_gpu(found, driver))


NVIDIA = Driver("NVIDIA", "535.1", ("RTX",))


def test_a_torch_without_cuda_beside_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "built without CUDA" in unused_gpu(monkeypatch, fake_torch(None, []), NVIDIA, CPU)
    said = unused_gpu(monkeypatch, fake_torch("13.0", []), NVIDIA, CPU)
    assert "NVIDIA driver 535.1, but torch (built for CUDA 13.0) finds no GPU" in said
    assert "(it says: The driver is too old (found 12020))" in said
    assert unused_gpu(monkeypatch, fake_torch(None, []), None, CPU) == ""


def test_other_reasons_for_an_unused_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = fake_torch("13.0", [])
    broken = Driver("NVIDIA", failure="Driver/library version mismatch")
    assert "mismatch), so models run" in unused_gpu(monkeypatch, torch, broken, CPU)
    assert "ROCm" in unused_gpu(monkeypatch, torch, Driver("AMD"), CPU)
    monkeypatch.setattr(problems, "_torch", lambda: torch)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert "CUDA_VISIBLE_DEVICES is '-1'" in next(problems._unused_gpu((CPU,), NVIDIA))


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands for the tool")
@pytest.mark.parametrize(
    ("script", "found"),
    [
        (
            "echo 'NVIDIA H100, 550.54.15'; echo 'NVIDIA T4, 550.54.15'",
            Driver("NVIDIA", "550.54.15", ("NVIDIA H100", "NVIDIA T4")),
        ),
        (
            "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18",
            Driver("NVIDIA", "", (), "Failed to initialize NVML: Driver/library version mismatch"),
        ),
    ],
)
def test_the_driver_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, found: Driver
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(gpu, "_VERSION_FILE", tmp_path / "none")
    assert gpu.find_driver() == found
    assert found.text.startswith("NVIDIA driver")


def test_the_kernel_s_word_where_the_tool_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu.shutil, "which", lambda name: None)
    monkeypatch.setattr(gpu, "_VERSION_FILE", tmp_path / "version")
    monkeypatch.setattr(gpu, "_AMD_DEVICE", tmp_path / "none")
    assert gpu.find_driver() is None
    (tmp_path / "version").write_text("NVRM version: NVIDIA UNIX x86_64 Module  535.129.03  Thu")
    assert gpu.find_driver() == Driver("NVIDIA", "535.129.03")


@pytest.mark.parametrize(
    ("architectures", "fine"),
    [
        (["sm_86", "sm_90a"], True),
        (["sm_90a", "sm_120"], False),
        (["sm_70", "compute_70"], True),
    ],
)
def test_a_torch_without_code_for_the_gpu(
    monkeypatch: pytest.MonkeyPatch, architectures: list[str], fine: bool
) -> None:
    said = unused_gpu(monkeypatch, fake_torch("13.0", architectures), NVIDIA, GPU, CPU)
    assert ("no code for RTX (compute capability 8.9)" in said) is not fine


def test_a_package_of_the_wrong_version(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["numpy>=999", "surely-not-installed>=1", 'colour; extra == "all"']
    monkeypatch.setattr(problems.metadata, "requires", lambda name: lines)
    said = list(problems._unmet_requirements())
    assert len(said) == 2
    assert ">=999 is needed" in said[0]
    assert "surely-not-installed is missing" in said[1]


def test_little_memory_is_told() -> None:
    assert list(problems._little_memory((CPU,))) == []
    low = Device("cpu", "", 8 * 1024**3, 1024**3)
    assert "Only 1.0 GiB" in next(problems._little_memory((low,)))


def test_number_formats_that_cannot_work_are_known_without_torch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(precision, "find_spec", lambda name: None)
    monkeypatch.setattr(gpu, "_automatic", lambda: ("cpu",))
    assert "NVIDIA" in gpu.why_not_on("int4", "auto")
    assert "int8" in gpu.why_not_on("int4", "cpu")
    assert "float16" in gpu.why_not_on("int8", "mps")
    assert "quantized" in gpu.why_not_on("int8", "cuda:1")
    assert not any(gpu.why_not_on(dtype, "auto") for dtype in ("auto", "bfloat16", "int8"))
    monkeypatch.setattr(gpu, "_automatic", lambda: ("cuda", "cpu"))
    assert not gpu.why_not_on("int8", "auto")  # a torch without CUDA takes the processor
    assert "quantized" in gpu.why_not_on("int4", "auto")


def test_a_gpu_that_does_not_tell_its_memory_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    def busy(index: int) -> tuple[int, int]:
        raise RuntimeError("CUDA error: all CUDA-capable devices are busy or unavailable")

    named = {"is_available": lambda: True, "device_count": lambda: 1, "mem_get_info": busy}
    for name, function in (named | {"get_device_name": lambda index: "A GPU"}).items():
        monkeypatch.setattr(torch.cuda, name, function)
    assert devices()[0] == Device("cuda:0", "A GPU", 0, 0)
