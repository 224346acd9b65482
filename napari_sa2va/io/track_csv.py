"""The objects of a tracking as two tables: one row an object, and one row an object and frame."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_sa2va.io.csv_rows import write_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from napari_sa2va.io.track_records import FrameRecord, Sighting


@dataclass(frozen=True, slots=True)
class TrackRow:
    """One object, or one expression that was not found; fields are the columns, in this order.

    Attributes
    ----------
    stack : str
        File name.
    label : int
        In the label stack; 0 when the expression was not found.
    phrase, question, answer : str
        What it was called, what the model was asked, and the model's words.
    score : float
        Mean over the frames with a mask of the mean probability inside it, 0 to 1.
    first_frame, last_frame : int or None
        Where it has a mask; None where it has none.
    frames : int
        How many frames it has a mask in.
    flagged : tuple of int
        Frames in which something looks like drift.
    model : str
        Name of the checkpoint.
    created : str
        When the run began, as ISO 8601 with time zone.
    """

    stack: str
    label: int
    phrase: str
    question: str
    answer: str
    score: float = math.nan
    first_frame: int | None = None
    last_frame: int | None = None
    frames: int = 0
    flagged: tuple[int, ...] = ()
    model: str = ""
    created: str = ""


@dataclass(frozen=True, slots=True)
class FrameRow:
    """One object in one frame; fields are the columns, in this order.

    Attributes
    ----------
    label : int
        In the label stack.
    phrase : str
        What it was called.
    frame : int
        From 0, in the whole stack.
    area_px, labelled_px, row, column, iou, score, present, flags
        See `napari_sa2va.io.track_records.Sighting`.
    area : float
        `area_px` in `unit`; nan when the size of a pixel is not known.
    unit : str
        Of `area`, such as ``um^2``.
    seed : bool
        Whether the model looked at this frame, so that the tracking started from it.
    """

    label: int
    phrase: str
    frame: int
    area_px: int
    labelled_px: int
    area: float
    unit: str
    row: float
    column: float
    iou: float
    score: float
    present: float
    seed: bool
    flags: tuple[str, ...]


def summed_up(row: TrackRow, records: Iterable[FrameRecord]) -> TrackRow:
    """Return the row of an object with what its frames, in their order, say.

    Parameters
    ----------
    row : TrackRow
        Its label, from 1, says which object of the records it is.
    records : iterable of FrameRecord
    """
    seen = [(record.frame, record.objects[row.label - 1]) for record in records]
    there = [(frame, one) for frame, one in seen if one.area_px]
    scores = [one.score for _, one in there if not math.isnan(one.score)]
    return replace(
        row,
        score=math.fsum(scores) / len(scores) if scores else math.nan,
        first_frame=there[0][0] if there else None,
        last_frame=there[-1][0] if there else None,
        frames=len(there),
        flagged=tuple(frame for frame, one in seen if one.flags),
    )


def frame_rows(
    records: Sequence[FrameRecord],
    phrases: Sequence[str],
    pixel_size: tuple[float, float] | None = None,
) -> Iterator[FrameRow]:
    """Yield a row per object and frame: the frames of the first object, then of the next.

    Parameters
    ----------
    records : sequence of FrameRecord
        In the order of their frames.
    phrases : sequence of str
        Of labels 1 to n.
    pixel_size : (float, float), optional
        Height and width of a pixel in micrometres.
    """
    for label, phrase in enumerate(phrases, start=1):
        for record in records:
            yield _frame_row(label, phrase, record, record.objects[label - 1], pixel_size)


def _frame_row(
    label: int,
    phrase: str,
    record: FrameRecord,
    one: Sighting,
    pixel_size: tuple[float, float] | None,
) -> FrameRow:
    height, width = pixel_size or (math.nan, math.nan)
    return FrameRow(
        label,
        phrase,
        record.frame,
        one.area_px,
        one.labelled_px,
        one.area_px * height * width,
        "um^2" if pixel_size else "",
        one.row,
        one.column,
        one.iou,
        one.score,
        one.present,
        record.seed,
        one.flags,
    )


def write_tracks(path: Path, rows: Iterable[TrackRow]) -> None:
    """Write the table of objects, as `napari_sa2va.io.csv_rows` does."""
    write_rows(path, TrackRow, rows)


def write_frames(path: Path, rows: Iterable[FrameRow]) -> None:
    """Write the table of objects and frames in the same form."""
    write_rows(path, FrameRow, rows)
