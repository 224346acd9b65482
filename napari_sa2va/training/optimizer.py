"""The optimiser: which weights decay, and which learn faster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable

_MEMORY_PARTS: Final = ("memory_", "maskmem", "obj_ptr", "mask_downsample.")


def make_optimizer(
    modules: Iterable[torch.nn.Module], memory_factor: float = 1.0
) -> torch.optim.AdamW:
    """AdamW of all that asks for a gradient; norms, biases, embeddings and tokens do not decay.

    Each group has a ``factor`` that the learning rate is to be multiplied with.

    Parameters
    ----------
    memory_factor : float
        How much faster what only tracking uses learns: its turn comes in few of the steps.
    """
    decayed: list[torch.nn.Parameter] = []
    plain: list[torch.nn.Parameter] = []
    memory: list[torch.nn.Parameter] = []
    for module in modules:
        for name, weight in module.named_parameters():
            if not weight.requires_grad:
                continue
            matrix = weight.ndim >= 2 and "embed" not in name and "token" not in name
            if any(part in name for part in _MEMORY_PARTS):
                memory.append(weight)
            else:
                (decayed if matrix else plain).append(weight)
    groups = [
        {"params": decayed, "weight_decay": 0.03, "factor": 1.0},
        {"params": plain, "weight_decay": 0.0, "factor": 1.0},
        {"params": memory, "weight_decay": 0.0, "factor": memory_factor},
    ]
    return torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.98))
