"""Which parts of a checkpoint are trained: all, or some, with LoRA on the language model."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_sa2va.model.network import Sa2VANetwork

Parts = Literal["all", "parts"]

_ADAPTED: Final = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
_DROPOUT: Final = 0.05  # as in the official fine-tuning


def choose_trained(network: Sa2VANetwork, train: Parts, rank: int, *, words: bool) -> None:
    """Let some weights ask for a gradient, and the others not.

    Parameters
    ----------
    train : "all" or "parts"
        ``"parts"``: the projector, text-to-prompt layers and the mask decoder.
    rank : int
        Of LoRA matrices on the language model, by peft; 0 for none. Not where all is trained.
    words : bool
        Also train the language model's rows of words, since there are new ones.
    """
    if train == "all":
        network.requires_grad_(True)
        return
    network.requires_grad_(False)
    if rank:
        _add_lora(network.language_model, rank)
    trained: list[nn.Module] = [
        network.mlp1,
        network.text_hidden_fcs,
        network.sam2.sam_mask_decoder,
    ]
    if words:
        trained += [network.language_model.model.embed_tokens, network.language_model.lm_head]
    for part in trained:
        part.requires_grad_(True)


def _add_lora(language: nn.Module, rank: int) -> None:
    from peft import LoraConfig, inject_adapter_in_model

    settings = LoraConfig(
        r=rank, lora_alpha=2 * rank, lora_dropout=_DROPOUT, target_modules=_ADAPTED
    )
    inject_adapter_in_model(settings, language)


@contextmanager
def merged(network: nn.Module, dtype: torch.dtype) -> Iterator[None]:
    """Let a network be an ordinary one for a while, with what LoRA learnt added to its weights.

    The sums are on the CPU, as `dtype`: the device need not hold the language model twice. The
    weights as they were come back at the end, to the bit: a run that is saved often does not drift
    by rounding.
    """
    swapped: list[tuple[nn.Module, str, Any, nn.Parameter]] = []
    try:
        for path, adapted in list(network.named_modules()):
            if not hasattr(adapted, "get_delta_weight"):
                continue
            base: Any = adapted.get_base_layer()
            parent, _, name = path.rpartition(".")
            swapped.append((network.get_submodule(parent), name, adapted, base.weight))
            with torch.no_grad():
                total = (base.weight + adapted.get_delta_weight("default")).to("cpu", dtype)
            base.weight = nn.Parameter(total, requires_grad=False)
            setattr(network.get_submodule(parent), name, base)
        yield
    finally:
        for module, name, adapted, weight in swapped:
            adapted.get_base_layer().weight = weight
            setattr(module, name, adapted)
