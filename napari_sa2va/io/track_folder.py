"""The folder in which a tracking is kept while it runs, so that a killed one can go on.

It holds ``job.json`` (which run this is, and what was answered), ``labels.zarr`` (a chunk a plane),
``frames.jsonl`` (a line a frame), ``state.safetensors`` (from which the model goes on) and a lock.
The state is written after the frames before it are on the disk, so what it counts as finished is
there; frames that came later are tracked again.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sa2va.annotation.session.arrays import read, sync_chunks
from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.atomic import replacing
from napari_sa2va.io.track_arrays import create_labels, label_dtype, open_labels
from napari_sa2va.io.track_lock import only_one
from napari_sa2va.io.track_records import FrameRecord, read_records, to_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

    from numpy.typing import NDArray

_JOB: Final = "job.json"
_LABELS: Final = "labels.zarr"
_FRAMES: Final = "frames.jsonl"
_STATE: Final = "state.safetensors"
_LOCK: Final = ".lock"


class FolderRefused(InvalidInput):
    """The folder of a run cannot be read or written, so that the run must end."""


class TrackFolder:
    """A tracking on the disk.

    Parameters
    ----------
    path : Path
        The folder; made when the run begins.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._labels: Any = None
        self._lines: TextIO | None = None
        self._unsynced: set[int] = set()

    # --- which run it is

    @property
    def state_path(self) -> Path:
        """Where the state is, from which the model goes on."""
        return self.path / _STATE

    @property
    def has_state(self) -> bool:
        """Whether there is something to go on from."""
        return self.state_path.is_file()

    def read_job(self) -> dict[str, Any] | None:
        """Return what `write_job` wrote; None where there is no run.

        Raises
        ------
        InvalidInput
            If the folder holds something else.
        """
        if not self.path.exists():
            return None
        job = self.path / _JOB
        try:
            # Names with a point in front: the lock, what a killed run was writing, macOS's own.
            if not job.exists() and all(one.name[0] == "." for one in self.path.iterdir()):
                return None
            said: dict[str, Any] = json.loads(job.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InvalidInput(
                f"{self.path} is not a folder in which a run is kept: it has no {_JOB} that can be "
                "read. Move it away, or choose another --output."
            ) from error
        return said

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes out while the block runs.

        Raises
        ------
        InvalidInput
            If another process is at work here, or the folder holds something else.
        """
        self.read_job()
        with only_one(self.path / _LOCK):
            self._sweep()
            yield

    def _sweep(self) -> None:
        """Delete what an earlier run was writing when it was killed; see `replacing`."""
        with self._told():
            for name in map(Path, (_JOB, _FRAMES, _STATE)):
                for half in self.path.glob(f".{name.stem}-*{name.suffix}"):
                    half.unlink(missing_ok=True)

    def write_job(self, job: dict[str, Any]) -> None:
        """Say which run this is, and what is known of it; the folder is made.

        Raises
        ------
        InvalidInput
            If it cannot be written.
        """
        with replacing(self.path / _JOB) as temporary:
            temporary.write_text(
                json.dumps(job, indent=1, ensure_ascii=False, allow_nan=False), encoding="utf-8"
            )

    def clear(self) -> None:
        """Delete the run that is kept here, and nothing else; the job last.

        Raises
        ------
        InvalidInput
            If the folder holds something else, or cannot be changed.
        """
        if self.read_job() is None:
            return
        with self._told():
            for name in (_STATE, _FRAMES, _LABELS, _JOB):
                _delete(self.path / name)

    # --- frames

    def begin(self, frames: int, shape: tuple[int, int], objects: int, axis: str) -> None:
        """Make room for the labels of a run that starts anew.

        Parameters
        ----------
        frames : int
            Of the whole stack.
        shape : (int, int)
            Height and width.
        objects : int
            How many are followed.
        axis : str
            Name of the stack's axis.
        """
        self.close()
        self._unsynced.clear()
        with self._told():
            _delete(self.state_path)
            _delete(self.path / _LABELS)
            self._labels = create_labels(
                self.path / _LABELS, (frames, *shape), label_dtype(objects), (axis, "y", "x")
            )
            self._lines = (self.path / _FRAMES).open("w", encoding="utf-8")

    def go_on(self, finished: range) -> None:
        """Open what an earlier run left, and drop the frames that its state does not count.

        Parameters
        ----------
        finished : range
            The frames that the state counts as finished.

        Raises
        ------
        InvalidInput
            If one of them is not there, or the folder cannot be used.
        """
        self.close()
        kept = [record for record in self.records() if record.frame in finished]
        if len(kept) < len(finished):
            raise InvalidInput(
                f"{self.path} lacks planes that were finished: somebody has changed it. Start over "
                "with --restart."
            )
        with self._told():
            with replacing(self.path / _FRAMES) as temporary:
                temporary.write_text("".join(map(to_line, kept)), encoding="utf-8")
            self._labels = open_labels(self.path / _LABELS)
            self._lines = (self.path / _FRAMES).open("a", encoding="utf-8")

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the labels; only of a run that is open."""
        dtype: np.dtype[Any] = self._labels.dtype
        return dtype

    def add(self, plane: NDArray[Any], record: FrameRecord) -> None:
        """Keep a frame that is finished.

        Raises
        ------
        FolderRefused
            If the disk refuses; what was kept before is still whole.
        """
        assert self._lines is not None
        with self._told():
            self._labels[record.frame] = plane
            self._unsynced.add(record.frame)
            self._lines.write(to_line(record))

    def save(self, write_state: Callable[[Path], object]) -> None:
        """Keep the state, from which the model goes on, when every frame is on the disk.

        Parameters
        ----------
        write_state : callable
            Writes it to a path, whole or not at all.
        """
        assert self._lines is not None
        with self._told():
            # A chunk a plane. zarr leaves it to the system when they are on the disk.
            sync_chunks(self.path / _LABELS, ((frame, 0, 0) for frame in self._unsynced))
            self._unsynced.clear()
            self._lines.flush()
            os.fsync(self._lines.fileno())
            try:
                write_state(self.state_path)
            except InvalidInput as error:
                raise FolderRefused(str(error)) from error

    def close(self) -> None:
        """Close the files; frames are on the disk then."""
        if self._lines is not None:
            lines, self._lines = self._lines, None
            with self._told():
                lines.close()

    # --- reading it back

    def records(self) -> list[FrameRecord]:
        """Return what is kept of every frame, in their order in the stack.

        A frame that was tracked twice, because the run was killed in between, counts once.
        """
        path = self.path / _FRAMES
        if not path.exists():
            return []
        with self._told("read"):
            by_frame = {record.frame: record for record in read_records(path)}
        return [by_frame[frame] for frame in sorted(by_frame)]

    def planes(self, records: list[FrameRecord]) -> Iterator[NDArray[Any]]:
        """Yield the labels of every plane of the stack; zeros where no record is."""
        with self._told("read"):
            labels = open_labels(self.path / _LABELS)
        kept = {record.frame for record in records}
        nothing = np.zeros(labels.shape[1:], labels.dtype)
        for index in range(labels.shape[0]):
            if index in kept:
                with self._told("read"):
                    plane = read(labels, index)
                yield plane
            else:
                yield nothing

    @contextmanager
    def _told(self, doing: str = "written") -> Iterator[None]:
        try:
            yield
        except OSError as error:
            advice = (
                "Free some space, and give the same command again: it goes on from the last frame "
                "that was saved."
                if doing == "written"
                else "Check the drive, or start over with --restart."
            )
            raise FolderRefused(
                f"{self.path} could not be {doing}: {error.strerror or error}. {advice}"
            ) from error


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
