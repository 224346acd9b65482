"""Phrases and images as a table: which are asked for, and what became of each."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.atomic import replacing
from napari_sa2va.io.csv_rows import guarded, unguarded

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

WAITING: Final = "waiting"
FOUND: Final = "found"
NOT_FOUND: Final = "not found"
FAILED: Final = "failed"
_STATUSES: Final = (WAITING, FOUND, NOT_FOUND, FAILED)
_IMAGE: Final = "image"
_PHRASE: Final = "phrase"
_LEFT_OUT: Final = ("-", "\N{EN DASH}", "\N{EM DASH}", "0", "no", "false")  # Excel lengthens dashes
_ASKED: Final = ("", "x", "1", "yes", "true")
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


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a table asks for.

    Attributes
    ----------
    cells : list of Cell
        All waiting, each once, in the order of the table.
    unread : tuple of str
        Columns that mean nothing here.
    """

    cells: list[Cell]
    unread: tuple[str, ...] = ()


def read_wanted(path: Path) -> Wanted:
    """Read which phrases are asked for in which images.

    A CSV (comma, semicolon or tab) whose first row has names. The column ``image`` has paths.
    Either the column ``phrase`` has one phrase a row, or each further column is a phrase by its
    name, asked for in every row but those with ``-`` in it.

    Raises
    ------
    InvalidInput
        If it cannot be read, asks for nothing, or has something in it that could be meant in two
        ways: half a phrase must not be asked for hours.
    """
    names, rows = _table(path)
    if _IMAGE not in names or len(names) < 2:
        raise InvalidInput(
            f"{path.name} needs a first row with the column 'image', and either 'phrase' or a "
            "column for each phrase."
        )
    for name in names:
        if name and names.count(name) > 1:
            raise InvalidInput(f"{path.name} has the column {name!r} twice. Rename one of them.")
    listed = _PHRASE in names
    phrases = [name for name in names if name and name != _IMAGE]
    cells: dict[tuple[str, str], None] = {}
    for line, row in rows:
        image = row[_IMAGE]
        if listed:
            wanted = [row[_PHRASE]]
        elif image:
            wanted = [name for name in phrases if _is_asked(row[name], name, f"{path.name}:{line}")]
        else:
            wanted = list(filter(None, (row[name] for name in phrases)))
        for phrase in wanted:
            if not (plain := " ".join(phrase.split())):
                continue
            if not image:
                raise InvalidInput(f"Line {line} of {path.name} has {plain!r}, but no image.")
            cells[(image, plain)] = None
    if not cells:
        raise InvalidInput(f"{path.name} asks for nothing: it has no image with a phrase.")
    unread = [name for name in phrases if name != _PHRASE] if listed else []
    return Wanted([Cell(image, phrase) for image, phrase in cells], tuple(unread))


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
        found = [_cell_of(row) for _, row in _table(path)[1]]
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
        writer.writerow([_IMAGE, *map(guarded, phrases)])
        for image in images:
            places = [by_place.get((image, phrase)) for phrase in phrases]
            writer.writerow([guarded(image), *(_shortly(cell) for cell in places)])


def _is_asked(mark: str, phrase: str, where: str) -> bool:
    """Read what stands under a phrase in the row of an image."""
    plain = mark.casefold()
    if plain in _ASKED:
        return True
    if plain in _LEFT_OUT:
        return False
    raise InvalidInput(
        f"{where} has {mark!r} under {phrase!r}. Each column but 'image' is a phrase: leave its "
        "cells empty or write x where it is asked for, and - where not. For a phrase in each row "
        "call the column 'phrase'."
    )


def _shortly(cell: Cell | None) -> str:
    if cell is None:
        return _LEFT_OUT[0]
    return str(cell.objects) if cell.is_done else cell.status


def _table(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Return the names of the first row, and each further row by them with the line it ends in."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"{path} cannot be read as a table ({error}). Save it as CSV in UTF-8."
        ) from error
    try:
        heads = {delimiter: _names(text, delimiter) for delimiter in _DELIMITERS}
        # Not the most frequent of them in the line: phrases have commas, too.
        delimiter = max(heads, key=lambda one: (_IMAGE in heads[one], len(heads[one])))
        names = heads[delimiter]
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        next(reader, None)
        rows = []
        for row in reader:
            parts = [part.strip() for part in row]
            if any(parts[len(names) :]):
                raise InvalidInput(
                    f"Line {reader.line_num} of {path.name} has more cells than the first row. Put "
                    "a phrase with a comma between quotation marks."
                )
            parts += [""] * (len(names) - len(parts))
            rows.append((reader.line_num, dict(zip(names, parts, strict=False))))
    except csv.Error as error:
        raise InvalidInput(f"{path} cannot be read as a table ({error}).") from error
    return names, rows


def _names(text: str, delimiter: str) -> list[str]:
    first = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
    names = [" ".join(name.split()) for name in first]
    ours = (_IMAGE, _PHRASE)
    return [name.casefold() if name.casefold() in ours else name for name in names]


def _cell_of(row: dict[str, str]) -> Cell:
    if row["status"] not in _STATUSES:
        raise ValueError(row["status"])
    cell = Cell(unguarded(row["image"]), unguarded(row["phrase"]), row["status"])
    further: dict[str, Any] = {
        name: unguarded(row[name])
        for name in ("answer", "message", "file", "model", "weights", "created")
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
    if isinstance(value, str):
        return guarded(value)
    return f"{value:.6g}" if isinstance(value, float) else value
