"""What a checkpoint's ``config.json`` says, as typed values.

Every size that the official code hard-codes (tile 448, token grid 16x16, SAM2 at 1024 with width
256) is read or derived here, so that a smaller model is a matter of its configuration alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from napari_sa2va.errors import CheckpointError
from napari_sa2va.model.families import INTERNVL, QWEN2_5_VL, QWEN3_VL, family_of

if TYPE_CHECKING:
    from pathlib import Path

_NOT_SETTINGS: Final = {"architectures", "_name_or_path", "dtype", "torch_dtype"}
# By which images are normalised: OpenAI CLIP's numbers, as in Qwen2.5-VL's image processor.
CLIP_MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD: Final = (0.26862954, 0.26130258, 0.27577711)
_MEANS: Final = {QWEN2_5_VL: CLIP_MEAN, QWEN3_VL: (0.5, 0.5, 0.5)}
_STDS: Final = {QWEN2_5_VL: CLIP_STD, QWEN3_VL: (0.5, 0.5, 0.5)}


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
    """Configuration of a checkpoint.

    Attributes
    ----------
    vision, language : dict
        The ``vision_config`` block and that of the language model, as stored.
    family : str
        One of `napari_sa2va.model.families`.
    template : str
        Of the InternVL family, ``"qwen_chat"`` or ``"internlm2_chat"``; both write a turn the same
        way. The Qwen-VL families bring a chat template of their own.
    tile_size : int
        Side of an image tile in pixels (448 in published checkpoints). This and what follows up to
        `use_thumbnail` is of the InternVL family.
    downsample_ratio : float
        Pixel shuffle factor; 0.5 turns four patches into one visual token.
    min_tiles, max_tiles : int
        Bounds on the number of tiles, thumbnail not counted.
    token_ids : dict of str to int
        Ids that a Qwen-VL's configuration names, such as ``image_token_id``.
    image_mean, image_std : tuple of float
        Of a Qwen-VL's images, by channel, after scaling to 0..1.
    """

    vision: dict[str, Any]
    language: dict[str, Any]
    family: str = INTERNVL
    template: str = "qwen_chat"
    tile_size: int = 448
    downsample_ratio: float = 0.5
    min_tiles: int = 1
    max_tiles: int = 12
    use_thumbnail: bool = True
    token_ids: dict[str, int] = field(default_factory=dict)
    image_mean: tuple[float, ...] = CLIP_MEAN
    image_std: tuple[float, ...] = CLIP_STD
    sam2: Sam2Config = field(default_factory=Sam2Config)

    @property
    def width(self) -> int:
        """Width of the language model."""
        return int(self.language["hidden_size"])

    @property
    def takes_regions(self) -> bool:
        """Whether the checkpoint was trained with regions: the InternVL family was.

        The official Qwen classes take them too, and ignore them.
        """
        return self.family == INTERNVL

    @property
    def patch_size(self) -> int:
        """Side of a vision transformer patch in pixels."""
        return int(self.vision["patch_size"])

    @property
    def token_side(self) -> int:
        """Side of a tile's grid of visual tokens (16 in published checkpoints).

        0 in families that cut no tiles.
        """
        if self.family != INTERNVL:
            return 0
        return int(self.tile_size // self.patch_size * self.downsample_ratio)

    @property
    def tokens_per_tile(self) -> int:
        """Visual tokens of one tile (256 in published checkpoints)."""
        return self.token_side**2

    @property
    def language_settings(self) -> dict[str, Any]:
        """The language model's block without the entries that transformers 5 does not take back."""
        return _settings(self.language)

    @property
    def vision_settings(self) -> dict[str, Any]:
        """The vision tower's block without the entries that transformers 5 does not take back."""
        return _settings(self.vision)

    @classmethod
    def from_dict(cls, values: dict[str, Any], images: dict[str, Any] | None = None) -> Sa2VAConfig:
        """Read a parsed ``config.json``.

        Parameters
        ----------
        images : dict, optional
            A parsed ``preprocessor_config.json``, where there is one.

        Raises
        ------
        CheckpointError
            If it is not a Sa2VA checkpoint, or one of a family this version cannot run.
        """
        family = family_of(values)
        vision = values.get("vision_config")
        language = values.get("llm_config" if family == INTERNVL else "text_config")
        if family is None or not isinstance(vision, dict) or not isinstance(language, dict):
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
            sam2 = Sam2Config.from_dict(values.get("sam2") or {})
            if family != INTERNVL:
                return cls(
                    vision=vision,
                    language=language,
                    family=family,
                    token_ids={
                        key: int(value)
                        for key, value in values.items()
                        if key.endswith("_token_id") and isinstance(value, int)
                    },
                    image_mean=_channels(images, "image_mean", _MEANS[family]),
                    image_std=_channels(images, "image_std", _STDS[family]),
                    sam2=sam2,
                )
            return cls(
                vision=vision,
                language=language,
                template=values.get("template", "qwen_chat"),
                tile_size=int(values.get("force_image_size") or vision["image_size"]),
                downsample_ratio=float(values.get("downsample_ratio", 0.5)),
                min_tiles=int(values.get("min_dynamic_patch", 1)),
                max_tiles=int(values.get("max_dynamic_patch", 12)),
                use_thumbnail=bool(values.get("use_thumbnail", True)),
                sam2=sam2,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"The checkpoint's config.json is damaged ({error!r}). Download it again."
            ) from error

    @classmethod
    def from_folder(cls, folder: Path) -> Sa2VAConfig:
        """Read ``folder/config.json`` as plain JSON: no remote code, no auto classes."""
        try:
            values = read_json(folder / "config.json")
        except FileNotFoundError as error:
            raise CheckpointError(
                f"{folder} has no config.json, so it is not a Sa2VA checkpoint folder."
            ) from error
        images = folder / "preprocessor_config.json"
        return cls.from_dict(values, read_json(images) if images.is_file() else None)


def read_json(path: Path) -> dict[str, Any]:
    """Read a file of a checkpoint.

    Raises
    ------
    CheckpointError
        If it cannot be read or holds no JSON object.
    FileNotFoundError
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}.") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} does not hold a JSON object.")
    return values


def _settings(block: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value for key, value in block.items() if value is not None and key not in _NOT_SETTINGS
    }


def _channels(
    images: dict[str, Any] | None, name: str, default: tuple[float, ...]
) -> tuple[float, ...]:
    """Return three numbers of the image processor's settings."""
    read = tuple(float(value) for value in (images or {}).get(name, default))
    if len(read) != 3:
        raise ValueError(f"{name} has {len(read)} channels")
    return read
