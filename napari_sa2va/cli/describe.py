"""``napari-sa2va describe``: what each label of an image is, in words."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from napari_sa2va.annotation.records import now
from napari_sa2va.cli.images import ImageOptions, open_plane
from napari_sa2va.cli.regions import read_regions
from napari_sa2va.cli.segment import warn_of_words
from napari_sa2va.engine import (
    ModelChoice,
    ModelReady,
    Question,
    QuestionDone,
    Request,
    RunDone,
    shared_runner,
)
from napari_sa2va.engine.region_questions import describe_questions
from napari_sa2va.io.descriptions_csv import (
    DescriptionRow,
    read_descriptions,
    write_descriptions,
)

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence
    from pathlib import Path

    from napari_sa2va.cli.display import Display
    from napari_sa2va.frames import FrameSource

FILE_NAME: Final = "{stem}_descriptions.csv"


@dataclass(frozen=True, slots=True)
class DescribeJob:
    """What to describe, and how.

    Attributes
    ----------
    image, labels : Path
    question : str
        Asked of each label; empty for the usual one.
    wanted : sequence of int
        Labels to describe; empty for all.
    model : ModelChoice
    output : Path
        Folder for the table.
    options : ImageOptions
    """

    image: Path
    labels: Path
    question: str
    wanted: Sequence[int]
    model: ModelChoice
    output: Path
    options: ImageOptions


@dataclass(slots=True)
class Descriptions:
    """What came of it: a row per label, fewer after a cancel."""

    total: int
    rows: list[DescriptionRow] = field(default_factory=list)
    model: ModelReady | None = None
    done: RunDone | None = None
    file: Path | None = None

    @property
    def cancelled(self) -> bool:
        """Whether the user ended it."""
        return self.done is not None and self.done.cancelled

    @property
    def complete(self) -> bool:
        """Whether all was asked."""
        return self.done is not None and not self.done.cancelled


def questions_of(job: DescribeJob) -> tuple[FrameSource, tuple[Question, ...]]:
    """Open the image and the labels, and ask about each label on its own.

    Raises
    ------
    InvalidInput
        If one of them cannot be read, or they do not fit.
    """
    frames = open_plane(job.image, job.options)
    regions = read_regions(job.labels, frames.shape, job.options, job.wanted)
    questions = [
        question
        for label, mask in regions.items()
        for question in describe_questions(job.question, {label: mask})
    ]
    return frames, tuple(questions)


def describe_labels(
    job: DescribeJob,
    frames: FrameSource,
    questions: tuple[Question, ...],
    display: Display,
    cancelled: threading.Event,
) -> Descriptions:
    """Describe the labels of one image, one by one.

    What was said is written after a cancel and a failure, too: it may have taken hours. Where it is
    not of all labels, the rows of the others stay that the table had.

    Raises
    ------
    Sa2VAError
        Whatever fails.
    """
    found = Descriptions(len(questions))
    path = job.output / FILE_NAME.format(stem=job.image.stem)
    # A table of the same name may be of another image.
    earlier = [row for row in read_descriptions(path) if row.image == job.image.name]
    words: dict[str, None] = {}
    display.image(job.image.name)
    try:
        for event in shared_runner().run(Request(job.model, frames, questions), cancelled):
            display.event(event)
            match event:
                case ModelReady():
                    found.model = event
                case QuestionDone():
                    words |= dict.fromkeys(event.unknown_words)
                    row = _row(job, questions[event.index], event, found.model)
                    found.rows.append(row)
                    looked = f"  ({row.looked})" if row.looked else ""
                    display.say(f"{row.label}  {row.description.strip()}{looked}")
                case RunDone():
                    found.done = event
    finally:
        if found.rows:
            kept = [] if found.complete and not job.wanted else _others(earlier, found.rows)
            write_descriptions(path, sorted([*kept, *found.rows], key=lambda row: row.label))
            found.file = path
            also = f" (rows kept from before: {len(kept)})" if kept else ""
            display.say(f"wrote {path}{also}")
    warn_of_words(words, display)
    if cut := [str(row.label) for row in found.rows if row.cut_off]:
        display.warn(f"Cut off at the greatest length: the answers to {', '.join(cut)}.")
    return found


def _others(
    earlier: Sequence[DescriptionRow], rows: Sequence[DescriptionRow]
) -> list[DescriptionRow]:
    """Return the earlier rows of labels that were not described now."""
    described = {row.label for row in rows}
    return [row for row in earlier if row.label not in described]


def _row(
    job: DescribeJob, question: Question, done: QuestionDone, model: ModelReady | None
) -> DescriptionRow:
    (mask,) = question.regions
    assert question.label is not None
    rows, columns = mask.box
    return DescriptionRow(
        image=job.image.name,
        label=question.label,
        description=done.answer,
        looked=done.looked,
        question=question.text,
        area_px=mask.area,
        top=rows.start,
        left=columns.start,
        bottom=rows.stop,
        right=columns.stop,
        cut_off=not done.complete,
        model=model.name if model else "",
        weights=model.weights if model else "",
        created=now(),
    )


def as_json(job: DescribeJob, found: Descriptions) -> dict[str, Any]:
    """Return what was said as values that JSON knows."""
    model = found.model
    return {
        "image": str(job.image),
        "labels": str(job.labels),
        "model": None
        if model is None
        else {
            "name": model.name,
            "device": model.device,
            "dtype": model.dtype,
            "weights": model.weights,
            "revision": model.revision,
        },
        "seconds": found.done.seconds if found.done else None,
        "described": len(found.rows),
        "total": found.total,
        "file": str(found.file) if found.file else None,
        "descriptions": [
            {
                key: value
                for key, value in asdict(row).items()
                if key not in ("image", "model", "weights")
            }
            for row in found.rows
        ],
    }
