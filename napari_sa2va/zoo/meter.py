"""How far a download is, file by file, and how fast."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from napari_sa2va.zoo.fit import gib

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sa2va.zoo.listing import RemoteFile

# Speed is that of the last few seconds; nobody reads more than ten figures a second.
_WINDOW: Final = 5.0
_OFTEN: Final = 0.1


@dataclass(frozen=True, slots=True)
class FileState:
    """How far one file is; bytes."""

    name: str
    done: int
    size: int


@dataclass(frozen=True, slots=True)
class DownloadState:
    """How far a download is.

    Attributes
    ----------
    what : str
        The checkpoint.
    files : tuple of FileState
        All files of it, in the order in which they are fetched.
    current : str
        Name of the file that is being fetched or checked; empty before the first.
    speed : float
        Bytes a second, of late; 0 while nothing comes.
    note : str
        What it is doing where that is not fetching, such as waiting; else empty.
    """

    what: str
    files: tuple[FileState, ...]
    current: str = ""
    speed: float = 0.0
    note: str = ""

    @property
    def done(self) -> int:
        """Bytes that are here."""
        return sum(file.done for file in self.files)

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(file.size for file in self.files)

    @property
    def fraction(self) -> float:
        """From 0 to 1."""
        return self.done / self.size if self.size else 1.0

    @property
    def text(self) -> str:
        """The state for people, in a line."""
        line = f"Downloading {self.what} ({gib(self.size)})"
        if self.note:
            return f"{line}: {self.note}"
        speed = f" at {self.speed / 1e6:.1f} MB/s" if self.speed else ""
        return f"{line}{speed}"


class Meter:
    """Keeps the state of a download and reports it, not too often.

    Parameters
    ----------
    what : str
    files : sequence of RemoteFile
    report : callable, optional
        Told each new state.
    """

    def __init__(
        self,
        what: str,
        files: tuple[RemoteFile, ...],
        report: Callable[[DownloadState], object] | None = None,
    ) -> None:
        self._what = what
        self._sizes = {file.name: file.size for file in files}
        self._done = dict.fromkeys(self._sizes, 0)
        self._report = report
        self._current = ""
        self._note = ""
        self._recent: deque[tuple[float, int]] = deque()
        self._last_report = 0.0

    def has(self, name: str, done: int) -> None:
        """Note what was here before; it does not count for the speed."""
        self._done[name] = done

    def start(self, name: str) -> None:
        """Turn to a file."""
        self._current, self._note = name, ""
        self._tell(at_once=True)

    def arrived(self, have: int) -> None:
        """Note how many bytes of the current file there are."""
        gained = have - self._done[self._current]
        self._done[self._current] = have
        self._note = ""
        now = time.monotonic()
        if gained > 0:
            self._recent.append((now, gained))
        self._tell(at_once=have == self._sizes[self._current])

    def checked(self, read: int) -> None:
        """Note how many bytes of the current file were checked."""
        size = self._sizes[self._current]
        self._note = f"checking {self._current}, {read / size:.0%}" if size else ""
        self._tell()

    def say(self, note: str) -> None:
        """Tell why nothing comes."""
        self._note = note
        self._recent.clear()
        self._tell(at_once=True)

    def _tell(self, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if self._report is None or (not at_once and now - self._last_report < _OFTEN):
            return
        self._last_report = now
        while self._recent and now - self._recent[0][0] > _WINDOW:
            self._recent.popleft()
        speed = 0.0
        if len(self._recent) > 1 and not self._note:
            passed = max(now - self._recent[0][0], _OFTEN)
            speed = sum(gained for _, gained in self._recent) / passed
        files = tuple(FileState(name, self._done[name], size) for name, size in self._sizes.items())
        self._report(DownloadState(self._what, files, self._current, speed, self._note))
