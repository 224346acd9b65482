"""The Qwen2.5-VL family (3B, 7B)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from napari_sa2va.model.families.qwen_vl import QwenVL

if TYPE_CHECKING:
    from torch import Tensor


class Family(QwenVL):
    """A Qwen2.5-VL; see `Backbone`."""

    system: ClassVar[str] = "You are a helpful assistant."

    @staticmethod
    def build(text: dict[str, Any], vision: dict[str, Any], ids: dict[str, int]) -> Any:
        """Build transformers' model."""
        config: Any = Qwen2_5_VLConfig
        settings = config(text_config=text, vision_config=vision, tie_word_embeddings=False, **ids)
        return Qwen2_5_VLForConditionalGeneration(settings)

    @property
    def telling(self) -> Tensor:
        """The last bias between the vision tower and the language model."""
        bias: Tensor = self.model.model.visual.merger.mlp[2].bias
        return bias
