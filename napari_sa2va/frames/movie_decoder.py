"""Decoding a movie from wherever a frame is reached soonest."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final

from napari_sa2va.frames.movie_index import open_movie

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

    from napari_sa2va.frames.movie_index import MovieIndex

# Up to here, decoding on is cheaper than seeking, which throws away what decoder threads did ahead.
_SHORT_WAY: Final = 8


class LostCount(Exception):
    """A decoded frame has a time that no packet had, or comes out of order."""


class MovieDecoder:
    """An open movie file and a place in it. Not to be used by two threads at once."""

    def __init__(self, path: Path, index: MovieIndex) -> None:
        self._path = path
        self._index = index
        self._container: InputContainer | None = None
        self._stream: VideoStream | None = None
        self._coming: Iterator[VideoFrame] = iter(())
        self._position = -1
        """Frame that was decoded last; -1 if none since the file was opened or searched."""

    def goes_on_to(self, number: int) -> bool:
        """Whether decoding on is the shortest way to a frame."""
        if self._position < 0 or number <= self._position:
            return False
        keys = self._index.keyframes
        nearest = keys[bisect_right(keys, number) - 1]
        return number - self._position <= _SHORT_WAY or nearest <= self._position

    def upto(self, number: int) -> Iterator[tuple[int, VideoFrame]]:
        """Decode frames until `number` is reached; yield them with their numbers.

        Yields
        ------
        int, VideoFrame
            The frame asked for is the last; if it is missing, the file holds no picture for it.

        Raises
        ------
        LostCount
            Frames cannot be told by their times.
        av.error.FFmpegError
            What cannot be decoded.
        """
        from av.error import FFmpegError

        failure: FFmpegError | None = None
        for start in self._starts(number):
            try:
                if start is not None:
                    self._go_to(start)
                for frame in self._coming:
                    self._position = self._number_of(frame)
                    if self._position > number:
                        break  # the search ended behind what was asked for
                    yield self._position, frame
                    if self._position == number:
                        return
            except FFmpegError as error:
                # Perhaps a damaged frame on the way, and another start lies behind it.
                failure = error
        if failure is not None:
            raise failure

    def close(self) -> None:
        """Close the file."""
        if self._container is not None:
            self._container.close()
        self._container = self._stream = None
        self._coming, self._position = iter(()), -1

    def _starts(self, number: int) -> Iterator[int | None]:
        """Where to start from, the best first; None is from here on."""
        if self.goes_on_to(number):
            yield None
        keys = self._index.keyframes
        nearest = bisect_right(keys, number) - 1
        # Containers are searched by decoding times, which may lead to the keyframe after.
        yield from (keys[place] for place in range(nearest, max(nearest - 3, 0), -1))
        yield 0

    def _go_to(self, start: int) -> None:
        """Search for a keyframe; for the first one open the file anew, which needs no search."""
        if start == 0 or self._container is None or self._stream is None:
            self.close()
            self._container, self._stream = open_movie(self._path)
        if start:
            self._container.seek(int(self._index.times[start]), stream=self._stream)
        self._coming = self._container.decode(self._stream)
        self._position = -1

    def _number_of(self, frame: VideoFrame) -> int:
        if not self._index.timed:
            return self._position + 1
        number = self._index.number_at(frame.pts)
        if number is None or number <= self._position:
            raise LostCount
        return number
