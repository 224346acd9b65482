"""What a checkpoint's ``config.json`` says, as typed values.

Every size that the official code hard-codes (tile 448, token grid 16x16, SAM2 at 1024 with width
256) is read or derived here, so that a smaller model is a matter of its configuration alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from napari_sa2va.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

_NOT_FOR_LANGUAGE_CONFIG: Final = {"architectures", "_name_or_path", "dtype", "torch_dtype"}


@dataclass(frozen=True, slots=True)
class Sam2Config:
    """Sizes of the SAM2 grounding encoder; the defaults are SAM 2.0 hiera-large.

    The defaults are the values of ``sam2_hiera_l.yaml`` in the ``sam2`` package. An official
    ``config.json`` has no ``sam2`` block, a smaller model's has one naming what differs.

    Attributes
    ----------
    image_size : int
        Side of the square that frames are resized to, in pixels.
    d_model : int
        Width of the neck, the prompt encoder, the mask decoder and the memory attention.
    memory_dimension : int
        Channels of a memory map.
    decoder_feedforward, decoder_iou_hidden : int
        Hidden widths of the mask decoder's transformer and of its IoU head.
    shared_decoder : bool
        The one mask decoder was trained for tracking too, so that it can take the place of SAM2's
        original one; false for the published checkpoints.
    """

    image_size: int = 1024
    embed_dim: int = 144
    num_heads: int = 2
    stages: tuple[int, ...] = (2, 6, 36, 4)
    global_att_blocks: tuple[int, ...] = (23, 33, 43)
    window_spec: tuple[int, ...] = (8, 4, 16, 8)
    window_pos_embed_bkg_spatial_size: tuple[int, int] = (7, 7)
    backbone_channel_list: tuple[int, ...] = (1152, 576, 288, 144)
    d_model: int = 256
    memory_layers: int = 4
    memory_feedforward: int = 2048
    memory_dimension: int = 64
    decoder_feedforward: int = 2048
    decoder_iou_hidden: int = 256
    shared_decoder: bool = False

    @property
    def feature_side(self) -> int:
        """Side of the stride-16 feature map."""
        return self.image_size // 16

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Sam2Config:
        """Read a ``sam2`` block; unknown names raise `CheckpointError`."""
        unknown = set(values) - set(cls.__dataclass_fields__)
        if unknown:
            raise CheckpointError(
                f"The checkpoint's sam2 block has settings this version does not know: "
                f"{', '.join(sorted(unknown))}. Update napari-sa2va."
            )
        read: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        return cls(**read)


@dataclass(frozen=True, slots=True)
class Sa2VAConfig:
    """Configuration of a checkpoint of the InternVL family.

    Attributes
    ----------
    vision, language : dict
        The ``vision_config`` and ``llm_config`` blocks as stored.
    template : str
        ``"qwen_chat"`` or ``"internlm2_chat"``; both write a turn the same way.
    tile_size : int
        Side of an image tile in pixels (448 in published checkpoints).
    downsample_ratio : float
        Pixel shuffle factor; 0.5 turns four patches into one visual token.
    min_tiles, max_tiles : int
        Bounds on the number of tiles, thumbnail not counted.
    """

    vision: dict[str, Any]
    language: dict[str, Any]
    template: str = "qwen_chat"
    tile_size: int = 448
    downsample_ratio: float = 0.5
    min_tiles: int = 1
    max_tiles: int = 12
    use_thumbnail: bool = True
    sam2: Sam2Config = field(default_factory=Sam2Config)

    @property
    def patch_size(self) -> int:
        """Side of a vision transformer patch in pixels."""
        return int(self.vision["patch_size"])

    @property
    def token_side(self) -> int:
        """Side of a tile's grid of visual tokens (16 in published checkpoints)."""
        return int(self.tile_size // self.patch_size * self.downsample_ratio)

    @property
    def tokens_per_tile(self) -> int:
        """Visual tokens of one tile (256 in published checkpoints)."""
        return self.token_side**2

    @property
    def language_settings(self) -> dict[str, Any]:
        """``llm_config`` without the entries that transformers 5 does not take back."""
        return {
            key: value
            for key, value in self.language.items()
            if value is not None and key not in _NOT_FOR_LANGUAGE_CONFIG
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Sa2VAConfig:
        """Read a parsed ``config.json``.

        Raises
        ------
        CheckpointError
            If it is not a Sa2VA checkpoint, or one of a family this version cannot run.
        """
        architectures = values.get("architectures") or []
        if "text_config" in values and "Sa2VAChatModelQwen" in architectures:
            raise CheckpointError(
                "This is a Sa2VA checkpoint of the Qwen-VL family, which this version cannot run "
                "yet. Choose one of the InternVL family, such as ByteDance/Sa2VA-InternVL3-2B."
            )
        vision, language = values.get("vision_config"), values.get("llm_config")
        if not isinstance(vision, dict) or not isinstance(language, dict):
            raise CheckpointError(
                "This folder's config.json does not describe a Sa2VA checkpoint: llm_config and "
                "vision_config are missing."
            )
        if values.get("ps_version", "v2") != "v2" or values.get("select_layer", -1) != -1:
            raise CheckpointError(
                "This checkpoint uses a pixel shuffle or vision layer that no published Sa2VA uses."
            )
        try:
            # What properties and the network read later must be there.
            for number in (vision["patch_size"], vision["hidden_size"], language["hidden_size"]):
                int(number)
            return cls(
                vision=vision,
                language=language,
                template=values.get("template", "qwen_chat"),
                tile_size=int(values.get("force_image_size") or vision["image_size"]),
                downsample_ratio=float(values.get("downsample_ratio", 0.5)),
                min_tiles=int(values.get("min_dynamic_patch", 1)),
                max_tiles=int(values.get("max_dynamic_patch", 12)),
                use_thumbnail=bool(values.get("use_thumbnail", True)),
                sam2=Sam2Config.from_dict(values.get("sam2") or {}),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"The checkpoint's config.json is damaged ({error!r}). Download it again."
            ) from error

    @classmethod
    def from_folder(cls, folder: Path) -> Sa2VAConfig:
        """Read ``folder/config.json`` as plain JSON: no remote code, no auto classes."""
        path = folder / "config.json"
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise CheckpointError(
                f"{folder} has no config.json, so it is not a Sa2VA checkpoint folder."
            ) from error
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{path} cannot be read: {error}.") from error
        if not isinstance(values, dict):
            raise CheckpointError(f"{path} does not hold a JSON object.")
        return cls.from_dict(values)
