"""Rows of one kind as CSV, for people, spreadsheets and pandas."""

from __future__ import annotations

import csv
import math
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from napari_sa2va.io.atomic import replacing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def write_rows(path: Path, kind: type[Any], rows: Iterable[Any]) -> None:
    """Write rows as CSV (UTF-8, comma, full stop as the decimal sign), atomically.

    What is not known (nan, None) is left empty; several values stand with spaces between; yes and
    no are 1 and 0. It begins with a byte order mark, without which Excel takes no text for UTF-8,
    and texts are `guarded`.

    Parameters
    ----------
    path : Path
    kind : type
        Of the rows: a dataclass, whose fields are the columns.
    rows : iterable

    Raises
    ------
    InvalidInput
        If it cannot be written.
    """
    names = [field.name for field in fields(kind)]
    with (
        replacing(path) as temporary,
        # Names of files may have bytes that are no text.
        temporary.open("w", encoding="utf-8-sig", errors="replace", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows([_cell(getattr(row, name)) for name in names] for row in rows)


def guarded(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: such begin with an apostrophe then."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def unguarded(text: str) -> str:
    """Take the apostrophe of `guarded` away again."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text


def _cell(value: Any) -> str | int:
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    if isinstance(value, bool):
        return int(value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        return guarded(value)
    return f"{value:.6g}" if isinstance(value, float) else value
