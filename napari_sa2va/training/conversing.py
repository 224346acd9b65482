"""Several turns with a loaded model, the image in view at every turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from napari_sa2va.model.turns import Exchange

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from napari_sa2va.model import Sa2VA

_MOST_TOKENS: Final = 160


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its text, the phrase in front of each mask (None: none), and the masks."""

    text: str
    phrases: tuple[str | None, ...]
    masks: tuple[NDArray[np.bool_], ...]


def converse(
    model: Sa2VA,
    image: NDArray[np.uint8],
    questions: Sequence[str],
    regions: NDArray[np.bool_] | None = None,
) -> list[Reply]:
    """Ask one question after the other, each with what was said before it.

    Parameters
    ----------
    regions : ndarray of bool, shape (n, height, width), optional
        What the first question calls region1, region2, …
    """
    before: list[Exchange] = []
    replies = []
    for question in questions:
        answer = model.answer(image, question, regions, None, _MOST_TOKENS, before)
        before.append(Exchange(question, answer.raw))
        replies.append(
            Reply(
                answer.text,
                tuple(segment.phrase for segment in answer.segments),
                tuple(segment.mask for segment in answer.segments),
            )
        )
    return replies
