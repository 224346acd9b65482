"""What a model said of the labels of one image, as a table."""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.csv_rows import unguarded, write_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_NUMBERS: Final = ("label", "area_px", "top", "left", "bottom", "right")


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


def read_descriptions(path: Path) -> list[DescriptionRow]:
    """Read back what `write_descriptions` wrote; a file that is not there has no rows.

    Raises
    ------
    InvalidInput
        If it is something else.
    """
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [_row_of(said) for said in csv.DictReader(file, restval="")]
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise InvalidInput(
            f"{path} is not a table of descriptions ({error!r}). Move it away, or choose another "
            "--output."
        ) from error


def _row_of(said: Mapping[str, str]) -> DescriptionRow:
    row: dict[str, Any] = {one.name: unguarded(said[one.name]) for one in fields(DescriptionRow)}
    row |= {name: int(row[name]) for name in _NUMBERS}
    return DescriptionRow(**row | {"cut_off": row["cut_off"] == "1"})
