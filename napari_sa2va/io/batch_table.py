"""Phrases and images as a table: which are asked for, and what became of each."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.atomic import replacing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WAITING: Final = "waiting"
FOUND: Final = "found"
NOT_FOUND: Final = "not found"
FAILED: Final = "failed"
_STATUSES: Final = (WAITING, FOUND, NOT_FOUND, FAILED)
_IMAGE: Final = "image"
_PHRASE: Final = "phrase"
_LEFT_OUT: Final = "-"
_DELIMITERS: Final = ",;\t"


@dataclass(frozen=True, slots=True)
class Cell:
    """One phrase in one image; fields are the columns, in this order.

    Attributes
    ----------
    image : str
        Path as the table has it.
    phrase : str
    status : str
        ``"waiting"``, ``"found"``, ``"not found"`` or ``"failed"``.
    objects : int
        How many have pixels in the label image.
    labels : tuple of int
        Theirs.
    score : float or None
        Mean of theirs.
    area_px : int
        Sum of their masks.
    answer : str
        The model's words.
    message : str
        What went wrong, or should be known.
    file : str
        Name of the label image.
    model, weights : str
    created : str
        When it was answered.
    """

    image: str
    phrase: str
    status: str = WAITING
    objects: int = 0
    labels: tuple[int, ...] = ()
    score: float | None = None
    area_px: int = 0
    answer: str = ""
    message: str = ""
    file: str = ""
    model: str = ""
    weights: str = ""
    created: str = ""

    @property
    def is_done(self) -> bool:
        """Whether the model has answered; what failed is asked again."""
        return self.status in (FOUND, NOT_FOUND)


def read_wanted(path: Path) -> list[Cell]:
    """Read which phrases are asked for in which images.

    A CSV (comma, semicolon or tab) whose first row has names. The column ``image`` has paths.
    Either the column ``phrase`` has one phrase a row, or each further column is a phrase by its
    name, asked for in every row but those with ``-`` in it.

    Returns
    -------
    list of Cell
        All waiting, each once, in the order of the table.

    Raises
    ------
    InvalidInput
        If it cannot be read, or asks for nothing.
    """
    rows = _rows(path)
    names = list(rows[0]) if rows else []
    if _IMAGE not in names or len(names) < 2:
        raise InvalidInput(
            f"{path.name} needs a first row with the column 'image', and either 'phrase' or a "
            "column for each phrase."
        )
    cells: dict[tuple[str, str], None] = {}
    phrases = [name for name in names if name and name != _IMAGE]
    for row in rows:
        image = (row.get(_IMAGE) or "").strip()
        if not image:
            continue
        if _PHRASE in names:
            wanted = [row.get(_PHRASE) or ""]
        else:
            wanted = [name for name in phrases if (row.get(name) or "").strip() != _LEFT_OUT]
        for phrase in wanted:
            if plain := " ".join(phrase.split()):
                cells[(image, plain)] = None
    if not cells:
        raise InvalidInput(f"{path.name} asks for nothing: it has no image with a phrase.")
    return [Cell(image, phrase) for image, phrase in cells]


def read_cells(path: Path) -> dict[tuple[str, str], Cell]:
    """Read back what `write_cells` wrote, by image and phrase; a file not there has none.

    Raises
    ------
    InvalidInput
        If it is something else.
    """
    if not path.exists():
        return {}
    try:
        found = [_cell_of(row) for row in _rows(path)]
    except (KeyError, ValueError) as error:
        raise InvalidInput(
            f"{path} is not the table of an earlier batch ({error!r}). Move it away, or choose "
            "another --output."
        ) from error
    return {(cell.image, cell.phrase): cell for cell in found}


def write_cells(path: Path, cells: Iterable[Cell]) -> None:
    """Write a row per cell, atomically."""
    names = [field.name for field in fields(Cell)]
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8-sig", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows([_text(getattr(cell, name)) for name in names] for cell in cells)


def write_matrix(path: Path, cells: Sequence[Cell]) -> None:
    """Write images by phrases, atomically: the number of objects, or what else became of a cell."""
    phrases = list(dict.fromkeys(cell.phrase for cell in cells))
    images = list(dict.fromkeys(cell.image for cell in cells))
    by_place = {(cell.image, cell.phrase): cell for cell in cells}
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8-sig", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow([_IMAGE, *phrases])
        for image in images:
            places = [by_place.get((image, phrase)) for phrase in phrases]
            writer.writerow([image, *(_shortly(cell) for cell in places)])


def file_names(images: Sequence[str]) -> dict[str, str]:
    """Return the name of each image's label file; a number is in it where two would be the same."""
    stems = {image: Path(image).name.split(".")[0] or "image" for image in images}
    used = [stem.casefold() for stem in stems.values()]
    return {
        image: f"{stem}{f'-{number}' if used.count(stem.casefold()) > 1 else ''}_labels.tif"
        for number, (image, stem) in enumerate(stems.items(), start=1)
    }


def _shortly(cell: Cell | None) -> str:
    if cell is None:
        return _LEFT_OUT
    return str(cell.objects) if cell.is_done else cell.status


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read as a table in UTF-8 ({error}).") from error
    head = text.split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=head.count)
    try:
        return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise InvalidInput(f"{path} cannot be read as a table ({error}).") from error


def _cell_of(row: dict[str, str]) -> Cell:
    if row["status"] not in _STATUSES:
        raise ValueError(row["status"])
    cell = Cell(row["image"], row["phrase"], row["status"])
    further: dict[str, Any] = {
        name: row[name] for name in ("answer", "message", "file", "model", "weights", "created")
    }
    return replace(
        cell,
        objects=int(row["objects"]),
        labels=tuple(int(label) for label in row["labels"].split()),
        score=float(row["score"]) if row["score"] else None,
        area_px=int(row["area_px"]),
        **further,
    )


def _text(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return f"{value:.6g}" if isinstance(value, float) else value
