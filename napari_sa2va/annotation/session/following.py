"""The label array on the disk follows the log, and is made anew where it was damaged."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from napari_sa2va.annotation.session.about import About
from napari_sa2va.annotation.session.arrays import ArrayDamaged, ZarrLabels, create_array
from napari_sa2va.annotation.session.errors import CannotRecord
from napari_sa2va.annotation.session.files import LOG
from napari_sa2va.annotation.session.load import read_entries
from napari_sa2va.annotation.session.log import read_lines
from napari_sa2va.annotation.session.state import BEGUN, replaced_by

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sa2va.annotation.session.about import LabelsInfo
    from napari_sa2va.annotation.session.files import Head
    from napari_sa2va.annotation.session.state import Rows


def follow_log(path: Path, head: Head, rows: Rows, start: int, end: int) -> str:
    """Write what the log says since the last folding into the label array.

    Parameters
    ----------
    path : Path
        The session's folder.
    head : Head
        As of the last folding.
    rows : Rows
        As of then; as of `end` when this returns.
    start, end : int
        Offsets of the log.

    Returns
    -------
    str
        Name of the array: another than the head's where the layer's was replaced, or the one on
        the disk was damaged.

    Raises
    ------
    OSError
        The disk refuses, or the log is not as it was written.
    CannotRecord
        The array is damaged, and what it could be made of is not there any more.
    """
    try:
        return _followed(path, head, rows, start, end)
    except ArrayDamaged as error:
        return _made_anew(path, head, rows, end, error)


def _followed(path: Path, head: Head, rows: Rows, start: int, end: int) -> str:
    name = head.array
    if not head.rows.n:
        array = _new_array(path / name, head.about.labels)
    else:
        array = ZarrLabels(path / name)
    for line in read_lines(path / LOG, start, end):
        entry = line.entry
        if entry is None:
            raise OSError(f"{LOG} is not as it was written")
        replaced = replaced_by(entry)
        if replaced is not None:
            name = f"labels-{entry.n}.zarr"
            array = _new_array(path / name, replaced)
        for patch in entry.patches():
            array.write(patch)
        rows.follow(entry)
    array.sync()
    return name


def _made_anew(path: Path, head: Head, rows: Rows, end: int, damage: ArrayDamaged) -> str:
    """Make the array of all that was ever logged; the rows, which are whole, go on from theirs."""
    # Not the last entry's number: what a disk that refused left of one try, the next one takes.
    name = f"labels-r{head.rows.n}.zarr"
    array: ZarrLabels | None = None
    last = 0
    for entry in read_entries(path, end):
        if entry.n != last + 1:  # what the damaged lines between painted is not known
            array = None
        last = entry.n
        labels = About.read(entry.detail).labels if entry.kind == BEGUN else replaced_by(entry)
        if labels is not None:
            array = _new_array(path / name, labels)
        if array is not None:
            for patch in entry.patches():
                array.write(patch)
        if entry.n > rows.n + 1:
            raise OSError(f"{LOG} is not as it was written")
        if entry.n > rows.n:
            rows.follow(entry)
    if array is None:
        shutil.rmtree(path / name, ignore_errors=True)
        raise CannotRecord(
            f"The labels in {path} are damaged ({damage}) and cannot be rebuilt: lines of its log "
            "are gone. You can go on working, but save the layer to a file of its own."
        ) from damage
    array.sync()
    return name


def _new_array(path: Path, labels: LabelsInfo) -> ZarrLabels:
    shutil.rmtree(path, ignore_errors=True)  # of a folding that was killed
    create_array(path, labels)
    return ZarrLabels(path)
