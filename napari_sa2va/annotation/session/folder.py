"""A session that is being written: a folder that holds all that happened, whenever the lights go.

An action goes to the log first, with all that is so after it. The label array, the table and
`session.json` follow now and then, from the log alone (`Session.fold`): what they lack can be had
from the log, and an array that is ahead of `session.json` does no harm, since the log says what
is so and not what changes.

Older lines move to `history.jsonl` whole, so that opening a session takes no longer the older it
is, and yet everything can be rebuilt and every request asked again.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from napari_sa2va.annotation.records import now
from napari_sa2va.annotation.session.errors import CannotRecord, SessionDamaged
from napari_sa2va.annotation.session.files import (
    FIRST_ARRAY,
    HISTORY,
    LOCK,
    LOG,
    SESSION,
    SUFFIX,
    TABLE,
    Head,
    read_head,
    write_head,
    write_table,
)
from napari_sa2va.annotation.session.following import follow_log
from napari_sa2va.annotation.session.history import append_to_history
from napari_sa2va.annotation.session.lock import SessionLock, ended_badly
from napari_sa2va.annotation.session.log import LogEntry, LogWriter, read_lines
from napari_sa2va.annotation.session.state import BEGUN, Rows
from napari_sa2va.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from napari_sa2va.annotation.conversation import Turn
    from napari_sa2va.annotation.records import ObjectRecord
    from napari_sa2va.annotation.session.about import About

LONG_LOG: Final = 1 << 24
"""Bytes of log from which on what is folded moves to the history."""


class Session:
    """The one writer of a session; made by `create_session` or `open_session`.

    `append` belongs to one thread, `fold` may run in another.

    Parameters
    ----------
    path : Path
        The folder.

    Raises
    ------
    SessionInUse
        Another process, or another viewer of this one, writes it.
    SessionDamaged
        It cannot be gone on with as it is.
    OSError
        It cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        badly = ended_badly(path / LOCK)
        self._lock = SessionLock(path / LOCK)
        try:
            self._head = read_head(path)
            rows = self._head.rows
            self._opened = Rows(rows.n, dict(rows.records), list(rows.turns))
            good = self._read_log()
            self.n = self._opened.n
            self._writer = LogWriter(path / LOG, good)
        except BaseException:
            self._lock.release(badly=badly)
            raise
        self._writing = threading.Lock()
        self._folding = threading.Lock()
        self._closed = False
        # Whoever wrote last may not have come to the table: killed, or it was open elsewhere.
        self._table_due = True

    @property
    def about(self) -> About:
        """Which image and layer, as noted last."""
        return self._head.about

    @property
    def records(self) -> dict[int, ObjectRecord]:
        """The rows after the last entry of the log, by label, when the session was opened."""
        return dict(self._opened.records)

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The conversation, as of then."""
        return tuple(self._opened.turns)

    @property
    def is_there(self) -> bool:
        """Whether the folder is still where it was."""
        return (self.path / SESSION).is_file()

    @property
    def folded(self) -> int:
        """The number of the last entry that the label array has."""
        return self._head.rows.n

    def append(
        self,
        kind: str,
        text: str = "",
        *,
        labels: Sequence[int] = (),
        boxes: Sequence[Mapping[str, Any]] = (),
        rows: Mapping[int, ObjectRecord | None] | None = None,
        turns: tuple[int, Sequence[Turn]] | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> LogEntry:
        """Write an entry into the log; it is on the disk when this returns.

        Parameters
        ----------
        kind, text, labels, boxes, rows, detail
            As in `LogEntry`.
        turns : (int, sequence of Turn), optional
            New turns of the conversation, and which turn they begin at.

        Raises
        ------
        CannotRecord
            The disk refuses. The log is as it was, and can be tried again.
        """
        entry = LogEntry(
            self.n + 1,
            now(),
            kind,
            text,
            tuple(labels),
            tuple(boxes),
            rows or {},
            0 if turns is None else turns[0],
            None if turns is None else tuple(turns[1]),
            detail or {},
        )
        with self._writing:
            try:
                self._writer.append(entry)
            except OSError as error:
                raise cannot_record(self.path, error) from error
            self.n = entry.n
        return entry

    def fold(self, about: About | None = None) -> None:
        """Bring label array, table and `session.json` in line with the log.

        Parameters
        ----------
        about : About, optional
            What layer and image are called now, and where they lie.

        Raises
        ------
        CannotRecord
            The disk refuses; the log is untouched. Where it refuses the table alone, all else is
            written.
        """
        with self._folding:
            if self._closed:
                return
            try:
                self._fold(about)
            except (OSError, MemoryError) as error:
                raise cannot_record(self.path, error) from error
            self._write_table()

    def close(self, about: About | None = None) -> None:
        """Fold for the last time, and let others write.

        Raises
        ------
        CannotRecord
            The disk refuses. Others may write all the same; the log has everything.
        """
        try:
            self.fold(about)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Let others write, without a last folding."""
        with self._folding, self._writing:
            self._closed = True
            self._writer.close()
            self._lock.release()

    def _read_log(self) -> int:
        """Follow the log to its end; return where that is.

        What was being written when the process was killed does not count.
        """
        self._folded = good = 0
        for line in read_lines(self.path / LOG):
            if line.entry is None:
                if line.last:
                    break
                raise SessionDamaged(f"A line of {self.path / LOG} is damaged.")
            good = line.end
            if line.entry.n <= self._head.rows.n:
                self._folded = good
            else:
                self._opened.follow(line.entry)
        return good

    def _fold(self, about: About | None) -> None:
        if not self.is_there:
            raise FileNotFoundError(errno.ENOENT, "somebody moved or deleted it")
        with self._writing:
            end = self._writer.size
        head = self._head
        rows = Rows(head.rows.n, dict(head.rows.records), list(head.rows.turns))
        name = head.array
        changed = about is not None and about != head.about
        if end > self._folded:
            name = follow_log(self.path, head, rows, self._folded, end)
            changed = True
        if changed:
            new = Head(about or head.about, head.created, name, rows)
            write_head(self.path, new)
            self._head = new  # not before: what the disk refused is written the next time
            self._table_due = True
        self._folded = end
        if name != head.array:
            shutil.rmtree(self.path / head.array, ignore_errors=True)
        if end > LONG_LOG:
            self._move_to_history(end)

    def _write_table(self) -> None:
        """Write the table, last: Windows refuses it while a spreadsheet has it open."""
        if not self._table_due:
            return
        records = self._head.rows.records
        try:
            write_table(self.path, [records[label] for label in sorted(records)])
        except InvalidInput as error:
            reason = getattr(error.__cause__, "strerror", None) or error
            raise CannotRecord(
                f"{self.path / TABLE} could not be written ({reason}). If another program has it "
                "open, close it there: the table follows by itself then. All else is written."
            ) from error
        self._table_due = False

    def _move_to_history(self, end: int) -> None:
        """Move what is folded out of the log. Killed in between, it is in both."""
        log = self.path / LOG
        append_to_history(log, self.path / HISTORY, end)
        with self._writing:  # what the GUI thread may wait for: the few entries since
            with log.open("rb") as source:
                source.seek(end)
                rest = source.read(self._writer.size - end)
            temporary = log.with_suffix(".tmp")
            with temporary.open("wb") as file:
                file.write(rest)
                file.flush()
                os.fsync(file.fileno())
            self._writer.close()
            os.replace(temporary, log)
            self._writer = LogWriter(log, len(rest))
            self._folded = 0


