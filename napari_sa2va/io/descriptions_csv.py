"""What a model said of the labels of one image, as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sa2va.io.csv_rows import write_rows

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class DescriptionRow:
    """One label; fields are the columns, in this order.

    Attributes
    ----------
    image : str
        File name.
    label : int
        In the label image.
    description : str
        What the model said.
    looked : str
        How it looked; empty where it saw the label in the whole image.
    question : str
    area_px : int
        Pixels of the label.
    top, left, bottom, right : int
        Its bounding box in pixels; bottom and right are not included.
    cut_off : bool
        Whether the model came to its greatest number of tokens before it ended.
    model, weights : str
        Name of the checkpoint, and the SHA-256 of its weights.
    created : str
        When, as ISO 8601 with time zone.
    """

    image: str
    label: int
    description: str
    looked: str
    question: str
    area_px: int
    top: int
    left: int
    bottom: int
    right: int
    cut_off: bool
    model: str
    weights: str
    created: str


def write_descriptions(path: Path, rows: Iterable[DescriptionRow]) -> None:
    """Write the table, as `napari_sa2va.io.csv_rows` does."""
    write_rows(path, DescriptionRow, rows)
