"""Images of a fine-tuning folder with their questions, as tensors for the steps."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch.utils.data import IterableDataset

from napari_sa2va.model.preprocess import image_tiles, sam2_image, tile_grid
from napari_sa2va.training.dialogues import FOUND, Dialogue, Turn, ask_to_segment
from napari_sa2va.training.image_batch import CLICKED, ImageBatch, mask_side, soft
from napari_sa2va.training.trees import TreeBuilder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from napari_sa2va.model.config import Sa2VAConfig
    from napari_sa2va.training.folder import Example

# What a mirrored or turned image would make wrong.
_PLACE: Final = re.compile(
    r"\b(left|right|top|bottom|upper|lower|above|below|beside|north|south|east|west"
    r"|horizontal|vertical|clockwise)|most\b"
    r"|\b(up|down|under|over|beneath|rows?|columns?|lanes?|first|second|third|last|next"
    r"|\d+(st|nd|rd|th)?)\b"
)
_LATER_TURN: Final = 0.3  # share of the questions that continue a dialogue, as in official training
_GAIN: Final = (0.85, 1.15)
_OFFSET: Final = (-10.0, 10.0)


class FolderBatches(IterableDataset[ImageBatch]):
    """Endless batches of a folder's images, in any order, each a little different every time.

    Parameters
    ----------
    size : int
        Images in a batch, all cut into as many tiles.
    questions : int
        The most phrases asked for of an image.
    first : int
        Number of the first batch; a batch is a function of its number.
    varied : bool
        Mirror and turn images whose phrases name no place, and change their brightness a little.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        config: Sa2VAConfig,
        examples: Sequence[Example],
        *,
        size: int,
        questions: int,
        first: int = 0,
        seed: int = 0,
        varied: bool = True,
    ) -> None:
        self.tokenizer, self.config, self.size = tokenizer, config, size
        self.questions, self.first, self.seed, self.varied = questions, first, seed, varied
        self.mask_side = mask_side(config)
        # Masks are drawn finer than they are taught, so that borders keep their shares of a place.
        self.fine_side = self.mask_side * (4 if self.mask_side <= 64 else 2)
        self._by_tiles: dict[int, list[Example]] = {}
        for example in examples:
            columns, rows = tile_grid(example.height, example.width, config)
            tiles = columns * rows
            tiles += tiles > 1 and config.use_thumbnail
            self._by_tiles.setdefault(int(tiles), []).append(example)
        self._builders: dict[int, TreeBuilder] = {}

    def __iter__(self) -> Iterator[ImageBatch]:
        info = torch.utils.data.get_worker_info()
        number, step = (0, 1) if info is None else (info.id, info.num_workers)
        while True:
            yield self.make(self.first + number)
            number += step

    def make(self, number: int) -> ImageBatch:
        """Make the batch of this number."""
        rng = np.random.default_rng([self.seed, number, 41])
        shares = np.array([len(group) for group in self._by_tiles.values()], float)
        tiles = list(self._by_tiles)[int(rng.choice(len(shares), p=shares / shares.sum()))]
        group = self._by_tiles[tiles]
        chosen = rng.permutation(len(group))[: self.size]
        if len(chosen) < self.size:
            chosen = rng.integers(len(group), size=self.size)
        if tiles not in self._builders:
            self._builders[tiles] = TreeBuilder(self.tokenizer, self.config, tiles)
        builder = self._builders[tiles]
        trees, parts = [], []
        for image, at in enumerate(chosen.tolist()):
            dialogues, part = self._one(image, group[at], rng)
            trees.append(builder.tree(dialogues, [[] for _ in dialogues]))
            parts.append(part)
        joined = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        return ImageBatch(sequences=builder.batch(trees), **joined)

    def _one(
        self, image: int, example: Example, rng: np.random.Generator
    ) -> tuple[list[Dialogue], dict[str, Any]]:
        grid = (self.fine_side, self.fine_side)
        asked = rng.permutation(len(example.texts))[: self.questions].tolist()
        clicked = rng.integers(len(example.objects), size=CLICKED).tolist()
        pixels = example.pixels()
        fine = np.stack(
            [example.masks(example.meant[text], grid).any(axis=0) for text in asked]
            + list(example.masks(clicked, grid))
        )
        if self.varied:
            pixels, fine = _varied(pixels, fine, rng, mirrored=not _names_a_place(example))
        masks = soft(fine, self.mask_side)
        part = {
            "tiles": image_tiles(pixels, self.config),
            "images": sam2_image(pixels, self.config)[None],
            "seg_masks": masks[: len(asked)],
            "prompt_masks": masks[:0],
            "clicked_image": torch.full((CLICKED,), image),
            "clicked_masks": masks[len(asked) :],
        }
        turns = [
            Turn(ask_to_segment(example.texts[text], rng), FOUND, "folder", ((place,),))
            for place, text in enumerate(asked)
        ]
        return _dialogues(turns, rng), part


def _names_a_place(example: Example) -> bool:
    return any(_PLACE.search(text) for text in example.texts)


def _dialogues(turns: list[Turn], rng: np.random.Generator) -> list[Dialogue]:
    """Ask each for itself, or now and then behind another: official ones are all turns of one."""
    groups: list[list[Turn]] = []
    for turn in turns:
        if groups and rng.random() < _LATER_TURN:
            groups[-1].append(turn)
        else:
            groups.append([turn])
    return [Dialogue(tuple(group)) for group in groups]


def _varied(
    pixels: NDArray[np.uint8],
    fine: NDArray[np.bool_],
    rng: np.random.Generator,
    *,
    mirrored: bool,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Change the brightness, and mirror and turn the image with its masks."""
    gain, offset = rng.uniform(*_GAIN), rng.uniform(*_OFFSET)
    lit = np.clip(pixels * np.float32(gain) + np.float32(offset), 0, 255).astype(np.uint8)
    if mirrored:
        square = pixels.shape[0] == pixels.shape[1]
        turns = int(rng.integers(4)) if square else 2 * int(rng.integers(2))
        lit, fine = np.rot90(lit, turns), np.rot90(fine, turns, axes=(1, 2))
        if rng.random() < 0.5:
            lit, fine = lit[:, ::-1], fine[:, :, ::-1]
    return np.ascontiguousarray(lit), np.ascontiguousarray(fine)
