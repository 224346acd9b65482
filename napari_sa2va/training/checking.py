"""What a fine-tuning run is, and what is wrong with it, told before anything is loaded."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import asdict
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.atomic import replacing
from napari_sa2va.training.loop import STATE
from napari_sa2va.training.starting import is_demo_folder, trainable_config

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from napari_sa2va.training.folder import Example
    from napari_sa2va.training.tuning import Tuning

_log = logging.getLogger(__name__)

RUN: Final = "run.json"
CHECKPOINT: Final = "checkpoint"


def check(tuning: Tuning, examples: Sequence[Example], others: Sequence[Example]) -> None:
    """Refuse what would fail after minutes of measuring; nothing is loaded, and nothing written.

    Raises
    ------
    CheckpointError
        If there is nothing to start from.
    InvalidInput
        If something that is needed is missing, the folder holds another run, or the run starts
        from what it writes.
    """
    if tuning.start.resolve() == (tuning.folder / CHECKPOINT).resolve():
        raise InvalidInput(
            f"{tuning.start} is what the run in {tuning.folder} writes. Choose another --folder "
            "for one that starts from it."
        )
    if tuning.rehearsed and not others and not is_demo_folder(tuning.start):
        raise InvalidInput(
            "What shall be rehearsed? Only a demo checkpoint has a world of its own. Give a "
            "folder of examples (--rehearse FOLDER), or --rehearsed 0."
        )
    trainable_config(tuning.start)
    if tuning.lora and find_spec("peft") is None:
        raise InvalidInput(
            "LoRA needs the package peft. Install it with: pip install 'napari-sa2va[train]'."
        )
    if not (tuning.folder / STATE).exists() or not (before := _kept(tuning.folder)):
        return
    now = identity(tuning, examples, others)
    changed = [name for name, value in now.items() if before.get(name) != value]
    if changed:
        raise InvalidInput(
            f"{tuning.folder} holds a run with other {', '.join(changed)}. Choose another "
            "--folder, or start it as it was to go on with it."
        )


def check_apart(measured: Iterable[Example], trained: Iterable[Example]) -> None:
    """Refuse to measure on what is trained on: its figures would promise too much.

    Raises
    ------
    InvalidInput
    """
    known = {example.image.resolve() for example in trained}
    shared = [example.image for example in measured if example.image.resolve() in known]
    if shared:
        raise InvalidInput(
            f"{len(shared)} of the images to measure on are also trained on, such as {shared[0]}. "
            "Leave their folder out of those that are trained on."
        )


def check_finished(tuning: Tuning) -> None:
    """Say of a finished run that starting it again trains nothing.

    Raises
    ------
    InvalidInput
        If it was to be trained in another way than it was.
    """
    before = _kept(tuning.folder).get("recipe", {})  # earlier versions kept none
    changed = [name for name, value in _recipe(tuning).items() if before.get(name, value) != value]
    what = f" with another {', '.join(changed)}" if changed else ""
    said = (
        f"The run in {tuning.folder} is finished: nothing is trained{what}. Give more --minutes, "
        "or another --folder."
    )
    if changed:
        raise InvalidInput(said)
    _log.warning("%s", said)


def keep(tuning: Tuning, examples: Sequence[Example], others: Sequence[Example]) -> None:
    """Write down what a run is, for `check` and `check_finished`, unless it is there.

    Raises
    ------
    InvalidInput
        If the system refuses to write there.
    """
    path = tuning.folder / RUN
    said = json.dumps({**identity(tuning, examples, others), "recipe": _recipe(tuning)}, indent=1)
    if path.exists() and path.read_text(encoding="utf-8") == said:
        return  # a full disk is no reason not to go on
    with replacing(path) as temporary:
        temporary.write_text(said, encoding="utf-8")


def _kept(folder: Path) -> dict[str, Any]:
    """Read what a folder's run is; nothing where that was not written down."""
    path = folder / RUN
    try:
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"{path} cannot be read ({error}), so nobody knows which run {folder} holds. Choose "
            "another --folder."
        ) from error
    return kept


def _recipe(tuning: Tuning) -> dict[str, Any]:
    """Return what may change while a run is not finished, by its option, as JSON has it."""
    return {
        "--rate": tuning.rate,
        "--warm-up": tuning.warm_up,
        "--final-share": tuning.final_share,
        "--images": tuning.images,
        "--questions": tuning.questions,
        "--rehearsed": tuning.rehearsed,
        "--mix": dict(tuning.mix),
        "--as-they-are": not tuning.varied,
        "--loss": asdict(tuning.weights),
    }


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
