"""Scenes and their questions as tensors.

All questions about an image share one copy of its visual tokens: the sequence is a tree, the image
its trunk and each question a branch that sees the trunk and itself, with positions counted from
the trunk's end. Eight questions then cost little more than one.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import IterableDataset

from napari_sa2va.model.preprocess import image_tiles, sam2_image
from napari_sa2va.model.prompts import SEG, image_string, region_string, turn, video_string
from napari_sa2va.samples.scenes import (
    COLORS,
    HELD_OUT_SEED,
    SHAPES,
    SIZES,
    Scene,
    make_clip,
    make_scene,
    render,
)
from napari_sa2va.training.questions import Turn, draw_turns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokenizers import Tokenizer
    from torch import Tensor

    from napari_sa2va.model.config import Sa2VAConfig

MASK_FACTOR: Final = 4
POINT_PROMPTS: Final = 3


@dataclass(slots=True)
class Sequences:
    """A batch of question trees; b images, length l, q questions with a mask, r referring ones.

    Attributes
    ----------
    ids, branch, positions, labels : Tensor of int64, shape (b, l)
        Token ids; 0 for the trunk, n for branch n and -1 for padding; rotary positions; ids to
        predict at each place or -100.
    image_at : Tensor of int64, shape (n,)
        Places of the visual tokens, the same in every trunk.
    region_at : Tensor of int64, shape (n, 2)
        Rows (image, place) of region tokens, and which visual token goes there in `region_token`.
    seg_at, prompt_at : Tensor of int64, shape (q, 2), (r, 2)
        Rows (image, place) where ``[SEG]`` is the input, and of each referring prompt's last token.
    """

    ids: Tensor
    image_at: Tensor
    branch: Tensor
    positions: Tensor
    labels: Tensor
    region_at: Tensor
    region_token: Tensor
    seg_at: Tensor
    prompt_at: Tensor

    def attention(self) -> Tensor:
        """Boolean mask of shape (b, 1, l, l): True where a place may look."""
        length = self.ids.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=self.ids.device).tril()
        same = self.branch[:, :, None] == self.branch[:, None, :]
        trunk = (self.branch == 0)[:, None, :]
        return (causal & (same | trunk))[:, None]


@dataclass(slots=True)
class Batch:
    """Images with questions and prompts; all masks are soft, averaged over 4x4 pixels.

    Attributes
    ----------
    tiles, images : Tensor, shape (b · frames, 3, tile, tile) and (b · frames, 3, s, s)
    seg_masks, point_masks : Tensor, shape (q, frames, m, m) and (p, m, m)
    prompt_masks : Tensor, shape (r, m, m)
        What each referring question means, zero where it is refused.
    point_image, points, point_labels : Tensor, shape (p,), (p, 2, 2), (p, 2)
    classes : Tensor of int64, shape (b, 5, m, m)
        Color (0 is ground), size, shape, third of the width, third of the height; -100: ignore.
    cells : Tensor, shape (b, frames, c, m, m)
        Masks of single cells, for clips (else empty).
    """

    sequences: Sequences
    tiles: Tensor
    images: Tensor
    seg_masks: Tensor
    prompt_masks: Tensor
    point_image: Tensor
    points: Tensor
    point_labels: Tensor
    point_masks: Tensor
    classes: Tensor
    cells: Tensor

    def to(self, device: torch.device) -> Batch:
        """Move all tensors."""
        moved = {f.name: _to(getattr(self, f.name), device) for f in fields(self)}
        return Batch(**moved)


def _to(value: Any, device: torch.device) -> Any:
    if isinstance(value, Sequences):
        return Sequences(**{f.name: getattr(value, f.name).to(device) for f in fields(value)})
    return value.to(device)


class SequenceBuilder:
    """Writes question trees.

    Parameters
    ----------
    frames : int
        Frames in the trunk, one tile each.
    """

    def __init__(self, tokenizer: Tokenizer, config: Sa2VAConfig, frames: int) -> None:
        self.tokenizer, self.config = tokenizer, config
        count = config.tokens_per_tile
        image = image_string(1, count) if frames == 1 else video_string(frames, count)
        # The user's turn up to and including the image; the question closes it.
        self.opening, self.closing = turn(f"{image}\0").split("\0")
        self.trunk = self._encode(self.opening)
        self.context, self.seg = self._token("<IMG_CONTEXT>"), self._token(SEG)
        self.image_at = [i for i, token in enumerate(self.trunk) if token == self.context]

    def _token(self, text: str) -> int:
        token = self.tokenizer.token_to_id(text)
        assert token is not None, text
        return token

    def _encode(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def tree(self, turns: list[Turn], region_tokens: list[list[int]]) -> dict[str, list[Any]]:
        """Write one image's tree; `region_tokens` are the visual tokens of each turn's region."""
        ids, branch = list(self.trunk), [0] * len(self.trunk)
        positions, labels = list(range(len(ids))), [-100] * len(ids)
        region_at, region_token, seg_at, prompt_at = [], [], [], []
        for number, (asked, tokens) in enumerate(zip(turns, region_tokens, strict=True), start=1):
            region = region_string([len(tokens)]) if tokens else ""
            prompt = self._encode(f"{region}\n{asked.question}{self.closing}")
            answer = self._encode(f"{asked.answer}<|im_end|>\n")
            start = len(ids)
            if tokens:
                places = [start + i for i, token in enumerate(prompt) if token == self.context]
                region_at += places
                region_token += tokens
            if asked.kind not in ("region", "colors"):
                prompt_at.append(start + len(prompt) - 1)
            if asked.targets:
                seg_at.append(start + len(prompt) + answer.index(self.seg))
            ids += prompt + answer
            branch += [number] * (len(prompt) + len(answer))
            first = len(self.trunk)
            positions += range(first, first + len(prompt) + len(answer))
            # Place i predicts the token at i + 1; the newline after the end is not asked for.
            labels += [-100] * (len(prompt) - 1) + answer[:-1] + [-100, -100]
        return {
            "ids": ids,
            "branch": branch,
            "positions": positions,
            "labels": labels,
            "region_at": region_at,
            "region_token": region_token,
            "seg_at": seg_at,
            "prompt_at": prompt_at,
        }

    def batch(self, trees: list[dict[str, list[Any]]]) -> Sequences:
        """Pad trees to one length."""
        length = max(len(tree["ids"]) for tree in trees)

        def padded(name: str, fill: int) -> Tensor:
            rows = [tree[name] + [fill] * (length - len(tree[name])) for tree in trees]
            return torch.tensor(rows)

        def places(name: str) -> Tensor:
            pairs = [(i, place) for i, tree in enumerate(trees) for place in tree[name]]
            return torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2)

        return Sequences(
            ids=padded("ids", 0),
            image_at=torch.tensor(self.image_at),
            branch=padded("branch", -1),
            positions=padded("positions", 0),
            labels=padded("labels", -100),
            region_at=places("region_at"),
            region_token=torch.tensor(
                [token for tree in trees for token in tree["region_token"]], dtype=torch.int64
            ),
            seg_at=places("seg_at"),
            prompt_at=places("prompt_at"),
        )


class SceneBatches(IterableDataset["Batch"]):
    """Endless batches of scenes (`frames` 1) or of clips, from seeds that evaluation never sees.

    Parameters
    ----------
    first_seed : int
        Where to start; batch n uses the `size` seeds from ``first_seed + n * size`` on.
    question_frames : int
        Frames that the language model looks at; clips go on for `frames` in all.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        config: Sa2VAConfig,
        first_seed: int,
        *,
        size: int,
        questions: int,
        frames: int = 1,
        question_frames: int = 1,
    ) -> None:
        self.config, self.first_seed, self.size = config, first_seed, size
        self.questions, self.frames, self.question_frames = questions, frames, question_frames
        self.builder = SequenceBuilder(tokenizer, config, question_frames)

    def __iter__(self) -> Iterator[Batch]:
        seed = self.first_seed
        while True:
            yield self.make(range(seed, seed + self.size))
            seed = (seed + self.size) % (HELD_OUT_SEED - 2 * self.size)

    def make(self, seeds: range) -> Batch:
        """Make the batch of these seeds."""
        trees, parts = [], []
        for image, seed in enumerate(seeds):
            tree, part = self._one(image, seed)
            trees.append(tree)
            parts.append(part)
        joined = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        return Batch(sequences=self.builder.batch(trees), **joined)

    def _one(self, image: int, seed: int) -> tuple[dict[str, list[Any]], dict[str, Tensor]]:
        rng = np.random.default_rng([seed, 5])
        if self.frames == 1:
            clip = [make_scene(seed)]
        else:
            clip = make_clip(seed, self.frames)
        scene = clip[0]
        masks = [torch.from_numpy(s.soft_masks(MASK_FACTOR)) for s in clip]
        turns = draw_turns(scene, rng, self.questions)
        if self.frames > 1:
            turns = [t for t in turns if t.region is None and not _moved(t)] or turns[:1]
        regions = [self._region_tokens(masks[0], t) for t in turns]
        kept = [i for i, t in enumerate(turns) if t.region is None or regions[i]]
        turns, regions = [turns[i] for i in kept], [regions[i] for i in kept]
        pixels = [render(s, frame) for frame, s in enumerate(clip)]
        referring = [t for t in turns if t.kind not in ("region", "colors")]
        side = masks[0].shape[-1]
        seg = [torch.stack([m[list(t.targets)].amax(0) for m in masks]) for t in turns if t.targets]
        meant = [
            masks[0][list(t.targets)].amax(0) if t.targets else torch.zeros(side, side)
            for t in referring
        ]
        points, labels, chosen = _point_prompts(scene, masks[0], rng)
        empty = torch.zeros(0, side, side)
        part = {
            "tiles": torch.cat(
                [image_tiles(p, self.config) for p in pixels[: self.question_frames]]
            ),
            "images": torch.stack([sam2_image(p, self.config) for p in pixels]),
            "seg_masks": torch.stack(seg) if seg else empty[:, None].expand(0, self.frames, -1, -1),
            "prompt_masks": torch.stack(meant) if meant else empty,
            "point_image": torch.full((len(chosen),), image),
            "points": points,
            "point_labels": labels,
            "point_masks": masks[0][chosen],
            "classes": _class_maps(scene, masks[0])[None],
            "cells": _some_cells(masks, rng)[None] if self.frames > 1 else empty[None, None],
        }
        return self.builder.tree(turns, regions), part

    def _region_tokens(self, masks: Tensor, asked: Turn) -> list[int]:
        if asked.region is None:
            return []
        side = self.config.token_side
        mask = F.interpolate((masks[asked.region] > 0.5).float()[None, None], size=(side, side))
        return mask.flatten().nonzero()[:, 0].tolist()


