"""The InternVL family: InternViT, a projector, and a Qwen2 or InternLM2 language model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn
from transformers import (
    InternVLVisionConfig,
    InternVLVisionModel,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from napari_sa2va.errors import CheckpointError
from napari_sa2va.model import prompts
from napari_sa2va.model.backbone import Backbone, Look
from napari_sa2va.model.failures import stop_if
from napari_sa2va.model.families import internvl_names
from napari_sa2va.model.preprocess import frame_tile, image_tiles

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from napari_sa2va.model.config import Sa2VAConfig
    from napari_sa2va.model.names import Naming
    from napari_sa2va.model.tokenizer import Tokenizer

# Tiles encoded in one go; a run can be cancelled in between.
_TILES: Final = 4
# What an InternLM2's configuration says in the words of a Llama's.
_LLAMA_SETTINGS: Final = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "hidden_act",
    "max_position_embeddings",
    "rms_norm_eps",
    "rope_theta",
    "rope_scaling",
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
)


class Family(Backbone):
    """A vision tower, a projector and a language model; see `Backbone`."""

    def __init__(self, config: Sa2VAConfig) -> None:
        super().__init__(config)
        shuffled = int(config.vision["hidden_size"] / config.downsample_ratio**2)
        width = config.width
        self.vision_model = InternVLVisionModel(_vision_config(config))
        self.mlp1 = nn.Sequential(
            nn.LayerNorm(shuffled), nn.Linear(shuffled, width), nn.GELU(), nn.Linear(width, width)
        )
        self.language_model = _language_model(config)

    @staticmethod
    def signs(config: Sa2VAConfig) -> prompts.Signs:
        """Return the chat template's tokens."""
        return prompts.template_signs(config.template)

    @property
    def decoder(self) -> Any:
        """The language model without its head."""
        return self.language_model.model

    @property
    def lm_head(self) -> nn.Module:
        """From a state to the logits of the next token."""
        head: nn.Module = self.language_model.lm_head
        return head

    @property
    def vision_layers(self) -> Sequence[nn.Module]:
        """InternViT's blocks."""
        layers: Any = self.vision_model.encoder.layer
        return list(layers)

    @property
    def telling(self) -> Tensor:
        """The projector's last bias."""
        bias: Any = self.mlp1[3].bias
        assert isinstance(bias, Tensor)
        return bias

    def naming(self, stored: Collection[str]) -> Naming:
        """Return `internvl_names.naming` for this language model."""
        if isinstance(self.language_model, LlamaForCausalLM):
            settings: Any = self.language_model.config
            heads, groups = settings.num_attention_heads, settings.num_key_value_heads
            return internvl_names.naming(heads_per_group=heads // groups, groups=groups)
        return internvl_names.naming()

    @torch.inference_mode()
    def look(self, pixels: NDArray[np.uint8], cancelled: Callable[[], bool] | None = None) -> Look:
        """Look at an image, in tiles."""
        weight: Any = self.mlp1[1].weight
        found = []
        for some in torch.split(image_tiles(pixels, self.config), _TILES):
            stop_if(cancelled)
            found.append(self.visual_tokens(some.to(weight.device, weight.dtype)))
        return Look(torch.cat(found).flatten(0, 1))

    @torch.inference_mode()
    def glance(
        self, pixels: NDArray[np.uint8], cancelled: Callable[[], bool] | None = None
    ) -> Look:
        """Look at a frame, squeezed into one tile."""
        weight: Any = self.mlp1[1].weight
        stop_if(cancelled)
        tile = frame_tile(pixels, self.config)[None].to(weight.device, weight.dtype)
        return Look(self.visual_tokens(tile)[0])

    def prompt(
        self,
        tokenizer: Tokenizer,
        questions: Sequence[str],
        images: Sequence[int],
        regions: Sequence[int] = (),
    ) -> list[str]:
        """Write questions, images and regions in place of the first one's ``<image>``."""
        shown = "\n".join(prompts.image_string(1, count) for count in images)
        pointed = prompts.region_string(regions) if regions else ""
        first = prompts.turn(questions[0].replace(prompts.IMAGE, shown + pointed))
        return [first, *map(prompts.next_turn, questions[1:])]

    def region(self, look: Look, indices: Tensor) -> Tensor:
        """Return tokens of the last tile, which shows all of the image."""
        return look.tokens[-self.config.tokens_per_tile :][indices.to(look.tokens.device)]

    def visual_tokens(self, tiles: Tensor) -> Tensor:
        """Turn image tiles into visual tokens of the language model.

        Parameters
        ----------
        tiles : Tensor, shape (n, 3, tile, tile)
            Normalised tiles.

        Returns
        -------
        Tensor, shape (n, tokens_per_tile, language width)
        """
        patches = self.vision_model(pixel_values=tiles).last_hidden_state[:, 1:]  # class token off
        tokens: Tensor = self.mlp1(pixel_shuffle(patches, self.config.downsample_ratio))
        return tokens


def _vision_config(config: Sa2VAConfig) -> InternVLVisionConfig:
    vision = config.vision
    return InternVLVisionConfig(
        hidden_size=vision["hidden_size"],
        num_hidden_layers=vision["num_hidden_layers"],
        num_attention_heads=vision["num_attention_heads"],
        intermediate_size=vision["intermediate_size"],
        image_size=vision["image_size"],
        patch_size=vision["patch_size"],
        # InternViT-300M: layer_norm, biases; InternViT-6B: rms_norm, no biases, q and k normalised.
        norm_type=vision.get("norm_type", "layer_norm"),
        layer_norm_eps=vision.get("layer_norm_eps", 1e-6),
        hidden_act=vision.get("hidden_act", "gelu"),
        attention_bias=vision.get("qkv_bias", True),
        use_qk_norm=vision.get("qk_normalization", False),
        # InternViT has no layer norm after its last block; True makes transformers' an identity.
        use_mean_pooling=True,
        attention_dropout=0.0,
        hidden_dropout_prob=0.0,
    )


def _language_model(config: Sa2VAConfig) -> Qwen2ForCausalLM | LlamaForCausalLM:
    settings = dict(config.language_settings)
    kind = settings.pop("model_type", "qwen2")
    if kind == "qwen2":
        settings["tie_word_embeddings"] = False
        return Qwen2ForCausalLM(Qwen2Config(**settings))
    if kind == "internlm2":
        # A Llama whose projections are packed; `bias` is of the attention's alone.
        chosen = {key: settings[key] for key in _LLAMA_SETTINGS if key in settings}
        bias = bool(settings.get("bias", False))
        llama = LlamaConfig(**chosen, attention_bias=bias, tie_word_embeddings=False)
        return LlamaForCausalLM(llama)
    raise CheckpointError(
        f"This checkpoint's language model is of kind {kind!r}, which this version cannot run. "
        "Qwen2 and InternLM2 work."
    )


def pixel_shuffle(patches: Tensor, ratio: float) -> Tensor:
    """Fold blocks of neighbouring patches into channels (InternVL's ``ps_version`` v2).

    Parameters
    ----------
    patches : Tensor, shape (n, side², c)
        Patches in reading order.
    ratio : float
        0.5 folds blocks of 2x2; inside a block the row counts before the column.

    Returns
    -------
    Tensor, shape (n, side² · ratio², c / ratio²)
    """
    n, count, channels = patches.shape
    side, block = round(count**0.5), round(1 / ratio)
    grid = patches.reshape(n, side // block, block, side // block, block, channels)
    grid = grid.permute(0, 1, 3, 2, 4, 5)
    return grid.reshape(n, (side // block) ** 2, channels * block**2)
