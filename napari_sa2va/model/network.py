"""The network of an InternVL-family Sa2VA, built from transformers' and sam2's own modules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from transformers import InternVLVisionConfig, InternVLVisionModel, Qwen2Config, Qwen2ForCausalLM

from napari_sa2va.errors import CheckpointError
from napari_sa2va.model.sam2_network import GroundingSam2, grounding_module

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sa2va.model.config import Sa2VAConfig


def _vision_config(config: Sa2VAConfig) -> InternVLVisionConfig:
    vision = config.vision
    return InternVLVisionConfig(
        hidden_size=vision["hidden_size"],
        num_hidden_layers=vision["num_hidden_layers"],
        num_attention_heads=vision["num_attention_heads"],
        intermediate_size=vision["intermediate_size"],
        image_size=vision["image_size"],
        patch_size=vision["patch_size"],
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


def _language_model(config: Sa2VAConfig) -> Qwen2ForCausalLM:
    settings = dict(config.language_settings)
    kind = settings.pop("model_type", "qwen2")
    if kind != "qwen2":
        raise CheckpointError(
            f"This checkpoint's language model is of kind {kind!r}, which this version cannot run "
            "yet. Sa2VA-InternVL3-2B, -8B, -14B, Sa2VA-1B and Sa2VA-4B work."
        )
    settings["tie_word_embeddings"] = False
    return Qwen2ForCausalLM(Qwen2Config(**settings))


class Sa2VANetwork(nn.Module):
    """Vision tower, projector, language model, text-to-prompt layers and SAM2.

    Parameters
    ----------
    config : Sa2VAConfig
        Sizes of all parts.
    original_decoder : bool
        Also hold SAM2's original mask decoder, as Sa2VA-i checkpoints do.
    """

    def __init__(self, config: Sa2VAConfig, original_decoder: bool = False) -> None:
        super().__init__()
        self.config = config
        shuffled = int(config.vision["hidden_size"] / config.downsample_ratio**2)
        width = int(config.language["hidden_size"])
        self.vision_model = InternVLVisionModel(_vision_config(config))
        self.mlp1 = nn.Sequential(
            nn.LayerNorm(shuffled), nn.Linear(shuffled, width), nn.GELU(), nn.Linear(width, width)
        )
        self.language_model = _language_model(config)
        self.text_hidden_fcs = nn.Sequential(
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, config.sam2.d_model),
            nn.Dropout(0.0),
        )
        # Hiera reads values while it is built, so SAM2 cannot be built on the meta device.
        with torch.device("cpu"):
            self.grounding_encoder = grounding_module(GroundingSam2(config.sam2, original_decoder))

    @classmethod
    def empty(cls, config: Sa2VAConfig, original_decoder: bool = False) -> Sa2VANetwork:
        """Build the network without memory for its parameters: all are on the meta device.

        Buffers that no checkpoint holds (the language model's rotary frequencies) are real.
        """
        with torch.device("meta"), _UninitialisedParameters():
            network = cls(config, original_decoder)
        network.grounding_encoder.to("meta")
        decoder = network.language_model.model
        # Built once more: transformers computes its frequencies, not stored in any checkpoint,
        # from the configuration.
        decoder.rotary_emb = type(decoder.rotary_emb)(config=network.language_model.config)
        return network.requires_grad_(False).eval()

    @property
    def sam2(self) -> GroundingSam2:
        """The SAM2 model."""
        sam2: Any = self.grounding_encoder.sam2_model
        assert isinstance(sam2, GroundingSam2)
        return sam2

    @property
    def layers(self) -> list[nn.Module]:
        """The blocks that nearly all time goes into: a run may be interrupted between them."""
        stacks: list[Any] = [
            self.vision_model.encoder.layer,
            self.language_model.model.layers,
            self.sam2.image_encoder.trunk.blocks,
            self.sam2.memory_attention.layers,
        ]
        return [layer for stack in stacks for layer in stack]

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


class _UninitialisedParameters(TorchFunctionMode):
    """Skip what would fill new parameters: seconds, and memory that is replaced at once."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        name, named = getattr(func, "__name__", ""), kwargs or {}
        in_place = name.endswith("_") and not name.endswith("__") and name != "requires_grad_"
        # torch.nn.init hands its tensor over by name, methods of a tensor by place.
        changed = args[0] if args else named.get("tensor")
        if in_place and isinstance(changed, nn.Parameter):
            return changed
        return func(*args, **named)


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
