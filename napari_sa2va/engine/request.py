"""What is asked: a frozen snapshot, taken on the caller's thread, run on another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from napari_sa2va.annotation.packed import PackedMask
    from napari_sa2va.frames.source import FrameSource
    from napari_sa2va.model.track_state import Direction, Method, TrackState
    from napari_sa2va.model.turns import Exchange


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """Which model, where and how precise.

    Attributes
    ----------
    name : str
        ``"demo"``, a folder, or a Hub id such as ``"ByteDance/Sa2VA-InternVL3-2B"``.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
    dtype : str
        ``"auto"``, ``"float32"``, ``"bfloat16"`` or ``"float16"``; or ``"int8"`` or ``"int4"``,
        which are of the language model's layers alone. Not each works on each device.
    """

    name: str = "demo"
    device: str = "auto"
    dtype: str = "auto"


@dataclass(frozen=True, slots=True)
class Question:
    """One question about the frames.

    Attributes
    ----------
    text : str
        What the model is asked, word for word.
    phrase : str or None
        The user's expression, when `text` was made from one: it names the masks whose phrase the
        answer does not give. None when the user asked in words of their own.
    regions : tuple of PackedMask
        At the frame's size: region1, region2, … in `text`.
    label : int or None
        The object that the question is about, for those who read the answer.
    """

    text: str
    phrase: str | None = None
    regions: tuple[PackedMask, ...] = ()
    label: int | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """Questions about one image.

    Attributes
    ----------
    model : ModelChoice
    frames : FrameSource
        What the model looks at; one frame for an image.
    questions : tuple of Question
        Asked one after the other, each on its own (no conversation between them).
    """

    model: ModelChoice
    frames: FrameSource
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """The next question of a conversation about an image or a movie.

    A conversation is what is handed in: to go on, ask again with one more `Exchange`; to edit an
    earlier question, with fewer. What the model has read before is not read again.

    Attributes
    ----------
    model : ModelChoice
    frames : FrameSource
        What the conversation is about; a frame is read when it is needed.
    looked_at : tuple of int
        Frames that the model looks at: one is an image; several are a movie, and masks are of the
        first of them; none, a conversation in words only.
    text : str
        The question, as the user typed it.
    before : tuple of Exchange
        Questions and answers so far, oldest first; the same frames and regions stay in view.
    regions : tuple of PackedMask
        At the frame's size: region1, region2, … of this question or an earlier one; of an image
        only.
    max_new_tokens : int
        Where the answer is cut.
    """

    model: ModelChoice
    frames: FrameSource
    looked_at: tuple[int, ...]
    text: str
    before: tuple[Exchange, ...] = ()
    regions: tuple[PackedMask, ...] = ()
    max_new_tokens: int = 1024


@dataclass(frozen=True, slots=True)
class TrackRequest:
    """Expressions followed through a stack or a movie.

    Attributes
    ----------
    model : ModelChoice
    frames : FrameSource
        The whole stack; a frame is read when it is needed.
    questions : tuple of Question
        All are asked first; what they point out is then followed together, in one pass. With
        `resume`, the questions of the earlier run: they are not asked again.
    keys : tuple of int, optional
        The frames that the language model looks at; left out, those of the method.
    method : "official" or "consistent", optional
        See `napari_sa2va.model.tracking`; left out, consistent where the checkpoint allows it.
    direction : "forward", "backward" or "both"
    within : (int, int), optional
        First frame and the one after the last; the whole stack if left out.
    check_every : int
        Ask again every so many frames; 0 for never.
    reseed : bool
        On disagreement there, go on from what is found anew, instead of a note only.
    sam2_file : str
        A file with SAM2's original mask decoder, for consistent tracking with a checkpoint that
        has none; empty for no file.
    resume : TrackState, optional
        Go on from where an earlier run was; `within` may have grown.
    """

    model: ModelChoice
    frames: FrameSource
    questions: tuple[Question, ...]
    keys: tuple[int, ...] | None = None
    method: Method | None = None
    direction: Direction = "both"
    within: tuple[int, int] | None = None
    check_every: int = 0
    reseed: bool = False
    sam2_file: str = ""
    resume: TrackState | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class RefineRequest:
    """One object of one image, found or corrected by clicks, a box and paint.

    What the prompts mean, and which of them go together, is told at `Sa2VA.refine`.

    Attributes
    ----------
    model : ModelChoice
    frames : FrameSource
        One frame.
    points : tuple of (row, column)
        All clicks on this object so far, in pixels of the frame.
    labels : tuple of int
        For each point 1, in the object, or 0, not in it.
    box : (top, left, bottom, right), optional
        In the coordinates of the points.
    mask : PackedMask, optional
        Painted, at the frame's size.
    previous : ndarray of float32, shape (s, s), optional
        Logits of the result that is corrected.
    sam2_file : str
        As in `TrackRequest`: the decoder in it, where the checkpoint has none like it, finds the
        object.
    """

    model: ModelChoice
    frames: FrameSource
    points: tuple[tuple[float, float], ...] = ()
    labels: tuple[int, ...] = ()
    box: tuple[float, float, float, float] | None = None
    mask: PackedMask | None = None
    previous: NDArray[np.float32] | None = field(default=None, compare=False)
    sam2_file: str = ""


@dataclass(frozen=True, slots=True)
class MaskTrackRequest:
    """Objects followed through a stack or a movie from masks of them, without any words.

    Attributes
    ----------
    model : ModelChoice
    frames : FrameSource
        The whole stack; a frame is read when it is needed.
    masks : mapping of int to tuple of PackedMask
        By frame, at the frames' size: the same objects in the same order, an empty mask where one
        is not there. What is given is followed from there, and not changed.
    phrases : tuple of str
        What the objects are called, in their order; ``""`` for nothing.
    direction : "forward", "backward" or "both"
        From the first frame with masks.
    within : (int, int), optional
        First frame and the one after the last; the whole stack if left out.
    sam2_file : str
        As in `TrackRequest`.
    resume : TrackState, optional
        Go on from where an earlier run was; `within` may have grown.
    """

    model: ModelChoice
    frames: FrameSource
    masks: Mapping[int, tuple[PackedMask, ...]]
    phrases: tuple[str, ...]
    direction: Direction = "both"
    within: tuple[int, int] | None = None
    sam2_file: str = ""
    resume: TrackState | None = field(default=None, compare=False)


AnyRequest = Request | ChatRequest | TrackRequest | RefineRequest | MaskTrackRequest