def _moved(asked: Turn) -> bool:
    """Whether what is asked depends on where cells are, which changes over a clip."""
    return "position" in asked.kind or "superlative" in asked.kind


def _some_cells(masks: list[Tensor], rng: np.random.Generator, count: int = 3) -> Tensor:
    chosen = rng.permutation(masks[0].shape[0])
    chosen = np.resize(chosen, count)
    return torch.stack([m[chosen] for m in masks])


def _class_maps(scene: Scene, masks: Tensor) -> Tensor:
    """Label every place by the cell there; see `Batch.classes`."""
    cover, owner = masks.max(0)
    colors, thirds = list(COLORS), scene.side / 3
    table = torch.tensor(
        [
            (
                1 + colors.index(c.color),
                SIZES.index(c.size),
                SHAPES.index(c.shape),
                min(2, int(c.x / thirds)),
                min(2, int(c.y / thirds)),
            )
            for c in scene.cells
        ]
    )
    maps = table[owner].permute(2, 0, 1).clone()
    maps[:, cover < 0.5] = -100
    maps[0, cover < 0.5] = 0
    return maps


def _point_prompts(
    scene: Scene, masks: Tensor, rng: np.random.Generator
) -> tuple[Tensor, Tensor, list[int]]:
    """One point inside a cell, two points, or a box, each for a random cell."""
    points, labels, chosen = [], [], []
    for _ in range(POINT_PROMPTS):
        cell = int(rng.integers(len(scene.cells)))
        inside = (masks[cell] > 0.9).nonzero()
        if len(inside) == 0:
            inside = (masks[cell] >= masks[cell].max()).nonzero()
        picks = inside[rng.integers(len(inside), size=2)].float().flip(1) * MASK_FACTOR
        picks += torch.from_numpy(rng.uniform(0, MASK_FACTOR, (2, 2))).float()
        kind = rng.random()
        if kind < 0.4:
            label = [1, -1]
        elif kind < 0.6:
            label = [1, 1]
        else:
            label = [2, 3]
            rows, columns = (masks[cell] > 0.5).nonzero().unbind(1)
            corners = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            picks = torch.tensor(corners).float().reshape(2, 2) * MASK_FACTOR
            picks += torch.from_numpy(rng.uniform(-3, 3, (2, 2))).float()
        points.append(picks)
        labels.append(label)
        chosen.append(cell)
    return torch.stack(points), torch.tensor(labels, dtype=torch.int32), chosen
