"""What the Qwen-VL families have in common; run by transformers' own classes.

Where a visual token stands in the image is part of its position: it has one on three axes (time,
row and column). transformers' text models take what is given them, and where nothing is given they
count along one axis without a word; here positions are always given.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Final

import torch

from napari_sa2va.model import prompts
from napari_sa2va.model.backbone import Backbone, Look
from napari_sa2va.model.failures import stop_if
from napari_sa2va.model.names import Stored
from napari_sa2va.model.qwen_images import image_patches

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from napari_sa2va.model.config import Sa2VAConfig
    from napari_sa2va.model.names import Naming
    from napari_sa2va.model.tokenizer import Tokenizer

_VISUAL: Final = "<|image_pad|>"
_IMAGE: Final = f"<|vision_start|>{_VISUAL}<|vision_end|>"
_SIGNS: Final = prompts.Signs(
    _VISUAL,
    "<|vision_end|>",
    ("<|vision_start|>", "<|video_pad|>", "<|im_start|>", "<|im_end|>"),
    ("<|im_end|>", "<|endoftext|>"),
)
# Layout of transformers before 4.52, in which Qwen2.5-VL's text model had no name of its own.
_OLD_VISION: Final = "model.visual."
_VISION: Final = "model.model.visual."
_TEXT: Final = "model.model.language_model."
_OLD_TEXT: Final = "model.model."
_TOKEN_IDS: Final[tuple[str, ...]] = (
    "image_token_id",
    "video_token_id",
    "vision_start_token_id",
    "vision_end_token_id",
)


class QwenVL(Backbone):
    """A model of transformers' for conditional generation; see `Backbone`."""

    axes: ClassVar[int] = 3
    system: ClassVar[str] = ""
    """What a checkpoint without a chat template of its own is told first."""

    def __init__(self, config: Sa2VAConfig) -> None:
        super().__init__(config)
        ids = {key: config.token_ids[key] for key in _TOKEN_IDS if key in config.token_ids}
        text = {**config.language_settings, "tie_word_embeddings": False}
        vision = {**config.vision_settings, "tie_word_embeddings": False}
        self.model = self.build(text, vision, ids)

    @staticmethod
    @abstractmethod
    def build(text: dict[str, Any], vision: dict[str, Any], ids: dict[str, int]) -> Any:
        """Build the model of transformers from its parts' settings, no embeddings tied."""

    @staticmethod
    def signs(config: Sa2VAConfig) -> prompts.Signs:
        """Return the tokens round images, and those that end a turn."""
        return _SIGNS

    @property
    def decoder(self) -> Any:
        """The language model without its head."""
        return self.model.model.language_model

    @property
    def lm_head(self) -> nn.Module:
        """From a state to the logits of the next token."""
        head: nn.Module = self.model.lm_head
        return head

    @property
    def vision_layers(self) -> Sequence[nn.Module]:
        """The vision tower's blocks."""
        return list(self.model.model.visual.blocks)

    def naming(self, stored: Collection[str]) -> Naming:
        """Return transformers' own names, in the layout of the release that saved them."""
        old = any(name.startswith(_OLD_VISION) for name in stored)

        def stored_as(ours: str) -> Stored:
            if not old:
                return Stored(ours)
            if ours.startswith(_VISION):
                return Stored(_OLD_VISION + ours.removeprefix(_VISION))
            if ours.startswith(_TEXT):
                return Stored(_OLD_TEXT + ours.removeprefix(_TEXT))
            return Stored(ours)

        return stored_as

    @torch.inference_mode()
    def look(self, pixels: NDArray[np.uint8], cancelled: Callable[[], bool] | None = None) -> Look:
        """Look at an image at its own shape."""
        stop_if(cancelled)
        patches, grid = image_patches(pixels, self.config)
        visual = self.model.model.visual
        weight = self.decoder.embed_tokens.weight
        seen = visual(
            patches.to(weight.device, weight.dtype),
            grid_thw=torch.tensor([[1, *grid]], device=weight.device),
            return_dict=True,
        )
        merge = visual.spatial_merge_size
        return Look(
            seen.pooler_output,
            tuple(getattr(seen, "deepstack_features", None) or ()),
            (grid[0] // merge, grid[1] // merge),
        )

    def prompt(
        self,
        tokenizer: Tokenizer,
        questions: Sequence[str],
        images: Sequence[int],
        regions: Sequence[int] = (),
    ) -> list[str]:
        """Write questions after their images, in the checkpoint's chat template.

        The official code sends the images with the first question only and forgets them after it;
        here the first turn stays in front of the others.
        """
        # As the official code has it: images first, and what is left of the text unchanged.
        text = questions[0].replace(prompts.IMAGE, "")
        later = questions[1:]
        written = tokenizer.chat(len(images), [text, *later])
        if written is None:
            system = f"<|im_start|>system\n{self.system}<|im_end|>\n" if self.system else ""
            first = system + prompts.turn(_IMAGE * len(images) + text)
            written = [first, *map(prompts.next_turn, later)]
        pieces = written[0].split(_VISUAL)
        tokens = [_VISUAL * count for count in images]
        shown = pieces[0] + "".join(t + p for t, p in zip(tokens, pieces[1:], strict=True))
        return [shown, *written[1:]]

    def positions(self, ids: Sequence[int], visual: int, looks: Sequence[Look]) -> Tensor:
        """Return positions on three axes: time, row and column.

        A text token is at the same place on all of them. The tokens of an image share one time;
        what follows is behind its greatest row or column (Qwen2-VL's multimodal rotary embedding).
        """
        found, place, grids = [], 0, iter(looks)
        index = 0
        while index < len(ids):
            if ids[index] != visual:
                found.append(torch.full((3, 1), place))
                index, place = index + 1, place + 1
                continue
            rows, columns = next(grids).grid
            row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
            found.append(place + torch.stack([torch.zeros_like(row), row, column]).flatten(1))
            index, place = index + rows * columns, place + max(rows, columns)
        return torch.cat(found, dim=1)

    def read(
        self,
        embeddings: Tensor,
        positions: Tensor,
        past: Any,
        visual: Tensor | None = None,
        deep: Sequence[Tensor] = (),
    ) -> Tensor:
        """Feed tokens to the language model; see `Backbone.read`."""
        extra: dict[str, Any] = {}
        if deep and visual is not None:
            extra = {"visual_pos_masks": visual[None], "deepstack_visual_embeds": list(deep)}
        out = self.decoder(
            inputs_embeds=embeddings[None],
            position_ids=positions[:, None],
            past_key_values=past,
            use_cache=True,
            **extra,
        )
        state: Tensor = out.last_hidden_state[0, -1]
        return state
