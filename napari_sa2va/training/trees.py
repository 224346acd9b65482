"""Dialogues as token trees: turns in the model's chat template, behind one copy of the image.

All dialogues about an image share one copy of its visual tokens: the sequence is a tree, the image
its trunk and each dialogue a branch that sees the trunk and itself, with positions counted from
the trunk's end. Eight questions then cost little more than one. The image stands once, in front of
the first question, as in the official training data; every later turn sees it there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

import torch

from napari_sa2va.model.prompts import SEG, image_string, region_string, turn, video_string

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor

    from napari_sa2va.model.config import Sa2VAConfig
    from napari_sa2va.training.dialogues import Dialogue

_IGNORE: Final = -100
_END: Final = "<|im_end|>\n"


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
class Tree:
    """The dialogues about one image; see `Sequences` for the fields."""

    ids: list[int]
    branch: list[int]
    positions: list[int]
    labels: list[int]
    region_at: list[int] = field(default_factory=list)
    region_token: list[int] = field(default_factory=list)
    seg_at: list[int] = field(default_factory=list)
    prompt_at: list[int] = field(default_factory=list)


class TreeBuilder:
    """Writes trees for images of one number of tiles, or for clips of one number of frames.

    Parameters
    ----------
    tiles : int
        Tiles of an image, its thumbnail counted.
    frames : int
        More than one for a clip, of one tile each.
    """

    def __init__(
        self, tokenizer: Tokenizer, config: Sa2VAConfig, tiles: int = 1, frames: int = 1
    ) -> None:
        self.tokenizer = tokenizer
        count = config.tokens_per_tile
        self.first_of_last_tile = (tiles * frames - 1) * count
        image = image_string(tiles, count) if frames == 1 else video_string(frames, count)
        # The user's turn up to and including the image; the question closes it.
        self.opening, self.closing = turn(f"{image}\0").split("\0")
        # Some tokenizers put a sign in front of a text: here alone, as at inference.
        self.trunk = list(tokenizer.encode(self.opening).ids)
        context, seg = (tokenizer.token_to_id(token) for token in ("<IMG_CONTEXT>", SEG))
        assert context is not None
        assert seg is not None
        self.context, self.seg = context, seg

    @cached_property
    def image_at(self) -> list[int]:
        """Places of the visual tokens in the trunk."""
        return [place for place, token in enumerate(self.trunk) if token == self.context]

    def _encode(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def tree(self, dialogues: list[Dialogue], regions: list[list[list[int]]]) -> Tree:
        """Write one image's tree.

        Parameters
        ----------
        regions : list
            For each dialogue and each of its regions, visual tokens of the last tile.
        """
        length = len(self.trunk)
        tree = Tree(list(self.trunk), [0] * length, list(range(length)), [_IGNORE] * length)
        for number, (dialogue, pointed) in enumerate(zip(dialogues, regions, strict=True), start=1):
            start = len(tree.ids)
            string = region_string([len(tokens) for tokens in pointed]) if pointed else ""
            prompts = [f"{string}\n{dialogue.turns[0].question}{self.closing}"]
            prompts += [turn(later.question) for later in dialogue.turns[1:]]
            for prompt, asked in zip(prompts, dialogue.turns, strict=True):
                self._add(tree, prompt, asked.answer, spoken=dialogue.spoken)
                if asked.points_at is not None:
                    tree.prompt_at.append(len(tree.ids) - self._answer_length - 1)
            if pointed:
                places = range(start, len(tree.ids))
                tree.region_at += [place for place in places if tree.ids[place] == self.context]
                first = self.first_of_last_tile
                tree.region_token += [first + token for tokens in pointed for token in tokens]
            added = len(tree.ids) - start
            tree.branch += [number] * added
            tree.positions += range(length, length + added)
        return tree

    def _add(self, tree: Tree, prompt: str, answer: str, *, spoken: bool) -> None:
        asked, said = self._encode(prompt), self._encode(f"{answer}{_END}")
        start = len(tree.ids) + len(asked)
        tree.seg_at += [start + place for place, token in enumerate(said) if token == self.seg]
        tree.ids += asked + said
        # Place i predicts the token at i + 1; the newline after the end is not asked for.
        wanted = said[:-1] if spoken else [_IGNORE] * (len(said) - 1)
        tree.labels += [_IGNORE] * (len(asked) - 1) + wanted + [_IGNORE] * 2
        self._answer_length = len(said)

    def batch(self, trees: list[Tree]) -> Sequences:
        """Pad trees to one length."""
        length = max(len(tree.ids) for tree in trees)

        def padded(name: str, fill: int) -> Tensor:
            rows = [getattr(tree, name) for tree in trees]
            return torch.tensor([row + [fill] * (length - len(row)) for row in rows])

        def places(name: str) -> Tensor:
            pairs = [(i, place) for i, tree in enumerate(trees) for place in getattr(tree, name)]
            return torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2)

        tokens = [token for tree in trees for token in tree.region_token]
        return Sequences(
            ids=padded("ids", 0),
            image_at=torch.tensor(self.image_at),
            branch=padded("branch", -1),
            positions=padded("positions", 0),
            labels=padded("labels", _IGNORE),
            region_at=places("region_at"),
            region_token=torch.tensor(tokens, dtype=torch.int64),
            seg_at=places("seg_at"),
            prompt_at=places("prompt_at"),
        )
