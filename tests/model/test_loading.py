"""What loading takes in memory, and what it leaves behind when it is cancelled."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import golden
import pytest
import torch
from safetensors.torch import save_file

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux tells anonymous memory")

# Two matrices of 77 MB in float32, 38 MB in the file.
WORDS, WIDTH = 300_000, 64
IN_FILE = 2 * WORDS * WIDTH
# `filling._CHECKED` values in float32, while a tensor is looked at.
CHECKED = 4 << 22
# What glibc keeps differs by as much from run to run.
SLACK = 30e6


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """Of the golden checkpoint in bfloat16, with a large vocabulary; see `loading_memory.py`."""
    folder = golden.copy_settings("internvl", tmp_path_factory.mktemp("wide"))
    config = json.loads((folder / "config.json").read_text())
    config["llm_config"]["vocab_size"] = WORDS
    (folder / "config.json").write_text(json.dumps(config))
    tensors = {name: value.bfloat16() for name, value in golden.weights("internvl").items()}
    for name in ("language_model.model.embed_tokens.weight", "language_model.lm_head.weight"):
        tensors[name] = torch.ones(WORDS, tensors[name].shape[1], dtype=torch.bfloat16)
    save_file(tensors, folder / "model.safetensors")
    # In a process of its own: what earlier tests leave to be freed would be counted, too.
    script = Path(__file__).with_name("loading_memory.py")
    done = subprocess.run(
        [sys.executable, str(script), str(folder)], capture_output=True, check=True, timeout=120
    )
    found: dict[str, int] = json.loads(done.stdout)
    return found


def test_weights_are_in_memory_once(measured: dict[str, int]) -> None:
    weights = measured["weights"]
    assert weights > 150e6
    # A second copy of one matrix in float32 (77 MB) would be over this.
    once = weights + IN_FILE + CHECKED
    assert 0.8 * weights < measured["whole"] < once + SLACK


def test_cancelling_leaves_nothing(measured: dict[str, int]) -> None:
    assert measured["part"] > 40e6
    assert measured["left"] < SLACK
    assert measured["kept"]
