"""Scenes of the richer world with their dialogues as tensors."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch.utils.data import IterableDataset

from napari_sa2va.model.preprocess import image_tiles, sam2_image, tile_grid
from napari_sa2va.model.regions import region_tokens
from napari_sa2va.samples.scenes import HELD_OUT_SEED
from napari_sa2va.samples.world.cells import VALUES
from napari_sa2va.samples.world.drawing import render
from napari_sa2va.samples.world.scenes import Scene, draw_size, make_scene
from napari_sa2va.training.image_batch import CLICKED, ImageBatch, mask_side, soft, union
from napari_sa2va.training.lessons import MIX, draw_dialogues
from napari_sa2va.training.trees import TreeBuilder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray
    from tokenizers import Tokenizer
    from torch import Tensor

    from napari_sa2va.model.config import Sa2VAConfig
    from napari_sa2va.training.dialogues import Dialogue

CLASSES: Final = (1 + len(VALUES["color"]), *(len(VALUES[n]) for n in ("size", "texture", "shape")))
"""What places are named by: colour (0 is ground), size, texture, shape, thirds of the image."""

ALL_CLASSES: Final = (*CLASSES, 3, 3)
_IGNORE: Final = -100
_OF_THE_WHOLE: Final = (1, 4, 5)
"""Among `ALL_CLASSES`, what only all of an image tells: size and the thirds."""


class WorldBatches(IterableDataset[ImageBatch]):
    """Endless batches of scenes, from seeds that evaluation never sees.

    Parameters
    ----------
    first_seed : int
        Batch n uses the `size` seeds from ``first_seed + n * size`` on.
    tiled : float
        Share of the batches whose images are cut into several tiles.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        config: Sa2VAConfig,
        first_seed: int,
        *,
        size: int,
        questions: int,
        mix: Mapping[str, float] = MIX,
        tiled: float = 0.25,
    ) -> None:
        self.tokenizer, self.config, self.first_seed = tokenizer, config, first_seed
        self.size, self.questions, self.mix, self.tiled = size, questions, mix, tiled
        self.mask_side = mask_side(config)
        self._builders: dict[int, TreeBuilder] = {}

    def __iter__(self) -> Iterator[ImageBatch]:
        info = torch.utils.data.get_worker_info()
        number, step = (0, 1) if info is None else (info.id, info.num_workers)
        while True:
            seed = self.first_seed + number * self.size
            seed %= HELD_OUT_SEED - 2 * self.size
            yield self.make(range(seed, seed + self.size))
            number += step

    def builder(self, tiles: int) -> TreeBuilder:
        """Return what writes trees for so many tiles."""
        if tiles not in self._builders:
            self._builders[tiles] = TreeBuilder(self.tokenizer, self.config, tiles)
        return self._builders[tiles]

    def make(self, seeds: range) -> ImageBatch:
        """Make the batch of these seeds."""
        rng = np.random.default_rng([seeds[0], 21])
        sizes = self._sizes(rng, len(seeds))
        trees, parts = [], []
        for image, (seed, size) in enumerate(zip(seeds, sizes, strict=True)):
            tree, part = self._one(image, seed, size)
            trees.append(tree)
            parts.append(part)
        joined = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        builder = self.builder(len(joined["tiles"]) // len(seeds))
        return ImageBatch(sequences=builder.batch(trees), **joined)

    def _sizes(self, rng: np.random.Generator, count: int) -> list[tuple[int, int]]:
        """Draw sizes of images that all have the same grid of tiles."""
        several = self.config.max_tiles > 1 and rng.random() < self.tiled
        sizes: list[tuple[int, int]] = []
        wanted: tuple[int, int] | None = None
        while len(sizes) < count:
            size = draw_size(rng)
            grid = tile_grid(*size, self.config)
            if (grid != (1, 1)) == several and wanted in (None, grid):
                wanted = grid
                sizes.append(size)
        return sizes

    def _one(self, image: int, seed: int, size: tuple[int, int]) -> tuple[Any, dict[str, Tensor]]:
        rng = np.random.default_rng([seed, 22])
        scene = make_scene(seed, size)
        pixels = render(scene)
        tiles = image_tiles(pixels, self.config)
        fine = scene.masks((4 * self.mask_side,) * 2)
        masks = soft(fine, self.mask_side)
        dialogues = draw_dialogues(scene, rng, self.questions, self.mix)
        pointed = [regions_of(d, fine, self.config.token_side) for d in dialogues]
        turns = [turn for dialogue in dialogues for turn in dialogue.turns]
        about = [turn.points_at for turn in turns if turn.points_at is not None]
        chosen = rng.integers(len(scene.cells), size=CLICKED).tolist()
        grid = tile_grid(*size, self.config)
        side = self.config.token_side
        labels = class_maps(scene, masks)
        part = {
            "tiles": tiles,
            "images": sam2_image(pixels, self.config)[None],
            "seg_masks": union(masks, [cells for turn in turns for cells in turn.segments]),
            "prompt_masks": union(masks, about),
            "clicked_image": torch.full((CLICKED,), image),
            "clicked_masks": masks[chosen],
            "token_classes": _under_tokens(labels, grid, side, len(tiles))[None],
            "feature_classes": _sampled(labels, self.config.sam2.feature_side)[None],
        }
        return self.builder(len(tiles)).tree(dialogues, pointed), part


def regions_of(dialogue: Dialogue, fine: NDArray[np.bool_], side: int) -> list[list[int]]:
    """Visual tokens of the cells that a dialogue points out, by the rule of inference."""
    if not dialogue.regions:
        return []
    return [tokens.tolist() for tokens in region_tokens(fine[list(dialogue.regions)], side)]


def class_maps(scene: Scene, masks: Tensor) -> Tensor:
    """Label every place by the cell there, shape (kinds, m, m)."""
    if not scene.cells:
        empty = torch.full((len(ALL_CLASSES), *masks.shape[1:]), _IGNORE)
        empty[0] = 0
        return empty
    cover, owner = masks.max(0)
    table = torch.tensor(
        [
            (
                1 + VALUES["color"].index(cell.color),
                *(VALUES[n].index(getattr(cell, n)) for n in ("size", "texture", "shape")),
                min(2, max(0, int(3 * cell.x / scene.width))),
                min(2, max(0, int(3 * cell.y / scene.height))),
            )
            for cell in scene.cells
        ]
    )
    maps = table[owner].permute(2, 0, 1).clone()
    maps[:, cover < 0.5] = _IGNORE
    maps[0, cover < 0.5] = 0
    return maps


@cache
def _middles(length: int, side: int, first: int, parts: int) -> tuple[int, ...]:
    """Places along a map at the middles of `side` steps over its part number `first`."""
    step = length / parts / side
    return tuple(int(length / parts * first + (i + 0.5) * step) for i in range(side))


def _sampled(
    maps: Tensor, side: int, at: tuple[int, int] = (0, 0), parts: tuple[int, int] = (1, 1)
) -> Tensor:
    length = maps.shape[-1]
    rows, columns = (list(_middles(length, side, a, p)) for a, p in zip(at, parts, strict=True))
    return maps[:, rows][:, :, columns].flatten(1)


def _under_tokens(maps: Tensor, grid: tuple[int, int], side: int, tiles: int) -> Tensor:
    """Labels under the tokens of all tiles, the thumbnail's last, shape (kinds, tokens).

    A tile that is cut out tells neither where in the image it was nor how large the image is.
    """
    columns, rows = grid
    own = maps.clone()
    if columns * rows > 1:
        own[list(_OF_THE_WHOLE)] = _IGNORE
    cut = [
        _sampled(own, side, (r, c), (rows, columns)) for r in range(rows) for c in range(columns)
    ]
    if tiles > len(cut):
        cut.append(_sampled(maps, side))
    return torch.cat(cut, dim=1)
