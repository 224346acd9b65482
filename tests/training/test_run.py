"""Training runs: steps lower the loss, and an interrupted run goes on where it was."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from napari_sa2va.model.config import Sa2VAConfig
from napari_sa2va.model.network import Sa2VANetwork
from napari_sa2va.training import run as run_module
from napari_sa2va.training.batches import SceneBatches
from napari_sa2va.training.clips import clip_step
from napari_sa2va.training.demo_config import demo_config
from napari_sa2va.training.initialise import initialise
from napari_sa2va.training.losses import AuxiliaryHeads
from napari_sa2va.training.run import Run
from napari_sa2va.training.schedule import Schedule
from napari_sa2va.training.steps import image_step
from napari_sa2va.training.vocabulary import build_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

_TOKENIZER = build_tokenizer()
_CONFIG = Sa2VAConfig.from_dict(demo_config(_TOKENIZER.get_vocab_size()))


def _network() -> Sa2VANetwork:
    torch.manual_seed(0)
    network = Sa2VANetwork(_CONFIG)
    initialise(network)
    network.sam2.eval()
    return network


def test_steps_on_one_batch_lower_its_loss() -> None:
    network, batches = _network(), SceneBatches(_TOKENIZER, _CONFIG, 0, size=1, questions=3)
    heads, batch = AuxiliaryHeads(_CONFIG), batches.make(range(1))
    optimizer = torch.optim.AdamW([*network.parameters(), *heads.parameters()], lr=1e-3)
    totals = []
    for _ in range(6):
        total = torch.stack(list(image_step(network, heads, batch).losses.values())).sum()
        totals.append(float(total.detach()))
        optimizer.zero_grad()
        torch.autograd.backward(total)
        optimizer.step()
    assert totals[-1] < 0.7 * totals[0]


@pytest.mark.parametrize("share", [0.0, 1.0], ids=["from words", "from masks"])
def test_a_clip_teaches_memory_but_not_the_encoders(
    share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_sa2va.training.clips._MASK_PROMPTED", share)
    network = _network()
    batches = SceneBatches(
        _TOKENIZER, _CONFIG, 11, size=1, questions=3, frames=7, question_frames=5
    )
    batch = batches.make(range(11, 12))
    assert len(batch.seg_masks)
    result = clip_step(network, AuxiliaryHeads(_CONFIG), batch)
    torch.autograd.backward(torch.stack(list(result.losses.values())).sum())
    taught = {name for name, p in network.named_parameters() if p.grad is not None}
    for part in ("memory_attention", "memory_encoder", "sam_mask_decoder", "language_model"):
        assert any(part in name for name in taught), part
    assert not any("image_encoder" in name or "vision_model" in name for name in taught)


def test_an_interrupted_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "IMAGES", 1)
    monkeypatch.setattr(run_module, "QUESTIONS", 2)
    monkeypatch.setattr(run_module, "_LOG_EVERY", 1)
    schedule = Schedule(minutes=0.02, image_share=1, warm_up_steps=1)
    device = torch.device("cpu")

    def start(minutes: float) -> Run:
        timed = replace(schedule, minutes=minutes)
        return Run(_network(), _TOKENIZER, timed, tmp_path, device, workers=0)

    first = start(0.02)
    first.train()
    assert first.step >= 1
    second = start(0.04)
    assert (second.step, second.seconds) == (first.step, first.seconds)
    for ours, theirs in zip(
        first.network.state_dict().values(), second.network.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(ours, theirs)
    second.train()
    assert second.step > first.step
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, second.step + 1))
