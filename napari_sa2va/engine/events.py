"""What happens while a request runs, in the order it happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_sa2va.annotation.packed import PackedMask
    from napari_sa2va.model.track_state import TrackState


@dataclass(frozen=True, slots=True)
class ModelLoading:
    """The checkpoint is being read; `fraction` is 0 to 1, or None while unknown."""

    message: str
    fraction: float | None = None


@dataclass(frozen=True, slots=True)
class ModelReady:
    """The model is loaded.

    Attributes
    ----------
    name : str
        In full.
    device, dtype : str
        That it ended up on.
    bytes_held : int
    consistent : bool
        Whether it can track in the consistent way without a SAM 2 file.
    weights : str
        ``"sha256:…"`` of the files of weights; see `napari_sa2va.zoo.weights`. Empty if unknown.
    revision : str
        The Hub's commit of the checkpoint; empty for folders.
    """

    name: str
    device: str
    dtype: str
    bytes_held: int
    consistent: bool = True
    weights: str = ""
    revision: str = ""


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
        with ``log(p / (1 - p))`` to move the border to probability ``p``. Where the model looked
        at a part of the frame, of the frame's size.
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
    looked : str
        How the model looked at the question's regions, in words such as ``"crop of 96 by 64 pixels
        round it"``; empty where it looked at the whole image.
    raw : str
        The answer as the model wrote it, tags included: what goes into `Exchange.answer` when a
        question follows this one.
    """

    index: int
    answer: str
    phrases: tuple[tuple[int, int], ...]
    masks: int
    unknown_words: tuple[str, ...] = ()
    complete: bool = True
    looked: str = ""
    raw: str = ""


class RefinedMask(NamedTuple):
    """A mask that fits some prompts; its fields are those of `MaskFound`."""

    mask: NDArray[np.bool_]
    logits: NDArray[np.float32]
    iou: float
    score: float


@dataclass(frozen=True, slots=True)
class RefineDone:
    """An object, by clicks, a box and paint.

    Attributes
    ----------
    mask, logits, iou, score
        As in `MaskFound`: the mask that SAM2 chose.
    candidates : tuple of RefinedMask
        The masks that it did not choose, best estimate first. The logits of the chosen one, or of
        the candidate that the user prefers, are the `previous` of the next request.
    present : float
        Probability that the object is in the image at all, 0 to 1.
    """

    mask: NDArray[np.bool_]
    logits: NDArray[np.float32]
    iou: float
    score: float
    candidates: tuple[RefinedMask, ...]
    present: float


@dataclass(frozen=True, slots=True)
class TrackedObject:
    """An object that is followed: what question it answers (its index), and its phrase.

    Where masks are followed, `question` is the place of the mask among those given.
    """

    question: int
    phrase: str


@dataclass(frozen=True, slots=True)
class TrackStarted:
    """Frames begin to come; their masks stand in the order of `objects`.

    A run that goes on from a state tells this before it reads a frame: none may come.

    Attributes
    ----------
    objects : tuple of TrackedObject
    keys : tuple of int
        The frames that were looked at.
    done, total : int
        Frames that an earlier run has visited, and frames to visit in all.
    """

    objects: tuple[TrackedObject, ...]
    keys: tuple[int, ...]
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class FrameDone:
    """All objects in one more frame.

    Attributes
    ----------
    index : int
        Of the frame in the stack.
    masks : tuple of PackedMask
        At the frame's size; one an object. SAM2's original decoder (the consistent way) leaves it
        empty where the object is not there; Sa2VA's own may not, and only `present` tells it.
    ious : tuple of float
        SAM2's own estimates of the masks' IoU, 0 to 1.
    scores : tuple of float
        Mean probability inside each mask, 0 to 1; nan where it is empty.
    present : tuple of float
        Probability that the object is there, 0 to 1.
    flags : tuple of tuple of str
        What looks like drift, by object; see `napari_sa2va.model.drift`.
    seed : bool
        Whether the tracking started from this frame.
    done, total : int
        Frames visited, this one included, and frames to visit in all.
    """

    index: int
    masks: tuple[PackedMask, ...]
    ious: tuple[float, ...]
    scores: tuple[float, ...]
    present: tuple[float, ...]
    flags: tuple[tuple[str, ...], ...]
    seed: bool
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class TrackSaved:
    """From this state another run can go on.

    Comes after the first frame, then now and then, and before a tracking ends, be it that it is
    done, cancelled, or fails; not where it ends before any frame is finished.
    """

    state: TrackState


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
    | RefineDone
    | TrackStarted
    | FrameDone
    | TrackSaved
    | RunDone
)
