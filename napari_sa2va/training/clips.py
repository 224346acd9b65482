"""Training on clips: the five-frame prompt, and SAM2's memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sa2va.training.steps import StepResult

if TYPE_CHECKING:
    from napari_sa2va.model.network import Sa2VANetwork
    from napari_sa2va.training.batches import Batch
    from napari_sa2va.training.losses import AuxiliaryHeads


def clip_step(network: Sa2VANetwork, heads: AuxiliaryHeads, batch: Batch) -> StepResult:
    """Run a batch of clips."""
    raise NotImplementedError
