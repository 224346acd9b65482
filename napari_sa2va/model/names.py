"""Parameter names: what official checkpoints call them, and what our network does.

Here is what all families share; what a family's backbone calls its own parameters is said in its
file. sam2 calls ``gamma`` what a checkpoint stores as ``g_weight``. A Sa2VA-i checkpoint holds two
mask decoders: its ``sam_mask_decoder`` is SAM2's original one and ``sam_mask_decoder_modified`` the
fine-tuned one, which is our ``sam_mask_decoder`` in every checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import Tensor

_SAM2: Final = "grounding_encoder.sam2_model."
_TUNED: Final = _SAM2 + "sam_mask_decoder_modified."
_DECODER: Final = _SAM2 + "sam_mask_decoder."
_ORIGINAL: Final = _SAM2 + "original_mask_decoder."


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a parameter of ours lies in a checkpoint.

    The stored tensor's first axis is `groups` groups of `parts` equal parts each; the parameter is
    parts `start` up to `stop` of every group, put in a row. By default it is all of the tensor.

    Attributes
    ----------
    name : str
        The official name.
    """

    name: str
    start: int = 0
    stop: int = 1
    parts: int = 1
    groups: int = 1

    def of(self, stored: Tensor) -> Tensor:
        """Take the parameter out of the stored tensor; may be a view of it."""
        if self.parts == 1:
            return stored
        rest = stored.shape[1:]
        taken = stored.reshape(self.groups, self.parts, -1, *rest)[:, self.start : self.stop]
        return taken.reshape(-1, *rest)

    def stored_rows(self, rows: int) -> int:
        """Return the rows of the stored tensor, from those of the parameter."""
        return rows * self.parts // (self.stop - self.start)


Naming = Callable[[str], Stored]


def packed(pieces: Sequence[tuple[Stored, Tensor]]) -> Tensor:
    """Put together the tensor that a checkpoint stores from all parameters that lie in it."""
    import torch  # slow, and names are read without it

    first, tensor = pieces[0]
    if first.parts == 1:
        return tensor
    rest = tensor.shape[1:]
    ordered = sorted(pieces, key=lambda piece: piece[0].start)
    spread = [
        part.reshape(place.groups, place.stop - place.start, -1, *rest) for place, part in ordered
    ]
    return torch.cat(spread, dim=1).reshape(-1, *rest)


def has_two_decoders(official: Iterable[str]) -> bool:
    """Tell from its names whether a checkpoint is a Sa2VA-i one."""
    return any(name.startswith(_TUNED) for name in official)


def stored_as(ours: str, two_decoders: bool = False) -> Stored:
    """Return where a checkpoint keeps a parameter that is not the backbone's.

    Parameters
    ----------
    ours : str
        A key of ``Sa2VANetwork.state_dict()``.
    two_decoders : bool
        Whether the checkpoint is a Sa2VA-i one.

    Examples
    --------
    >>> stored_as("grounding_encoder.sam2_model.memory_encoder.fuser.layers.0.gamma").name
    'grounding_encoder.sam2_model.memory_encoder.fuser.layers.0.g_weight'
    """
    if two_decoders and ours.startswith(_DECODER):
        return Stored(_TUNED + ours.removeprefix(_DECODER))
    if two_decoders and ours.startswith(_ORIGINAL):
        return Stored(_DECODER + ours.removeprefix(_ORIGINAL))
    if ours.startswith(_SAM2) and ours.endswith(".gamma"):
        return Stored(ours.removesuffix("gamma") + "g_weight")
    return Stored(ours)
