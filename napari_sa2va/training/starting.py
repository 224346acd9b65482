"""Starting from any checkpoint of the InternVL family, to fine-tune it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_sa2va.errors import InvalidInput
from napari_sa2va.model.checkpoint import load_network, save_checkpoint
from napari_sa2va.model.config import Sa2VAConfig, read_json
from napari_sa2va.model.families import INTERNVL, backbone_class
from napari_sa2va.model.shards import Shards
from napari_sa2va.model.tokenizer import Tokenizer
from napari_sa2va.training.growing import Start, is_demo, start_from
from napari_sa2va.training.trained_parts import merged
from napari_sa2va.training.vocabulary import save_tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import torch


@dataclass(frozen=True, slots=True)
class Opened:
    """A checkpoint that is to be fine-tuned.

    Attributes
    ----------
    folder : Path
        Where it is, untouched.
    demo : bool
        Whether it is a demo checkpoint, whose vocabulary grows with what is asked.
    new_words : bool
        Whether it has grown.
    dtype : torch.dtype
        What its weights are stored in, and will be.
    """

    start: Start
    folder: Path
    demo: bool
    new_words: bool
    dtype: torch.dtype

    def export(self, folder: Path, scratch: Path) -> None:
        """Write the network as an ordinary checkpoint folder, LoRA merged into its weights.

        Parameters
        ----------
        scratch : Path
            A folder that the tokenizer of a demo is written to first.
        """
        words = self.folder
        if self.demo:
            save_tokenizer(self.start.tokenizer, scratch)
            words = scratch
        with merged(self.start.network, self.dtype):
            save_checkpoint(self.start.network, self.start.settings, words, folder, self.dtype)
        # For the official code, which loads a checkpoint by the modules in its folder.
        for module in self.folder.glob("*.py"):
            shutil.copyfile(module, folder / module.name)


def open_checkpoint(folder: Path, texts: Iterable[str]) -> Opened:
    """Read a checkpoint in float32.

    Parameters
    ----------
    texts : iterable of str
        What will be asked; a demo checkpoint gets the words that it does not have.

    Raises
    ------
    CheckpointError, NotEnoughMemory
    InvalidInput
        If it is of a family that is not trained here.
    """
    demo, config = is_demo_folder(folder), trainable_config(folder)
    with Shards(folder) as shards:
        dtype = shards.read(max(shards.names, key=lambda name: len(shards.shape(name)))).dtype
    if demo:
        start = start_from(folder, texts, as_it_is=True)
        grown = start.tokenizer.get_vocab_size() > config.language["vocab_size"]
        return Opened(start, folder, True, grown, dtype)
    tokenizer = Tokenizer(folder, backbone_class(config.family).signs(config))
    fast: Any = tokenizer._tokenizer
    settings = read_json(folder / "config.json")
    start = Start(load_network(folder), fast.backend_tokenizer, settings)
    return Opened(start, folder, False, False, dtype)


def trainable_config(folder: Path) -> Sa2VAConfig:
    """Read the configuration of a checkpoint that can be fine-tuned.

    Raises
    ------
    CheckpointError
        If there is none.
    InvalidInput
        If it is of a family that is not trained here.
    """
    config = Sa2VAConfig.from_folder(folder)
    if config.family != INTERNVL:
        raise InvalidInput(
            f"{folder} is a Sa2VA on a Qwen-VL. Only those on an InternVL can be fine-tuned here, "
            "such as Sa2VA-4B or Sa2VA-InternVL3-2B."
        )
    return config


def is_demo_folder(folder: Path) -> bool:
    """Whether a folder holds a demo checkpoint.

    Raises
    ------
    CheckpointError
        If it holds none at all.
    """
    Sa2VAConfig.from_folder(folder)  # says what is wrong with one that is none
    return is_demo(read_json(folder / "config.json"))
