"""What is asked: a frozen snapshot, taken on the caller's thread, run on another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_sa2va.frames.source import FrameSource


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
        ``"auto"``, ``"float32"``, ``"bfloat16"`` or ``"float16"``.
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
    """

    text: str
    phrase: str | None = None


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
    regions : ndarray of bool, shape (n, height, width), optional
        Prompt masks at the frame's size: region1, region2, … in the questions.
    """

    model: ModelChoice
    frames: FrameSource
    questions: tuple[Question, ...]
    regions: NDArray[np.bool_] | None = field(default=None, compare=False)
