"""What happens while a request runs, in the order it happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ModelLoading:
    """The checkpoint is being read; `fraction` is 0 to 1, or None while unknown."""

    message: str
    fraction: float | None = None


@dataclass(frozen=True, slots=True)
class ModelReady:
    """The model is loaded: its full name, the device and dtype it ended up on, bytes held."""

    name: str
    device: str
    dtype: str
    bytes_held: int


@dataclass(frozen=True, slots=True)
class Looking:
    """The image is being encoded."""


@dataclass(frozen=True, slots=True)
class QuestionStarted:
    """Question `index` (0-based) of `total` is being answered."""

    index: int
    total: int
    text: str


@dataclass(frozen=True, slots=True)
class TextChunk:
    """More of the answer to question `index`."""

    index: int
    text: str


@dataclass(frozen=True, slots=True)
class MaskFound:
    """An object, in answer to question `index`.

    Attributes
    ----------
    phrase : str
        The model's phrase, else the user's expression, else ``""``.
    mask : ndarray of bool, shape (height, width)
        At the frame's size.
    logits : ndarray of float32, shape (s, s)
        The mask's logits at SAM2's resolution: resize bilinearly to the frame's size and compare
        with ``log(p / (1 - p))`` to move the border to probability ``p``.
    iou : float
        SAM2's own estimate of the mask's IoU, 0 to 1.
    score : float
        Mean probability inside the mask, 0 to 1; nan when the mask is empty.
    """

    index: int
    phrase: str
    mask: NDArray[np.bool_]
    logits: NDArray[np.float32]
    iou: float
    score: float


@dataclass(frozen=True, slots=True)
class QuestionDone:
    """The whole answer to question `index`.

    Attributes
    ----------
    answer : str
        What the model said, special tokens but ``[SEG]`` and ``<p>`` taken out.
    phrases : tuple of (int, int)
        Where in `answer` each mask's phrase stands (empty spans when the model gave none).
    masks : int
        How many masks were found; 0 means "not found", or a question answered in words.
    unknown_words : tuple of str
        Words of the question that the model's vocabulary spells letter by letter (the demo
        checkpoint's is small).
    complete : bool
        False when the answer was cut off at the greatest number of tokens.
    """

    index: int
    answer: str
    phrases: tuple[tuple[int, int], ...]
    masks: int
    unknown_words: tuple[str, ...] = ()
    complete: bool = True


@dataclass(frozen=True, slots=True)
class RunDone:
    """The run is over; `cancelled` tells whether the user ended it."""

    seconds: float
    cancelled: bool


Event = (
    ModelLoading
    | ModelReady
    | Looking
    | QuestionStarted
    | TextChunk
    | MaskFound
    | QuestionDone
    | RunDone
)
