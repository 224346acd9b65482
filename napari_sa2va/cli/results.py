"""What a run found in one image, gathered from its events."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sa2va.annotation.conversation import name_objects
from napari_sa2va.annotation.masks import bounding_box
from napari_sa2va.annotation.records import now
from napari_sa2va.engine import (
    MaskFound,
    ModelReady,
    QuestionDone,
    QuestionStarted,
    RunDone,
    TextChunk,
)
from napari_sa2va.io.objects_csv import ObjectRow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_sa2va.engine import Event, Question
    from napari_sa2va.io.pixel_size import PixelSize


@dataclass(frozen=True, slots=True)
class Reply:
    """The model's answer to one question.

    Attributes
    ----------
    labels : tuple of int
        For each mask in order its label; 0 for a mask without a free pixel.
    complete : bool
        False when the run was cancelled in the middle of it.
    cut_off : bool
        The model came to its greatest number of tokens before it ended the answer.
    """

    question: str
    phrase: str | None
    answer: str
    labels: tuple[int, ...]
    unknown_words: tuple[str, ...] = ()
    complete: bool = True
    cut_off: bool = False

    @property
    def readable(self) -> str:
        """The answer with the labels of its objects in place of ``[SEG]``."""
        return name_objects(self.answer, [(label,) if label else () for label in self.labels])


@dataclass(slots=True)
class Results:
    """Gathers events.

    Parameters
    ----------
    image : str
        Name of the file.
    shape : (int, int)
        Height and width.
    questions : tuple of Question
    pixel_size : PixelSize, optional
    """

    image: str
    shape: tuple[int, int]
    questions: tuple[Question, ...]
    pixel_size: PixelSize | None = None
    rows: list[ObjectRow] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    model: ModelReady | None = None
    done: RunDone | None = None
    labels: NDArray[np.uint32] = field(init=False)
    _text: str = ""
    _open: list[ObjectRow] = field(default_factory=list)
    _current: Question | None = None

    def __post_init__(self) -> None:
        self.labels = np.zeros(self.shape, np.uint32)

    @property
    def objects(self) -> list[ObjectRow]:
        """The rows of objects that have pixels in the label image."""
        return [row for row in self.rows if row.label]

    @property
    def captions(self) -> dict[int, str]:
        """What each label stands for."""
        return {row.label: row.phrase for row in self.objects}

    def add(self, event: Event) -> None:
        """Take in the next event of a run."""
        match event:
            case ModelReady():
                self.model = event
            case QuestionStarted(index=index):
                self._current = self.questions[index]
            case TextChunk(text=text):
                self._text += text
            case MaskFound():
                self._open.append(self._paint(event))
            case QuestionDone(answer=answer, unknown_words=words):
                self._close(answer, words, cut_off=not event.complete)
            case RunDone():
                if self._current is not None:  # cancelled in mid-answer: its masks count
                    self._close(self._text, (), cancelled=True)
                self.done = event

    def _paint(self, found: MaskFound) -> ObjectRow:
        """Give the object's free pixels a label: those of earlier objects stay theirs."""
        assert self._current is not None
        free = found.mask & (self.labels == 0)
        label = int(self.labels.max()) + 1 if free.any() else 0
        self.labels[free] = label
        return self._measured(
            found.mask,
            ObjectRow(
                image=self.image,
                label=label,
                phrase=found.phrase,
                question=self._current.text,
                answer="",
                score=found.score,
                iou=found.iou,
                labelled_px=int(np.count_nonzero(free)),
                model=self.model.name if self.model else "",
                created=now(),
            ),
        )

    def _measured(self, mask: NDArray[np.bool_], row: ObjectRow) -> ObjectRow:
        area = int(np.count_nonzero(mask))
        if not area:
            return row
        rows, columns = bounding_box(mask)
        height, width = self.pixel_size or (math.nan, math.nan)
        return replace(
            row,
            area_px=area,
            area=area * height * width,
            unit="um^2" if self.pixel_size else "",
            row=float(np.average(np.arange(self.shape[0]), weights=mask.sum(axis=1))),
            column=float(np.average(np.arange(self.shape[1]), weights=mask.sum(axis=0))),
            top=rows.start,
            left=columns.start,
            bottom=rows.stop,
            right=columns.stop,
        )

    def _close(
        self,
        answer: str,
        unknown_words: tuple[str, ...],
        *,
        cancelled: bool = False,
        cut_off: bool = False,
    ) -> None:
        """Finish the current question; one without a mask leaves a row without a label."""
        assert self._current is not None
        question = self._current
        self.replies.append(
            Reply(
                question.text,
                question.phrase,
                answer,
                tuple(row.label for row in self._open),
                unknown_words,
                not cancelled,
                cut_off,
            )
        )
        not_found = ObjectRow(
            image=self.image,
            label=0,
            phrase=question.phrase or "",
            question=question.text,
            answer=answer,
            model=self.model.name if self.model else "",
            created=now(),
        )
        found = [replace(row, answer=answer) for row in self._open]
        self.rows += found or ([] if cancelled else [not_found])
        self._text, self._open, self._current = "", [], None
