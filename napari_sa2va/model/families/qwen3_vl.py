"""The Qwen3-VL family (4B)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

from napari_sa2va.model.families.qwen_vl import QwenVL

if TYPE_CHECKING:
    from collections.abc import Collection

    from torch import Tensor

    from napari_sa2va.model.config import Sa2VAConfig
    from napari_sa2va.model.names import Naming, Stored


class Family(QwenVL):
    """A Qwen3-VL; see `Backbone`.

    Object embeddings are made from the state before the final norm: under transformers 4.57 the
    official code got that one, in training too. So the norm stands apart here, before the head.
    """

    def __init__(self, config: Sa2VAConfig) -> None:
        super().__init__(config)
        self.norm: Any = self.decoder.norm
        self.decoder.norm = nn.Identity()

    @staticmethod
    def build(text: dict[str, Any], vision: dict[str, Any], ids: dict[str, int]) -> Any:
        """Build transformers' model."""
        config: Any = Qwen3VLConfig
        settings = config(text_config=text, vision_config=vision, tie_word_embeddings=False, **ids)
        return Qwen3VLForConditionalGeneration(settings)

    @property
    def telling(self) -> Tensor:
        """The last bias between the vision tower and the language model."""
        bias: Tensor = self.model.model.visual.merger.linear_fc2.bias
        return bias

    def naming(self, stored: Collection[str]) -> Naming:
        """Return the names of transformers' own class, where the norm is in its old place."""
        inherited = super().naming(stored)

        def stored_as(ours: str) -> Stored:
            if ours.startswith("norm."):
                ours = f"model.model.language_model.{ours}"
            return inherited(ours)

        return stored_as

    def logits(self, state: Tensor) -> Tensor:
        """Turn a state, not normalised, into the logits of the next token."""
        logits: Tensor = self.lm_head(self.norm(state))
        return logits
