"""Reading a session: the state that was folded last, and the log from there on."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sa2va.annotation.session.about import About
from napari_sa2va.annotation.session.arrays import (
    ArrayDamaged,
    MemoryLabels,
    ZarrLabels,
    create_array,
    open_array,
    read,
    read_through,
)
from napari_sa2va.annotation.session.errors import SessionDamaged
from napari_sa2va.annotation.session.files import (
    FIRST_ARRAY,
    HISTORY,
    LOCK,
    LOG,
    SESSION,
    Head,
    read_head,
)
from napari_sa2va.annotation.session.lock import ended_badly
from napari_sa2va.annotation.session.log import LogEntry, read_lines
from napari_sa2va.annotation.session.state import BEGUN, Rows, replaced_by

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_sa2va.annotation.conversation import Turn
    from napari_sa2va.annotation.records import ObjectRecord
    from napari_sa2va.annotation.session.about import LabelsInfo

# Somebody who writes the session may move lines to the history between our two looks.
_TRIES: Final = 3
_PAUSE: Final = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class SessionState:
    """A session as it was after its last action.

    Attributes
    ----------
    path : Path
        The folder.
    about : About
        Image and layer; the layer's array is that of the end.
    created, plugin : str
        When it was begun, and the plugin's version that wrote it.
    n : int
        The number of the last entry of the log.
    records : tuple of ObjectRecord
        By label.
    turns : tuple of Turn
        The conversation.
    ended_badly : bool
        The process that wrote it was killed.
    array : str
        Name of the label array in the folder; empty where all comes from the log.
    entries : tuple of LogEntry
        What the array lacks.
    """

    path: Path
    about: About
    created: str
    plugin: str
    n: int
    records: tuple[ObjectRecord, ...]
    turns: tuple[Turn, ...]
    ended_badly: bool
    array: str
    entries: tuple[LogEntry, ...]

    @property
    def nbytes(self) -> int:
        """Of the label array, in memory."""
        labels = self.about.labels
        return int(np.prod(labels.shape, dtype=np.int64)) * np.dtype(labels.dtype).itemsize

    def labels(self) -> NDArray[Any]:
        """Read the labels into memory.

        Raises
        ------
        SessionDamaged
            The array cannot be read; what can be rebuilt from the log comes along.
        """
        entries, first = self._since_replaced()
        if first is None and self.array:
            try:
                array = np.array(read(open_array(self.path / self.array), ...))
            except ArrayDamaged as error:
                raise self._array_damaged(error) from error
        else:
            array = np.zeros(self.about.labels.shape, np.dtype(self.about.labels.dtype))
        _write(MemoryLabels(array), entries)
        return array

    def copy_labels(self, path: Path) -> Any:
        """Copy the labels to a zarr array of its own, at a place where nothing is.

        Never holds more than a few chunks in memory.

        Returns
        -------
        zarr.Array
            To read and to write.

        Raises
        ------
        SessionDamaged
            As of `labels`.
        OSError
            It cannot be written there.
        """
        entries, first = self._since_replaced()
        if first is None and self.array:
            try:  # before there is half a copy, of files that nobody has looked into
                read_through(open_array(self.path / self.array))
            except ArrayDamaged as error:
                raise self._array_damaged(error) from error
            shutil.copytree(self.path / self.array, path)
        else:
            create_array(path, self.about.labels)
        try:
            copy = ZarrLabels(path)
            _write(copy, entries)
            copy.sync()
        except ArrayDamaged as error:
            raise self._array_damaged(error) from error
        return copy.array

    def _since_replaced(self) -> tuple[Sequence[LogEntry], LabelsInfo | None]:
        """Return the entries since the array was replaced last, and by what."""
        for number in reversed(range(len(self.entries))):
            labels = replaced_by(self.entries[number])
            if labels is not None:
                return self.entries[number:], labels
        return self.entries, None

    def _array_damaged(self, error: Exception) -> SessionDamaged:
        return SessionDamaged(
            f"The labels of the session are damaged: {error}. They are rebuilt from the log.",
            _rebuilt(self.path),
        )


def load(path: Path) -> SessionState:
    """Read a session, whether it was closed, is being written, or its process was killed.

    A line of the log that was cut off is left out: that action had not been completed.

    Raises
    ------
    SessionDamaged
        Something is not as it was written; its `saved` is what can be restored.
    """
    if not path.is_dir():
        raise SessionDamaged(f"{path} is no folder of a session.")
    for _ in range(_TRIES):
        try:
            head = read_head(path)
        except SessionDamaged as error:
            error.saved = _rebuilt(path)
            raise
        entries, damaged = _entries_after(path, head.rows.n)
        if not damaged:
            break
        time.sleep(_PAUSE)
    state = _state(path, head, head.rows, entries)
    if damaged:
        raise SessionDamaged(
            f"{damaged} of {path / LOG} cannot be read. All other actions are restored.", state
        )
    return state


def read_entries(path: Path, end: int | None = None) -> Iterator[LogEntry]:
    """Go through all actions since the session began, the history included.

    Damaged lines are left out.

    Parameters
    ----------
    path : Path
        The session's folder.
    end : int, optional
        Bytes of the log to go through; to its end if left out.

    Raises
    ------
    OSError
        If the files cannot be read.
    """
    last = 0
    for name, stop in ((HISTORY, None), (LOG, end)):
        for line in read_lines(path / name, 0, stop):
            # A move to the history that was killed left lines in both.
            if line.entry is not None and line.entry.n > last:
                last = line.entry.n
                yield line.entry


def _entries_after(path: Path, n: int) -> tuple[list[LogEntry], str]:
    """Return the entries after a number, and what is wrong with the log."""
    entries: list[LogEntry] = []
    damaged = 0
    try:
        for line in read_lines(path / LOG):
            if line.entry is None:
                damaged += not line.last
            elif line.entry.n > n:
                entries.append(line.entry)
    except OSError as error:
        return entries, f"Some actions ({error.strerror or error})"
    expected = range(n + 1, n + 1 + len(entries))
    if not damaged and [entry.n for entry in entries] != list(expected):
        return entries, "Some actions"
    return entries, f"{damaged} actions" if damaged > 1 else "One action" if damaged else ""


def _state(path: Path, head: Head, rows: Rows, entries: Sequence[LogEntry]) -> SessionState:
    about = head.about
    # Before the first folding there is none, or a part of one.
    array = head.array if rows.n else ""
    for entry in entries:
        rows.follow(entry)
        labels = replaced_by(entry)
        if labels is not None:
            about = About(about.images, labels)
    return SessionState(
        path,
        about,
        head.created,
        head.plugin,
        rows.n,
        tuple(rows.records[label] for label in sorted(rows.records)),
        tuple(rows.turns),
        ended_badly(path / LOCK),
        array,
        tuple(entries),
    )


def _rebuilt(path: Path) -> SessionState | None:
    """Rebuild a session from its log and history alone; None where they do not reach back."""
    try:
        entries = list(read_entries(path))
        if not entries or entries[0].kind != BEGUN:
            return None
        first = entries[0]
        head = Head(About.read(first.detail), first.time, FIRST_ARRAY, Rows(), "")
        return _state(path, head, head.rows, entries)
    except (OSError, KeyError, TypeError, ValueError):
        return None


def _write(into: MemoryLabels | ZarrLabels, entries: Sequence[LogEntry]) -> None:
    for entry in entries:
        for patch in entry.patches():
            into.write(patch)


def is_session(path: Path) -> bool:
    """Whether a folder looks like a session."""
    return path.is_dir() and ((path / SESSION).is_file() or (path / LOG).is_file())
