"""How much each loss counts."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from napari_sa2va.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class LossWeights:
    """Weights of the losses that a step returns.

    Attributes
    ----------
    language : float
        Cross entropy of the answers.
    mask : float
        Masks of ``[SEG]``.
    presence : float
        Telling whether what a ``[SEG]`` means, or what is tracked, is there.
    clicks : float
        Masks from points, boxes and paint.
    classes, prompt_match, seg_match, embedding_match : float
        The throw-away heads (`losses.AuxiliaryHeads`).
    track : float
        Masks from memory.
    """

    language: float = 1.0
    mask: float = 1.0
    presence: float = 0.2
    clicks: float = 0.5
    classes: float = 0.3
    prompt_match: float = 2.0
    seg_match: float = 2.0
    embedding_match: float = 2.0
    track: float = 1.0

    def changed(self, options: Iterable[str]) -> LossWeights:
        """Replace weights by options such as ``"clicks=1"``."""
        names = {f.name for f in fields(self)}
        values = {}
        for option in options:
            name, _, value = option.partition("=")
            if name not in names:
                raise InvalidInput(f"There is no loss {name!r}: {', '.join(sorted(names))}.")
            try:
                values[name] = float(value)
            except ValueError as error:
                raise InvalidInput(f"{option!r} must be like clicks=0.5.") from error
        return replace(self, **values)
