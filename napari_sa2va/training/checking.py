"""What a fine-tuning run is, and what is wrong with it, told before anything is loaded."""

from __future__ import annotations

import hashlib
import json
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from napari_sa2va.errors import InvalidInput
from napari_sa2va.model.config import Sa2VAConfig
from napari_sa2va.model.families import INTERNVL
from napari_sa2va.training.loop import STATE
from napari_sa2va.training.starting import is_demo_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from napari_sa2va.training.folder import Example
    from napari_sa2va.training.tuning import Tuning

RUN: Final = "run.json"


def check(tuning: Tuning, examples: Sequence[Example], others: Sequence[Example]) -> None:
    """Refuse what would fail after minutes of measuring; nothing is loaded, and nothing written.

    Raises
    ------
    CheckpointError
        If there is nothing to start from.
    InvalidInput
        If something that is needed is missing, or the folder holds another run.
    """
    if tuning.rehearsed and not others and not is_demo_folder(tuning.start):
        raise InvalidInput(
            "What shall be rehearsed? Only a demo checkpoint has a world of its own. Give a "
            "folder of examples (--rehearse FOLDER), or --rehearsed 0."
        )
    if Sa2VAConfig.from_folder(tuning.start).family != INTERNVL:
        raise InvalidInput(
            f"{tuning.start} is a Sa2VA on a Qwen-VL. Only those on an InternVL can be fine-tuned "
            "here, such as Sa2VA-4B or Sa2VA-InternVL3-2B."
        )
    if tuning.lora and find_spec("peft") is None:
        raise InvalidInput(
            "LoRA needs the package peft. Install it with: pip install 'napari-sa2va[train]'."
        )
    path = tuning.folder / RUN
    if not ((tuning.folder / STATE).exists() and path.exists()):
        return
    before = json.loads(path.read_text(encoding="utf-8"))
    now = identity(tuning, examples, others)
    changed = [name for name, value in now.items() if before.get(name) != value]
    if changed:
        raise InvalidInput(
            f"{tuning.folder} holds a run with other {', '.join(changed)}. Choose another "
            "--folder, or start it as it was to go on with it."
        )


def identity(
    tuning: Tuning, examples: Sequence[Example], others: Sequence[Example]
) -> dict[str, Any]:
    """Return what must not change when a run is resumed, as JSON has it."""
    return {
        **start_identity(tuning.start),
        "train": tuning.train,
        "lora": tuning.lora,
        "seed": tuning.seed,
        **examples_identity(examples),
        "texts": texts_of(examples),
        # A demo's vocabulary, and so the size of what is saved, is that of both.
        "rehearsed texts": texts_of(others),
    }


def start_identity(folder: Path) -> dict[str, Any]:
    """Tell a checkpoint from one that was trained anew in the same place."""
    return {
        "start": str(folder.resolve()),
        # Sizes and times: a checksum of 16 GB takes half a minute.
        "starting weights": [_stamp(file) for file in sorted(folder.glob("*.safetensors"))],
    }


def examples_identity(examples: Iterable[Example]) -> dict[str, Any]:
    """Tell images and what is drawn on them from those of the same names that were corrected."""
    examples = list(examples)
    return {
        "images": sorted(_stamp(example.image) for example in examples),
        "annotations": sorted([str(e.image.resolve()), _digest(e)] for e in examples),
    }


def texts_of(examples: Iterable[Example]) -> list[str]:
    """All phrases, each once, in order."""
    return sorted({text for example in examples for text in example.texts})


def _stamp(file: Path) -> list[str | int]:
    found = file.stat()
    return [str(file.resolve()), found.st_size, found.st_mtime_ns]


def _digest(example: Example) -> str:
    """SHA-256 of an image's phrases and of the outlines that they mean."""
    read = hashlib.sha256(repr((example.texts, example.meant)).encode())
    for outlines in example.objects:
        read.update(f"{[len(polygon) for polygon in outlines]}".encode())
        for polygon in outlines:
            read.update(polygon.tobytes())
    return read.hexdigest()
