"""The golden runs of the official code: weights from their recipe, inputs and outputs."""

from __future__ import annotations

import json
import math
import shutil
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

GOLDEN = Path(__file__).parents[1] / "data" / "golden"

COPIED = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "preprocessor_config.json",
    "chat_template.jinja",
)

VISUAL = 1e-4
EMBEDDING = 1e-3
LOGITS = 0.02
MASK_PIXELS = 0.0005


@cache
def weights(family: str) -> dict[str, torch.Tensor]:
    """Weights of a golden checkpoint, by official name: they follow from the names.

    Not to be changed: they are made once.
    """
    folder = GOLDEN / family
    shapes = json.loads((folder / "parameter_shapes.json").read_text())
    recipe = json.loads((folder / "recipe.json").read_text())
    tensors = {}
    for name, shape in shapes.items():
        seed = zlib.crc32(f"{recipe['seed']}:{name}".encode()) & 0xFFFFFFFF
        values = np.random.RandomState(seed).standard_normal(math.prod(shape)).astype(np.float32)
        values = values.reshape(shape)
        if len(shape) > 1:
            values = values / np.float32(math.sqrt(math.prod(shape[1:])))
        elif name.endswith("bias"):
            values = values * np.float32(0.02)
        else:
            values = 1 + np.float32(0.1) * values
        for suffix, factor in recipe["scale_by_suffix"]:
            if name.endswith(suffix):
                values = values * np.float32(factor)
        if name.endswith("lm_head.weight"):
            values[recipe["seg_token_id"]] *= np.float32(recipe["seg_token_lm_head_gain"])
        tensors[name] = torch.from_numpy(np.asarray(values, np.float32))
    for name, added in recipe.get("add_after", {}).items():
        tensors[name] += added
    return tensors


def copy_settings(family: str, folder: Path) -> Path:
    """Write all files of a golden checkpoint but its weights."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in COPIED:
        if (GOLDEN / family / file).is_file():
            shutil.copyfile(GOLDEN / family / file, folder / file)
    return folder


def write_checkpoint(family: str, folder: Path) -> Path:
    """Write a golden checkpoint as a folder in the official format."""
    copy_settings(family, folder)
    save_file(weights(family), folder / "model.safetensors")
    return folder


def case(family: str, name: str) -> dict[str, Any]:
    """Inputs and outputs of a golden case, with its text under ``text``."""
    with np.load(GOLDEN / family / f"{name}.npz") as stored:
        arrays = {key: stored[key] for key in stored.files}
    described = json.loads((GOLDEN / family / "cases.json").read_text(encoding="utf-8"))[name]
    return {**described, **arrays}


def golden_mask(stored: dict[str, Any], index: int) -> np.ndarray:
    """Mask `index` of a case, shape (frames, height, width)."""
    shape = tuple(stored[f"seg{index}_mask_shape"])
    bits = np.unpackbits(stored[f"seg{index}_mask"], count=math.prod(shape))
    return bits.reshape(shape).astype(bool)


def at_sam_size(logits: np.ndarray, side: int) -> np.ndarray:
    """Bring low-resolution logits (s, s) to SAM2's input size, as they are stored."""
    return torch.nn.functional.interpolate(
        torch.from_numpy(logits)[None, None], size=(side, side), mode="bilinear"
    )[0, 0].numpy()
