from __future__ import annotations

import platform
from importlib import metadata
from types import SimpleNamespace

import pytest

from napari_sa2va.errors import InvalidInput
from napari_sa2va.zoo import machine, problems
from napari_sa2va.zoo.machine import Device, device_named, devices, inspect_machine

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
    return SimpleNamespace(
        version=SimpleNamespace(cuda=cuda, hip=None),
        cuda=SimpleNamespace(
            get_arch_list=lambda: architectures,
            device_count=lambda: 1,
            get_device_capability=lambda index: (8, 9),
            get_device_name=lambda index: "RTX",
        ),
    )


def unused_gpu(
    monkeypatch: pytest.MonkeyPatch, torch: SimpleNamespace, driver: bool, *found: Device
) -> str:
    monkeypatch.setattr(problems, "_torch", lambda: torch)
    monkeypatch.setattr(problems, "_nvidia_driver", lambda: driver)
    return " ".join(problems._unused_gpu(found))


def test_a_torch_without_cuda_beside_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "built without CUDA" in unused_gpu(monkeypatch, fake_torch(None, []), True, CPU)
    assert "too old" in unused_gpu(monkeypatch, fake_torch("13.0", []), True, CPU)
    assert unused_gpu(monkeypatch, fake_torch(None, []), False, CPU) == ""


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
    said = unused_gpu(monkeypatch, fake_torch("13.0", architectures), True, GPU, CPU)
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
