from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from napari_sa2va.errors import CheckpointError, InvalidInput, NotEnoughMemory
from napari_sa2va.zoo import fit
from napari_sa2va.zoo.catalogue import QWEN2_5_VISION, QWEN3_VISION, LanguageSizes, find
from napari_sa2va.zoo.fit import (
    GIB,
    VisionSizes,
    check_fits,
    estimate,
    estimate_published,
    gib,
    working_memory,
)
from napari_sa2va.zoo.machine import Device
from tests.zoo.conftest import TINY_CONFIG, write_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1024**2


def with_device(monkeypatch: pytest.MonkeyPatch, device: Device) -> None:
    monkeypatch.setattr(fit, "device_named", lambda name: device)


@pytest.mark.parametrize(("dtype", "size"), [("float32", 4), ("bfloat16", 2), ("float16", 2)])
def test_weights_are_counted_from_the_headers(tiny_checkpoint: Path, dtype: str, size: int) -> None:
    # Stored in float16: what counts is the dtype they are loaded in.
    assert estimate(tiny_checkpoint, dtype).weights == 34 * size


def test_working_memory_covers_what_was_measured() -> None:
    small = LanguageSizes(1, 1, 1, 1, 1)
    looking = working_memory(VisionSizes(), small, 4)
    assert 694 * MIB <= looking < 1.1 * 694 * MIB
    no_look = VisionSizes(hidden=0, intermediate=0, sam2_side=0)
    two_layers = LanguageSizes(1536, 8960, 2, 2, 128)
    reading = working_memory(no_look, two_layers, 4)  # 4,352 tokens
    assert 195 * MIB <= reading < 1.3 * 195 * MIB
    assert working_memory(VisionSizes(hidden=0, intermediate=0), small, 4) >= 448 * MIB


@pytest.mark.parametrize(("vision", "measured"), [(QWEN2_5_VISION, 580), (QWEN3_VISION, 709)])
def test_qwen_s_largest_image_fits(vision: VisionSizes, measured: int) -> None:
    looking = working_memory(vision, LanguageSizes(1, 1, 1, 1, 1), 4)
    assert measured * MIB <= looking < 1.2 * measured * MIB


