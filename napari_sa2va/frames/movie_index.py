"""Which frames a movie file really holds, from its packets: nothing is decoded."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_sa2va.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

    from av.container import InputContainer
    from av.index import IndexEntry
    from av.packet import Packet
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

# Listing the packets reads the file once. Above this many bytes the table that AVI and MP4 have
# of them is believed instead, where it accounts for nearly all of the file.
_LARGE: Final = 64 << 20
_ACCOUNTED_FOR: Final = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class MovieIndex:
    """Frames in the order shown.

    Parameters
    ----------
    times : ndarray of int64, shape (n,)
        When each frame is shown, in ticks; ascending.
    keyframes : tuple of int
        Numbers of the frames that are decoded without the ones before; ascending.
    tick : float
        Seconds.
    timed : bool
        Whether a decoded frame can be told by its time. Else frames are counted from the first.
    """

    times: NDArray[np.int64]
    keyframes: tuple[int, ...]
    tick: float
    timed: bool

    def number_at(self, time: int | None) -> int | None:
        """Return which frame is shown at a time; None where none begins then."""
        if time is None:
            return None
        number = int(np.searchsorted(self.times, time))
        found = number < len(self.times) and self.times[number] == time
        return number if found else None

    def counted(self) -> MovieIndex:
        """Return the index of the same frames, to be told by counting."""
        return replace(self, keyframes=(0,), timed=False)


def open_movie(path: Path) -> tuple[InputContainer, VideoStream]:
    """Open a movie file.

    Returns
    -------
    container
        To be closed.
    stream
        Its first video stream.

    Raises
    ------
    InvalidInput
        No such file, or none with a video stream that FFmpeg knows.
    """
    import av
    from av.error import FFmpegError

    if not path.is_file():
        raise InvalidInput(f"There is no movie file {path}.")
    try:
        container = av.open(str(path))
    except (FFmpegError, OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    if not container.streams.video:
        container.close()
        raise InvalidInput(f"{path.name} holds no video: is it a sound file?")
    # Frames as well as slices in parallel: without it, going through a movie takes twice as long.
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    return container, stream


def read_index(path: Path) -> MovieIndex:
    """List the frames of a movie file.

    Raises
    ------
    InvalidInput
        As `open_movie`, and for a file without a single frame.
    """
    from av.error import FFmpegError

    container, stream = open_movie(path)
    with container:
        tick = float(stream.time_base or 1)
        try:
            entries = _believed(container, stream, path.stat().st_size)
            if entries is not None:
                times = np.array([entry.timestamp for entry in entries], np.int64)
                return MovieIndex(times, tuple(range(len(times))), tick, timed=True)
            packets = [packet for packet in container.demux(stream) if packet.size]
        except MemoryError:
            raise
        except (FFmpegError, OSError, ValueError) as error:
            raise _unreadable(path, error) from error
        # What is cut off in the middle of its last frame has one frame less.
        while packets and packets[-1].is_corrupt:
            packets.pop()
        shown = [packet for packet in packets if not packet.is_discard]
        if not shown:
            raise InvalidInput(
                f"{path.name} holds no frames: it is empty, or was cut short when it was written "
                "or copied. Copy it again from where it came from, or export it anew."
            )
        return _from_packets(shown, tick, stored_times=container.format.name != "avi")


def _from_packets(
    packets: list[Packet[VideoStream]], tick: float, *, stored_times: bool
) -> MovieIndex:
    shown = [packet.pts for packet in packets]
    times = [time for time in shown if time is not None]
    # AVI stores no times; FFmpeg makes them up, rightly so only where the frames are stored in the
    # order shown.
    in_order = stored_times or shown == [packet.dts for packet in packets]
    timed = in_order and len(set(times)) == len(packets)
    if not timed:
        spread = np.linspace(0, max(times, default=len(packets)), len(packets)).astype(np.int64)
        return MovieIndex(spread, (0,), tick, timed=False)
    ascending = np.sort(np.array(times, np.int64))
    keyed = np.array([packet.pts for packet in packets if packet.is_keyframe], np.int64)
    keyframes = sorted({0, *np.searchsorted(ascending, keyed).tolist()})
    return MovieIndex(ascending, tuple(keyframes), tick, timed=True)


def _believed(
    container: InputContainer, stream: VideoStream, file_size: int
) -> list[IndexEntry] | None:
    """Return the file's own table of frames, if all are keyframes and it can be trusted.

    Such files (raw, Motion JPEG, FFV1) are the ones that are large. A header's table may be of
    another length than the file, which was cut or not finished.
    """
    if file_size < _LARGE or not {"avi", "mov"} & set(container.format.name.split(",")):
        return None
    entries = [entry for entry in stream.index_entries if entry.size]
    if not entries or not all(entry.is_keyframe and not entry.is_discard for entry in entries):
        return None
    complete = max(entry.pos + entry.size for entry in entries) <= file_size
    enough = sum(entry.size for entry in entries) >= _ACCOUNTED_FOR * file_size
    times = [entry.timestamp for entry in entries]
    ascending = all(before < after for before, after in itertools.pairwise(times))
    return entries if complete and enough and ascending else None


def _unreadable(path: Path, error: Exception) -> InvalidInput:
    reason = getattr(error, "strerror", None) or str(error)
    return InvalidInput(
        f"{path.name} cannot be read as a movie ({reason}): it is empty, cut short or damaged, or "
        "of a kind that FFmpeg does not know. Copy it again from where it came from, or export it "
        "as MP4 (H.264)."
    )
