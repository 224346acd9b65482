"""What the model hands back: plain values, no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """An object that an answer points out.

    Attributes
    ----------
    phrase : str or None
        What the model calls it, where it says so (``<p>…</p>``).
    span : tuple of int, or None
        Where that phrase stands in `Answer.text`.
    logits : ndarray of float32, shape (s, s)
        Logits of the probability map at SAM2's low resolution, a quarter of its input's side.
    mask : ndarray of bool, shape (height, width)
        Where the probability exceeds 0.5, at the image's size. The logits reach it bilinearly in
        two steps, over SAM2's input size.
    iou : float
        SAM2's own estimate of the mask's IoU, 0 to 1.
    mean_probability : float
        Over the mask's pixels; nan when it has none.
    present : float
        Probability that the object is in the image at all, as SAM2's object score gives it.
    """

    phrase: str | None
    span: tuple[int, int] | None
    logits: NDArray[np.float32] = field(repr=False)
    mask: NDArray[np.bool_] = field(repr=False)
    iou: float
    mean_probability: float
    present: float


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A mask that fits some prompts.

    Attributes
    ----------
    logits : ndarray of float32, shape (s, s)
        At SAM2's low resolution; see `Segment`.
    mask : ndarray of bool, shape (height, width)
        As in `Segment`.
    iou : float
        SAM2's own estimate of the mask's IoU, 0 to 1.
    mean_probability : float
        Over the mask's pixels; nan when it has none.
    """

    logits: NDArray[np.float32] = field(repr=False)
    mask: NDArray[np.bool_] = field(repr=False)
    iou: float
    mean_probability: float


@dataclass(frozen=True, slots=True, eq=False)
class Refined(Candidate):
    """An object found or corrected by points, a box or paint.

    It is itself the mask that SAM2 chose. The logits, or those of the candidate that the user
    chose instead, are the `previous` of the next correction.

    Attributes
    ----------
    candidates : tuple of Candidate
        The masks that were not chosen, best estimate first.
    present : float
        As in `Segment`.
    """

    candidates: tuple[Candidate, ...]
    present: float


@dataclass(frozen=True, slots=True)
class TextPart:
    """More of the answer's text; all of them together are `Answer.text`."""

    text: str


@dataclass(frozen=True, slots=True)
class SegmentPart:
    """One mask of the answer; they come in the order of their ``[SEG]``."""

    segment: Segment


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer.

    Attributes
    ----------
    text : str
        What the model said. ``[SEG]`` stands where it points at an object; ``<p>``, ``</p>`` and
        all other special tokens are taken out.
    segments : tuple of Segment
        One per ``[SEG]``, in their order, but for one that is the very last token generated.
    raw : str
        As the model wrote it, special tokens included, without the one that ends it: what a
        follow-up question hands in as `Exchange.answer`.
    tokens : tuple of int
        Their ids.
    unknown_words : tuple of str
        Words of the question that the model's vocabulary does not have.
    complete : bool
        False when the answer was cut off at the greatest number of tokens.
    """

    text: str
    segments: tuple[Segment, ...]
    raw: str
    tokens: tuple[int, ...]
    unknown_words: tuple[str, ...] = ()
    complete: bool = True


@dataclass(frozen=True, slots=True)
class FoundObject:
    """An object that an answer about a video points out: its phrase and where that stands."""

    phrase: str | None
    span: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Found:
    """What a video's answer points out, before it is tracked.

    Attributes
    ----------
    answer : Answer
        Without segments.
    objects : tuple of FoundObject
        In the order of the rows of every `TrackedFrame`; empty when nothing was found.
    frames : tuple of int
        The frames that were looked at.
    """

    answer: Answer
    objects: tuple[FoundObject, ...]
    frames: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FollowedObject:
    """An object of a tracking run.

    Attributes
    ----------
    question : int or None
        Place of the question that pointed it out; None when its mask was given.
    phrase : str or None
        What the answer calls it, where it says so.
    """

    question: int | None = None
    phrase: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class TrackedFrame:
    """All objects of a run in one frame.

    Attributes
    ----------
    index : int
        Of the frame.
    masks : ndarray of bool, shape (n, height, width)
        At the frame's size.
    logits : ndarray of float32, shape (n, s, s)
        At SAM2's low resolution; see `Segment`.
    ious, mean_probabilities, present : ndarray of float32, shape (n,)
        As in `Segment`; nan for the mean of an empty mask.
    seed : bool
        Whether the tracking started from this frame.
    flags : tuple of tuple of str
        Of each object, what is suspicious about it here; any of

        - ``"absent"``: it was there before, and SAM2 says that it is gone;
        - ``"iou"``: SAM2's predicted IoU fell;
        - ``"uncertain"``: the mean probability is low;
        - ``"area"``: the area jumped;
        - ``"disagrees"``: the expression, asked again here, points elsewhere or at nothing;
        - ``"reseeded"``: it pointed elsewhere, and the tracking went on from there.

        The first four are explained in `napari_sa2va.model.drift`.
    """

    index: int
    masks: NDArray[np.bool_] = field(repr=False)
    logits: NDArray[np.float32] = field(repr=False)
    ious: NDArray[np.float32]
    mean_probabilities: NDArray[np.float32]
    present: NDArray[np.float32]
    seed: bool
    flags: tuple[tuple[str, ...], ...]


Part = TextPart | SegmentPart | Answer
VideoPart = TextPart | Found | TrackedFrame


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a checkpoint can do.

    Attributes
    ----------
    regions : bool
        Regions can be pointed out in a question.
    consistent_tracking : bool
        It has SAM2's original mask decoder, or one decoder trained for both roles, so that
        Sa2VA-i's way of tracking works.
    """

    regions: bool
    consistent_tracking: bool
