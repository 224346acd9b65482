"""What loading takes in memory, and what it leaves behind when it is cancelled."""

from __future__ import annotations

import gc
import json
import sys
import threading
from pathlib import Path

import golden
import pytest
import torch
from safetensors.torch import save_file

from napari_sa2va.errors import Cancelled
from napari_sa2va.model.checkpoint import load_network
from napari_sa2va.model.filling import give_back

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux tells anonymous memory")

WORDS = 300_000  # two matrices of 77 MB in float32: a second copy of one would be seen
SLACK = 15e6


def anonymous() -> int:
    gc.collect()  # earlier tests' models
    give_back()
    return now()


def now() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))


class Peak:
    def __init__(self) -> None:
        self.before = self.bytes = anonymous()
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def __enter__(self) -> Peak:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()
        self.bytes = max(self.bytes, now())

    def watch(self) -> None:
        while not self.done.wait(0.001):
            self.bytes = max(self.bytes, now())


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The golden checkpoint in bfloat16, with a large vocabulary."""
    folder = golden.copy_settings("internvl", tmp_path_factory.mktemp("wide"))
    config = json.loads((folder / "config.json").read_text())
    config["llm_config"]["vocab_size"] = WORDS
    (folder / "config.json").write_text(json.dumps(config))
    tensors = {name: value.bfloat16() for name, value in golden.weights("internvl").items()}
    for name in ("language_model.model.embed_tokens.weight", "language_model.lm_head.weight"):
        tensors[name] = torch.ones(WORDS, tensors[name].shape[1], dtype=torch.bfloat16)
    save_file(tensors, folder / "model.safetensors")
    load_network(folder)  # imports what it needs, which is not the weights'
    return folder


def test_weights_are_in_memory_once(wide: Path) -> None:
    with Peak() as peak:
        network = load_network(wide)
    weights = sum(tensor.nbytes for tensor in network.state_dict().values())
    assert weights > 150e6
    assert 0.8 * weights < peak.bytes - peak.before < 1.15 * weights + SLACK


def test_cancelling_leaves_nothing(wide: Path) -> None:
    fractions: list[float] = []
    with Peak() as peak, pytest.raises(Cancelled) as kept:
        load_network(
            wide,
            progress=lambda _, fraction: fractions.append(fraction),
            cancelled=lambda: bool(fractions) and fractions[-1] > 0.6,
        )
    left = anonymous() - peak.before
    assert peak.bytes - peak.before > 40e6
    assert left < SLACK
    assert kept.value.__traceback__ is not None  # the error, and with it the frames, are still here
