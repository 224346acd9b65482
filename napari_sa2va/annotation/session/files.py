"""Names and small files of a session's folder."""

from __future__ import annotations

import csv
import json
import math
import os
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import napari_sa2va
from napari_sa2va.annotation.records import ObjectRecord, frames_text
from napari_sa2va.annotation.session.about import About
from napari_sa2va.annotation.session.errors import SessionDamaged
from napari_sa2va.annotation.session.log import json_text
from napari_sa2va.annotation.session.state import Rows
from napari_sa2va.io.atomic import replacing
from napari_sa2va.io.csv_rows import guarded

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SUFFIX: Final = ".sa2va"
SESSION: Final = "session.json"
LOG: Final = "log.jsonl"
HISTORY: Final = "history.jsonl"
TABLE: Final = "objects.csv"
LOCK: Final = "lock"
FIRST_ARRAY: Final = "labels.zarr"
_FORMAT: Final = "napari-sa2va session"
_VERSION: Final = 1


@dataclass(slots=True)
class Head:
    """What `SESSION` says.

    Attributes
    ----------
    about : About
    created : str
        When the session was begun.
    array : str
        Name of the label array in the folder; there from the first folding on.
    rows : Rows
        All entries up to ``rows.n`` are in here and in the array.
    plugin : str
        The version that wrote it.
    """

    about: About
    created: str
    array: str
    rows: Rows
    plugin: str = napari_sa2va.__version__


def write_head(folder: Path, head: Head) -> None:
    """Write `SESSION`, whole or not at all; it is on the disk when this returns.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    said = {
        "format": _FORMAT,
        "version": _VERSION,
        "plugin": napari_sa2va.__version__,
        "created": head.created,
        **head.about.detail(),
        "array": head.array,
        **head.rows.detail(),
    }
    path = folder / SESSION
    temporary = path.with_suffix(".tmp")
    with temporary.open("w", encoding="utf-8", errors="replace") as file:
        file.write(json_text(said, indent=1))
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def read_head(folder: Path) -> Head:
    """Read `SESSION`.

    Raises
    ------
    SessionDamaged
        If it is not there, not of this format, or of a later version.
    """
    path = folder / SESSION
    try:
        said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if said.get("format") != _FORMAT:
            raise KeyError("format")
        version = int(said["version"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SessionDamaged(f"{path} cannot be read ({error!r}).") from error
    if version > _VERSION:
        raise SessionDamaged(
            f"{folder.name} was written by napari-sa2va {said.get('plugin')}, in a form that this "
            f"version ({napari_sa2va.__version__}) does not know. Update the plugin."
        )
    try:
        return Head(
            About.read(said), said["created"], said["array"], Rows.read(said), said["plugin"]
        )
    except (ValueError, KeyError, TypeError) as error:
        raise SessionDamaged(f"{path} cannot be read ({error!r}).") from error


def write_table(folder: Path, records: Iterable[ObjectRecord]) -> None:
    """Write the rows as CSV, for people and spreadsheets: nothing is read back from it.

    Raises
    ------
    InvalidInput
        If it cannot be written.
    """
    names = [one.name for one in fields(ObjectRecord)]
    with (
        replacing(folder / TABLE) as temporary,
        temporary.open("w", encoding="utf-8-sig", errors="replace", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows([_cell(getattr(record, name)) for name in names] for record in records)


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    if isinstance(value, tuple):
        return frames_text(value)
    if isinstance(value, str):
        return guarded(value)
    return "" if value is None else value
