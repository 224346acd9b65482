"""The objects of one image as a table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sa2va.io.csv_rows import write_rows

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """One object, or one expression that was not found; fields are the columns, in this order.

    Attributes
    ----------
    image : str
        File name.
    label : int
        In the label image; 0 when the expression was not found.
    phrase, question, answer : str
        What it was called, what the model was asked, and the model's words.
    score : float
        Mean probability inside the mask, 0 to 1.
    iou : float
        SAM2's own estimate of the mask's IoU, 0 to 1.
    area_px : int
        Pixels of the mask.
    labelled_px : int
        Pixels that carry `label` in the label image: fewer than `area_px` where an earlier object
        already had them.
    area : float
        `area_px` in `unit`; nan when the size of a pixel is not known.
    unit : str
        Of `area`, such as ``um^2``.
    row, column : float
        Centre of the mask in pixels, from the top left pixel's centre.
    top, left, bottom, right : int
        The mask's bounding box in pixels; bottom and right are not included.
    model : str
        Name of the checkpoint.
    created : str
        When, as ISO 8601 with time zone.
    """

    image: str
    label: int
    phrase: str
    question: str
    answer: str
    score: float = math.nan
    iou: float = math.nan
    area_px: int = 0
    labelled_px: int = 0
    area: float = math.nan
    unit: str = ""
    row: float = math.nan
    column: float = math.nan
    top: int = 0
    left: int = 0
    bottom: int = 0
    right: int = 0
    model: str = ""
    created: str = ""


def write_objects(path: Path, rows: Iterable[ObjectRow]) -> None:
    """Write the table, as `napari_sa2va.io.csv_rows` does."""
    write_rows(path, ObjectRow, rows)
