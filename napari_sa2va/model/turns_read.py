"""What the language model has read of a conversation, so that nothing is read twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from transformers import DynamicCache


class Read(NamedTuple):
    """Tokens that were read, and the keys and values that the language model made of them.

    Attributes
    ----------
    contents : tuple of int
        What stood at each place; see `contents`.
    pairs : tuple of (Tensor, Tensor)
        Keys and values of each layer, shapes (1, heads, len(contents), width).
    """

    contents: tuple[int, ...]
    pairs: tuple[tuple[Tensor, Tensor], ...]

    @classmethod
    def of(cls, contents: Sequence[int], past: DynamicCache) -> Read | None:
        """Take what was read; None where a layer has forgotten some of it (sliding windows)."""
        layers: Any = past.layers
        pairs = tuple((layer.keys, layer.values) for layer in layers)
        whole = all(keys.shape[-2] == len(contents) for keys, _ in pairs)
        return cls(tuple(contents), pairs) if whole else None

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return sum(keys.nbytes + values.nbytes for keys, values in self.pairs)

    def shared(self, contents: Sequence[int]) -> int:
        """Return how many tokens at the beginning are the same."""
        for place, (ours, theirs) in enumerate(zip(self.contents, contents, strict=False)):
            if ours != theirs:
                return place
        return min(len(self.contents), len(contents))

    def first(self, count: int) -> Read:
        """Return a copy of the first tokens, which holds no memory of the others."""
        pairs = tuple((k[..., :count, :].clone(), v[..., :count, :].clone()) for k, v in self.pairs)
        return Read(self.contents[:count], pairs)

    def recall(self, count: int, past: DynamicCache) -> None:
        """Put the first tokens into an empty cache; copies, so that what is kept stays."""
        for layer, (keys, values) in enumerate(self.pairs):
            past.update(keys[..., :count, :], values[..., :count, :], layer)


def contents(ids: Sequence[int], visual: int, images: int, regions: Sequence[Tensor]) -> list[int]:
    """Tell what stands at each place of a prompt, beyond which image it is about.

    Parameters
    ----------
    ids : sequence of int
    visual : int
        Id of the token in whose place a visual token goes.
    images : int
        How many visual tokens the images have; those of regions follow.
    regions : sequence of Tensor
        Indices of each region's visual tokens in the last tile.

    Returns
    -------
    list of int
        The ids, but for a region's token one that tells which it is: -1 for index 0, and so on.
    """
    pointed = iter(torch.cat(list(regions)).tolist() if regions else ())
    found, seen = [], 0
    for token in ids:
        if token == visual:
            seen += 1
            found.append(token if seen <= images else -1 - next(pointed))
        else:
            found.append(token)
    return found