@pytest.mark.parametrize("patch", [14, 16])
def test_a_folder_of_the_qwen_families(tmp_path: Path, patch: int) -> None:
    folder = write_checkpoint(tmp_path / "qwen")
    which = "fullatt_block_indexes" if patch == 14 else "deepstack_visual_indexes"
    config = {
        "architectures": ["Sa2VAChatModelQwen"],
        "text_config": TINY_CONFIG["llm_config"],
        "vision_config": {**TINY_CONFIG["vision_config"], "patch_size": patch, which: [0]},
        "sam2": {"image_size": 128},
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    need = estimate(folder, "float32")
    assert need.weights == 34 * 4
    # The keys and values of a video's five images: two layers, two heads of 6.
    tokens = (5 * 2048 if patch == 14 else 5 * 1568) + 1024
    assert need.working > 4 * tokens * 2 * 2 * 2 * 6


def test_a_smaller_model_needs_less() -> None:
    needs = [
        estimate_published(checkpoint, "float32")
        for name in ("Sa2VA-1B", "Sa2VA-InternVL3-2B", "Sa2VA-4B", "Sa2VA-InternVL3-8B")
        if (checkpoint := find(name)) is not None
    ]
    totals = [need.total for need in needs if need is not None]
    assert len(totals) == 4
    assert totals == sorted(totals)
    assert totals[1] > 2_316_157_490 * 4


def test_what_fits_is_let_through(tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_device(monkeypatch, Device("cpu", "", 16 * GIB, 8 * GIB))
    need = check_fits(tiny_checkpoint)
    assert need.total == need.weights + need.working < 8 * GIB


def test_what_does_not_fit_is_told_with_numbers(
    tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_device(monkeypatch, Device("cpu", "", 16 * GIB, 1024))
    with pytest.raises(NotEnoughMemory) as raised:
        check_fits(tiny_checkpoint, dtype="bfloat16")
    message = str(raised.value)
    assert message.startswith("tiny needs about ")
    assert "0 MiB of 16.0 GiB are free" in message
    assert "demo" in message


def test_the_advice_is_something_that_fits(tmp_path: Path) -> None:
    # A layer of 4 MiB in float32, and as much that is not held in few bits.
    layer, head = (
        "language_model.model.layers.0.mlp.up_proj.weight",
        "language_model.lm_head.weight",
    )
    folder = write_checkpoint(tmp_path / "large", {layer: (1024, 1024), head: (1024, 1024)})
    whole, bytes_8 = estimate(folder, "float32"), estimate(folder, "int8")
    assert whole.weights == 8 * MIB
    assert bytes_8.weights == pytest.approx(5 * MIB, rel=0.01)
    assert bytes_8.working == whole.working  # computed in float32
    halves = estimate(folder, "int4", "bfloat16")
    assert halves.weights == pytest.approx(2.5 * MIB, rel=0.01)
    assert halves.working == whole.working // 2

    def advice(name: str, free: int, dtype: str = "float32") -> str:
        device = Device(name, "", 24 * GIB, free)
        need = estimate(folder, dtype) if dtype != "float32" else fit.MemoryNeed(30 * GIB, 2 * GIB)
        return fit._advice(folder, need, device, dtype)

    assert "In int8 it would fit" in advice("cpu", bytes_8.total)
    assert "In bfloat16 it would fit" in advice("cpu", bytes_8.total - 1)
    assert "In bfloat16 it would fit" in advice("mps", 12 * GIB)
    assert "In int8" not in advice("cpu", bytes_8.total - 1, "int8")  # what does not fit
    assert "demo" in advice("cpu", 1024)
    huge = fit.MemoryNeed(30 * GIB, 2 * GIB)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "_FEWER", {})
        device = Device("cpu", "", 24 * GIB, 12 * GIB)
        assert "Sa2VA-InternVL3-2B would fit" in fit._advice(folder, huge, device, "float32")


def test_unknown_memory_forbids_nothing(
    tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_device(monkeypatch, Device("cpu", "", 0, 0))
    assert check_fits(tiny_checkpoint).total > 0


def test_this_machine_holds_the_tiny_one(tiny_checkpoint: Path) -> None:
    assert check_fits(tiny_checkpoint, "cpu", "float32").weights == 34 * 4


def test_a_cut_file_is_found_before_loading(tiny_checkpoint: Path) -> None:
    file = tiny_checkpoint / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(CheckpointError, match="cut short or damaged"):
        estimate(tiny_checkpoint, "float32")


def test_what_a_folder_needs_is_told_without_torch(tiny_checkpoint: Path) -> None:
    # Windows ask, on the thread that draws them: the import would hold them up for seconds.
    code = (
        "import sys; from pathlib import Path; from napari_sa2va.zoo.fit import estimate; "
        "need = estimate(Path(sys.argv[1]), 'float32'); "
        "assert need.weights == 136; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tiny_checkpoint)], check=True)


def test_a_config_without_sizes(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "odd")
    config = {**TINY_CONFIG, "llm_config": {"hidden_size": 24}}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(CheckpointError, match="lacks sizes"):
        estimate(folder, "float32")


@pytest.mark.parametrize("file", ["config.json", "model.safetensors.index.json"])
def test_json_that_is_too_deep(tiny_checkpoint: Path, file: str) -> None:
    (tiny_checkpoint / file).write_text('{"a":' * 100_000, encoding="utf-8")
    if file != "config.json":
        (tiny_checkpoint / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"cannot be read|is damaged"):
        estimate(tiny_checkpoint, "float32")


def test_a_dtype_that_cannot_be_had(tiny_checkpoint: Path) -> None:
    with pytest.raises(InvalidInput, match="no dtype 'int2'"):
        check_fits(tiny_checkpoint, "cpu", "int2")
    with pytest.raises(InvalidInput, match="NVIDIA"):
        check_fits(tiny_checkpoint, "cpu", "int4")
    assert check_fits(tiny_checkpoint, "cpu", "int8").weights == 34 * 4  # no layers in it


def test_sizes_are_written_for_people() -> None:
    assert gib(int(8.64 * GIB)) == "8.6 GiB"
    assert gib(420 * MIB) == "420 MiB"
