"""A movie file as an array whose frames are decoded when they are asked for."""

from __future__ import annotations

import math
import operator
import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames.movie_decoder import LostCount, MovieDecoder
from napari_sa2va.frames.movie_index import read_index

if TYPE_CHECKING:
    from av import VideoFrame
    from numpy.typing import NDArray

MOVIE_SUFFIXES: Final = frozenset({".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm"})

# For frames that were decoded on the way to others: going backward, every frame is decoded from
# the keyframe before it, and without these again and again.
CACHE_BYTES: Final = 128 << 20
# One for who goes through the movie, one for who looks around in it meanwhile.
_DECODERS: Final = 2


class MovieArray:
    """Array over a movie, (t, y, x, 3) uint8, read frame by frame; safe from several threads.

    Frame *n* is the n-th picture stored in the file, in the order shown, whatever the times
    between them and whatever the file's header claims. A rotation by quarters that the file asks
    for is applied; deeper colours are brought to 8 bits by FFmpeg.

    Parameters
    ----------
    path : str or Path
        Any kind that FFmpeg reads. Its packets are listed and its first frame is decoded.
    cache_bytes : int
        Bound on the memory for frames that were decoded on the way to others.

    Raises
    ------
    InvalidInput
        No such file, not a movie, or a damaged one. Indexing raises it for a frame that cannot be
        decoded.
    """

    ndim: Final = 4

    def __init__(self, path: str | Path, *, cache_bytes: int = CACHE_BYTES) -> None:
        self.path = Path(path).absolute()
        self.dtype = np.dtype(np.uint8)
        self._lock = threading.RLock()
        self._kept = _KeptFrames(cache_bytes)
        self._index = read_index(self.path)
        self._decoders: list[MovieDecoder] = []
        height, width = _pixels(self._decoded(0)).shape[:2]
        self.shape: tuple[int, int, int, int] = (len(self._index.times), height, width, 3)

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all frames, were they decoded at once."""
        return self.size

    @property
    def seconds_per_frame(self) -> float | None:
        """Mean time between frames; None for a single one, or where the file has no times."""
        times = self._index.times
        if len(times) < 2:
            return None
        seconds = float(times[-1] - times[0]) * self._index.tick / (len(times) - 1)
        return float(f"{seconds:.6g}") or None  # 0.1, not 0.09999999999999999

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<MovieArray {self.path.name} {self.shape}>"

    def __reduce__(self) -> tuple[type[MovieArray], tuple[Path]]:
        # napari copies the data of a layer that is duplicated, and a lock cannot be copied.
        return type(self), (self.path,)

    def __getitem__(self, index: Any, /) -> NDArray[np.uint8]:
        wanted = index if isinstance(index, tuple) else (index,)
        if not wanted or wanted[0] is Ellipsis:
            missing = self.ndim - len(wanted) + 1 if wanted else self.ndim
            wanted = (*(slice(None),) * missing, *wanted[1:])
        first, inner = wanted[0], wanted[1:]
        if not isinstance(first, slice):
            return self._frame(self._number(first))[inner]
        numbers = range(*first.indices(len(self)))
        if not numbers:
            return np.zeros((0, *self.shape[1:]), np.uint8)[(slice(None), *inner)]
        # Cut one by one: a corner of many frames takes no more memory than that corner.
        return np.stack([self._frame(number)[inner] for number in numbers])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("A movie becomes an array only by being decoded.")
        return self[:].astype(dtype or self.dtype, copy=False)

    def close(self) -> None:
        """Let go of the file and of memory; indexing opens it again."""
        with self._lock:
            for decoder in self._decoders:
                decoder.close()
            self._decoders.clear()
            self._kept.clear()

    def _number(self, index: Any) -> int:
        number = operator.index(index)
        if not -len(self) <= number < len(self):
            raise IndexError(f"there are frames 0 to {len(self) - 1}, not {number}")
        return number % len(self)

    def _frame(self, number: int) -> NDArray[np.uint8]:
        # Converting too: frames share what converts them, and FFmpeg hangs when two threads use it.
        with self._lock:
            return _pixels(self._decoded(number), self.shape[1:3])

    def _decoded(self, number: int) -> VideoFrame:
        frame = self._kept.get(number)
        if frame is not None:
            return frame
        from av.error import FFmpegError

        try:
            return self._decode(number)
        except MemoryError:
            raise
        except (FFmpegError, OSError, ValueError) as error:
            self.close()  # what a decoder does after an error is anyone's guess
            reason = getattr(error, "strerror", None) or str(error)
            raise InvalidInput(
                f"Frame {number} of {self.path.name} cannot be decoded ({reason}): the file is "
                "damaged there. Copy it again from where it came from, or export it anew."
            ) from error

    def _decode(self, number: int) -> VideoFrame:
        try:
            for at, frame in self._decoder_for(number).upto(number):
                self._kept.put(at, frame)
                if at == number:
                    return frame
        except LostCount:
            self.close()
            self._index = self._index.counted()
            return self._decode(number)
        raise ValueError("there is no picture")

    def _decoder_for(self, number: int) -> MovieDecoder:
        """Take the decoder that is on its way there, else a new one or the one longest unused."""
        near = [decoder for decoder in self._decoders if decoder.goes_on_to(number)]
        if near:
            chosen = near[0]
        elif len(self._decoders) < _DECODERS:
            chosen = MovieDecoder(self.path, self._index)
        else:
            chosen = self._decoders[0]
        self._decoders = [*(other for other in self._decoders if other is not chosen), chosen]
        return chosen


class _KeptFrames:
    """The decoded frames used last, as the decoder made them: half the size of RGB."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._held = 0
        self._frames: OrderedDict[int, VideoFrame] = OrderedDict()

    def get(self, number: int) -> VideoFrame | None:
        if number in self._frames:
            self._frames.move_to_end(number)
        return self._frames.get(number)

    def put(self, number: int, frame: VideoFrame) -> None:
        self._held += _bytes(frame) - _bytes(self._frames.pop(number, None))
        self._frames[number] = frame
        while self._held > self._capacity and self._frames:
            self._held -= _bytes(self._frames.popitem(last=False)[1])

    def clear(self) -> None:
        self._frames.clear()
        self._held = 0


def _bytes(frame: VideoFrame | None) -> int:
    return 0 if frame is None else sum(plane.buffer_size for plane in frame.planes)


def _pixels(frame: VideoFrame, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """RGB of a frame, turned as its file asks, at the movie's size where it changes on the way."""
    quarters = round((frame.rotation or 0) / 90) % 4
    height, width = (frame.height, frame.width) if size is None else size
    if size is not None and quarters % 2:
        height, width = width, height
    rgb = frame.to_ndarray(format="rgb24", width=width, height=height)
    return np.ascontiguousarray(np.rot90(rgb, quarters), np.uint8)