def create_session(folder: Path, name: str, about: About) -> Session:
    """Make a new session in a folder.

    Parameters
    ----------
    folder : Path
        Made if need be.
    name : str
        Of the session; a number is added where there is one of that name.
    about : About
        Which image and layer.

    Raises
    ------
    CannotRecord
        It cannot be written there.
    """
    temporary = folder / f".{name}-{secrets.token_hex(6)}{SUFFIX}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
        images = tuple(image.seen_from(folder / name) for image in about.images)
        about = type(about)(images, about.labels)
        write_head(temporary, Head(about, now(), FIRST_ARRAY, Rows()))
        path = _renamed(temporary, folder, name)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise cannot_record(folder, error) from error
    try:
        session = open_session(path)
    except CannotRecord:
        shutil.rmtree(path, ignore_errors=True)
        raise
    try:
        session.append(BEGUN, detail=about.detail())
    except BaseException:
        # Tried again every few seconds: each time would leave a folder.
        session.abandon()
        shutil.rmtree(path, ignore_errors=True)
        raise
    return session


def open_session(path: Path) -> Session:
    """Go on with a session.

    Raises
    ------
    SessionInUse, SessionDamaged
        As of `Session`.
    CannotRecord
        It cannot be written.
    """
    try:
        return Session(path)
    except OSError as error:
        raise cannot_record(path, error) from error


def cannot_record(path: Path, error: Exception) -> CannotRecord:
    """Say that recording stopped, and what to do."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return CannotRecord(
        f"The session could not be written to {path} ({reason}). You can go on working: nothing is "
        "lost while napari is open, and recording resumes by itself as soon as the disk allows it."
    )


def _renamed(temporary: Path, folder: Path, name: str) -> Path:
    """Give a folder its name, or the next one that is free."""
    number = 1
    while True:
        path = folder / (f"{name}{SUFFIX}" if number == 1 else f"{name}-{number}{SUFFIX}")
        if not path.exists():
            with suppress(FileExistsError):
                temporary.rename(path)
                return path
        number += 1
