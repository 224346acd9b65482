"""Movies are read frame by frame: the right frame whatever the order, the times and the header."""

from __future__ import annotations

import copy
import random
import threading
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest

from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames import MovieArray, movie_index
from napari_sa2va.frames.movie import MovieDecoder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FRAMES = 40
SIZE = (48, 64)


def encode(
    path: Path,
    codec: str,
    *,
    frames: int = FRAMES,
    pixels: str = "yuv420p",
    b_frames: int | None = None,
    gop: int = 12,
    time: Callable[[int], int] = lambda number: number,
    rotation: int = 0,
    image: np.ndarray[Any, Any] | None = None,
) -> Path:
    """Write a movie in which every frame carries its number as brightness; time in tenths."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.height, stream.width = SIZE if image is None else image.shape[:2]
        stream.pix_fmt = pixels
        stream.codec_context.gop_size = gop
        stream.bit_rate = 2_000_000
        stream.codec_context.time_base = Fraction(1, 10)
        if b_frames is not None:
            stream.codec_context.max_b_frames = b_frames
        if rotation:
            stream.set_display_rotation(rotation)
        for number in range(frames):
            rgb = np.full((*SIZE, 3), 20 + 5 * number, np.uint8) if image is None else image
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts, frame.time_base = time(number), Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def number_in(frame: np.ndarray[Any, Any]) -> int:
    return round((float(frame.mean()) - 20) / 5)


KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "h264": ("a.mp4", "libx264", {}),
    "h264, first time is not 0": ("a.mov", "libx264", {"time": lambda number: number + 33}),
    "h264, uneven times": ("a.mkv", "libx264", {"time": lambda n: n * n // 3 + n + 7}),
    "h264 in avi, which has no times": ("a.avi", "libx264", {}),
    "mpeg4 with b frames in avi": ("a.avi", "mpeg4", {"b_frames": 2}),
    "motion jpeg": ("a.avi", "mjpeg", {"pixels": "yuvj420p"}),
    "raw": ("a.avi", "rawvideo", {"pixels": "bgr24"}),
    "ffv1": ("a.mkv", "ffv1", {"pixels": "bgr0"}),
    "vp9": ("a.webm", "libvpx-vp9", {}),
    "one long group": ("a.m4v", "libx264", {"gop": 1000}),
}


@pytest.fixture(params=KINDS)
def movie(request: pytest.FixtureRequest, tmp_path: Path) -> MovieArray:
    name, codec, options = KINDS[request.param]
    return MovieArray(encode(tmp_path / name, codec, **options))


def test_every_frame_is_found_in_any_order(movie: MovieArray) -> None:
    assert movie.shape == (FRAMES, *SIZE, 3)
    assert (movie.ndim, movie.dtype, movie.size) == (4, np.uint8, FRAMES * 48 * 64 * 3)
    forward = list(range(FRAMES))
    shuffled = random.Random(4).sample(forward, FRAMES)
    for order in (forward, forward[::-1], shuffled):
        movie.close()  # nothing kept from the order before
        assert [number_in(movie[i]) for i in order] == order


def test_nothing_kept_is_as_good(tmp_path: Path) -> None:
    movie = MovieArray(encode(tmp_path / "a.mp4", "libx264"), cache_bytes=0)
    for number in (30, 3, 29, 30, 30, 0, 39, 38):
        assert number_in(movie[number]) == number


def test_indexing_is_that_of_an_array(tmp_path: Path) -> None:
    movie = MovieArray(encode(tmp_path / "a.mp4", "libx264", frames=9))
    whole = np.asarray(movie)
    assert whole.shape == movie.shape == (len(movie), *SIZE, 3)
    for index in [
        3,
        -1,
        np.int64(2),
        slice(None),
        slice(7, 2, -2),
        slice(5, 5),
        ...,
        (),
        (4, slice(2, 9), 3),
        (slice(1, 4), slice(None), slice(0, 9, 2), 0),
        (..., slice(0, 2)),
        (slice(3, 3), 2),
    ]:
        np.testing.assert_array_equal(movie[index], whole[index], err_msg=str(index))
        assert movie[index].dtype == np.uint8
    for wrong in (9, -10):
        with pytest.raises(IndexError):
            movie[wrong]
    with pytest.raises(TypeError):
        movie["t"]


def test_times(tmp_path: Path) -> None:
    even = MovieArray(encode(tmp_path / "a.mp4", "libx264", time=lambda n: n + 50))
    assert even.seconds_per_frame == 0.1
    single = MovieArray(encode(tmp_path / "b.mp4", "libx264", frames=1))
    assert single.seconds_per_frame is None


def test_a_header_that_lies_about_the_number_of_frames(tmp_path: Path) -> None:
    # AVI's header counts ticks of its clock: an hour-long time lapse claims to have many.
    path = encode(tmp_path / "a.avi", "mjpeg", pixels="yuvj420p", time=lambda n: 10 * n)
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames > FRAMES
    movie = MovieArray(path)
    assert len(movie) == FRAMES
    assert number_in(movie[-1]) == FRAMES - 1


def test_going_through_decodes_each_frame_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = encode(tmp_path / "a.mp4", "libx264", gop=1000)
    decoded = count_decoded(monkeypatch)
    movie = MovieArray(path)
    for number in range(FRAMES):
        movie[number]
    assert decoded == list(range(FRAMES))
    movie.close()
    decoded.clear()
    for number in reversed(range(FRAMES)):  # all from one keyframe, and kept
        movie[number]
    assert decoded == list(range(FRAMES))


def test_looking_around_does_not_hold_up_who_goes_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    movie = MovieArray(encode(tmp_path / "a.mp4", "libx264", gop=1000), cache_bytes=0)
    decoded = count_decoded(monkeypatch)
    for number in range(1, 10):
        movie[number]
        movie[number + 20]
    assert len(decoded) < 50


def count_decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    decoded: list[int] = []
    original = MovieDecoder.upto

    def counted(self: MovieDecoder, number: int) -> Any:
        for at, frame in original(self, number):
            decoded.append(at)
            yield at, frame

    monkeypatch.setattr(MovieDecoder, "upto", counted)
    return decoded


def test_memory_kept_is_bounded(tmp_path: Path) -> None:
    one = 48 * 64 * 3 // 2
    movie = MovieArray(encode(tmp_path / "a.mp4", "libx264"), cache_bytes=8 * one)
    for number in range(FRAMES):
        movie[number]
    assert 1 <= len(movie._kept._frames) <= 8
    assert movie._kept._held <= 8 * one


def test_several_threads(tmp_path: Path) -> None:
    movie = MovieArray(encode(tmp_path / "a.mp4", "libx264"), cache_bytes=10_000)
    wrong: list[int] = []

    def look(seed: int) -> None:
        order = random.Random(seed).sample(range(FRAMES), 20)
        wrong.extend(number for number in order if number_in(movie[number]) != number)

    threads = [threading.Thread(target=look, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_turned_movie_stands_upright(tmp_path: Path) -> None:
    image = np.zeros((*SIZE, 3), np.uint8)
    image[:12, :12] = 255  # top left as stored; turned left by a quarter, bottom left
    movie = MovieArray(encode(tmp_path / "a.mp4", "libx264", rotation=90, frames=3, image=image))
    assert movie.shape == (3, 64, 48, 3)
    assert movie[1, 56:, :8].min() > 200
    assert movie[1, :50].max() < 50


def test_it_can_be_copied(tmp_path: Path) -> None:
    movie = MovieArray(encode(tmp_path / "a.mp4", "libx264", frames=5))
    again = copy.deepcopy(movie)
    movie.close()
    assert again.shape == movie.shape
    assert number_in(again[4]) == number_in(movie[4]) == 4


def test_large_files_with_keyframes_only_are_not_read_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = encode(tmp_path / "a.avi", "rawvideo", pixels="bgr24")
    cut = tmp_path / "cut.avi"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    monkeypatch.setattr(movie_index, "_LARGE", 0)
    monkeypatch.setattr(
        movie_index, "_from_packets", lambda *_, **__: pytest.fail("the file was read through")
    )
    movie = MovieArray(path)
    assert len(movie) == FRAMES
    assert [number_in(movie[i]) for i in (39, 0, 17)] == [39, 0, 17]
    monkeypatch.undo()
    assert 15 <= len(MovieArray(cut)) <= 20


@pytest.mark.parametrize("kind", ["h264, uneven times", "motion jpeg", "vp9", "raw"])
def test_a_file_that_was_cut_has_the_frames_before_the_cut(kind: str, tmp_path: Path) -> None:
    name, codec, options = KINDS[kind]
    path = encode(tmp_path / name, codec, **options)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    movie = MovieArray(path)
    assert 5 < len(movie) < FRAMES
    assert [number_in(frame) for frame in movie[:]] == list(range(len(movie)))


def test_a_damaged_frame_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.avi", "mjpeg", pixels="yuvj420p")
    with av.open(str(path)) as container:
        packet = [p for p in container.demux(video=0) if p.size][7]
        assert packet.pos is not None
        start, length = packet.pos + 8, packet.size
    with path.open("r+b") as raw:
        raw.seek(start)
        raw.write(b"\x00" * (length - 8))
    movie = MovieArray(path)
    assert len(movie) == FRAMES
    with pytest.raises(InvalidInput, match=r"Frame 7 of a\.avi cannot be decoded \(.*damaged"):
        movie[7]
    assert [number_in(movie[i]) for i in (6, 8, 39)] == [6, 8, 39]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no movie file"),
        (b"", "cannot be read as a movie"),
        (b"nonsense" * 99, "cannot be read as a movie"),
    ],
)
def test_what_is_no_movie_says_so(content: bytes | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidInput, match=words):
        MovieArray(path)


def test_a_movie_without_its_table_says_so(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", "libx264")  # the table is at the end of the file
    path.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(InvalidInput, match=r"a\.mp4"):
        MovieArray(path)


def test_sound_alone_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.m4v"
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16_000)
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate, frame.pts = 16_000, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(InvalidInput, match="no video"):
        MovieArray(path)
