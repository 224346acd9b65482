"""The network of a Sa2VA: a vision-language backbone, text-to-prompt layers and SAM2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from napari_sa2va.model.families import backbone_class
from napari_sa2va.model.names import has_two_decoders, stored_as
from napari_sa2va.model.sam2_network import GroundingSam2, grounding_module

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from napari_sa2va.model.backbone import Backbone
    from napari_sa2va.model.config import Sa2VAConfig
    from napari_sa2va.model.names import Naming, Stored

_BACKBONE: Final = "backbone."


class Sa2VANetwork(nn.Module):
    """Backbone, text-to-prompt layers and SAM2.

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
        self.backbone: Backbone = backbone_class(config.family)(config)
        self.text_hidden_fcs = nn.Sequential(
            nn.Linear(config.width, config.width),
            nn.ReLU(),
            nn.Linear(config.width, config.sam2.d_model),
            nn.Dropout(0.0),
        )
        # Hiera reads values while it is built, so SAM2 cannot be built on the meta device.
        with torch.device("cpu"):
            self.grounding_encoder = grounding_module(GroundingSam2(config.sam2, original_decoder))

    @classmethod
    def empty(cls, config: Sa2VAConfig, original_decoder: bool = False) -> Sa2VANetwork:
        """Build the network without memory for its parameters: all are on the meta device.

        Buffers that no checkpoint holds (rotary frequencies) are real.
        """
        with torch.device("meta"), _UninitialisedParameters():
            network = cls(config, original_decoder)
        network.grounding_encoder.to("meta")
        _compute_frequencies(network.backbone)
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
            self.backbone.vision_layers,
            self.backbone.decoder.layers,
            self.sam2.image_encoder.trunk.blocks,
            self.sam2.memory_attention.layers,
        ]
        return [layer for stack in stacks for layer in stack]

    def naming(self, stored: Collection[str] = ()) -> Naming:
        """Return what tells where a checkpoint keeps a parameter of this network.

        Parameters
        ----------
        stored : collection of str
            All names of the checkpoint, by which layouts are told apart; empty for the newest.
        """
        in_backbone = self.backbone.naming(stored)
        two_decoders = (
            has_two_decoders(stored) if stored else self.sam2.original_mask_decoder is not None
        )

        def name(ours: str) -> Stored:
            if ours.startswith(_BACKBONE):
                return in_backbone(ours.removeprefix(_BACKBONE))
            return stored_as(ours, two_decoders)

        return name

    # What training reaches for in the InternVL family, the only one that is trained here.

    @property
    def vision_model(self) -> Any:
        """InternViT."""
        return self.backbone.vision_model

    @property
    def mlp1(self) -> Any:
        """InternVL's projector."""
        return self.backbone.mlp1

    @property
    def language_model(self) -> Any:
        """InternVL's language model, head included."""
        return self.backbone.language_model

    def visual_tokens(self, tiles: Tensor) -> Tensor:
        """Turn InternVL's tiles into visual tokens."""
        family: Any = self.backbone
        tokens: Tensor = family.visual_tokens(tiles)
        return tokens


def _compute_frequencies(backbone: nn.Module) -> None:
    """Compute the rotary frequencies of a backbone that was built on the meta device.

    transformers computes them from the configuration, so their modules are built once more.
    """
    for module in list(backbone.modules()):
        for name, child in list(module.named_children()):
            unstored = child._non_persistent_buffers_set
            if any(
                buffer.is_meta
                for key, buffer in child.named_buffers(recurse=False)
                if key in unstored
            ):
                build: Any = type(child)
                setattr(module, name, build(config=child.config))


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
