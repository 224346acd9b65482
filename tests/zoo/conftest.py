"""Tiny checkpoints on disk, and a Hub on this machine that serves them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.zoo.hub_server import Hub, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TINY_CONFIG: dict[str, Any] = {
    "architectures": ["Sa2VAChatModel"],
    "force_image_size": 56,
    "max_dynamic_patch": 4,
    "template": "qwen_chat",
    "vision_config": {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 56,
        "patch_size": 14,
    },
    "llm_config": {
        "architectures": ["Qwen2ForCausalLM"],
        "hidden_size": 24,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    },
    "sam2": {"image_size": 128},
}
# 6 * 4 + 10 weights
TINY_WEIGHTS = {"a.weight": (6, 4), "a.bias": (10,)}


def write_checkpoint(folder: Path, shapes: dict[str, tuple[int, ...]] = TINY_WEIGHTS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(TINY_CONFIG), encoding="utf-8")
    tensors = {name: np.zeros(shape, np.float16) for name, shape in shapes.items()}
    save_file(tensors, folder / "model.safetensors")
    return folder


@pytest.fixture
def tiny_checkpoint(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "tiny")


def write_shards(folder: Path, kilobytes: int = 64) -> Path:
    """A checkpoint of two files of weights with random contents, and a few small files."""
    random = np.random.default_rng(7)
    folder.mkdir(parents=True, exist_ok=True)
    where = {}
    for number, name in enumerate(("a.weight", "b.weight"), start=1):
        file = f"model-{number:05}-of-00002.safetensors"
        tensor = random.integers(0, 2**15, kilobytes * 512, np.int16).view(np.float16)
        save_file({name: tensor}, folder / file)
        where[name] = file
    (folder / "config.json").write_text(json.dumps(TINY_CONFIG), encoding="utf-8")
    index = {"metadata": {}, "weight_map": where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    (folder / "tokenizer.json").write_text('{"model": {}}', encoding="utf-8")
    (folder / "modeling_sa2va_chat.py").write_text("raise SystemExit", encoding="utf-8")
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    return folder


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once, and take a second of silence for a broken connection."""
    from huggingface_hub import constants

    from napari_sa2va.zoo import patience

    monkeypatch.setattr(patience, "PAUSES", (0.0,) * 5)
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.3)
    monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 0.3)


@pytest.fixture
def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache and an empty list of models, with downloads switched on."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NAPARI_SA2VA_DATA_FOLDER", str(tmp_path / "data"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def hub(tmp_path: Path, private_cache: Path, impatient: None) -> Iterator[Hub]:
    """A Hub with one small checkpoint, someone/tiny."""
    with serving(Hub(write_checkpoint(tmp_path / "served"))) as served:
        yield served


@pytest.fixture
def sharded(tmp_path: Path, private_cache: Path, impatient: None) -> Iterator[Hub]:
    """The same with a checkpoint in two files of weights."""
    with serving(Hub(write_shards(tmp_path / "served"))) as served:
        yield served
