"""Movies open in the real napari, and only what is looked at is decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest

from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames import MovieArray
from napari_sa2va.frames.movie_decoder import MovieDecoder
from napari_sa2va.io.movie_reader import get_reader, read_movie

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FRAMES = 30


@pytest.fixture
def movie(tmp_path: Path) -> Path:
    """Thirty frames, each of its own brightness, a fifth of a second apart."""
    path = tmp_path / "dividing cells.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        stream.codec_context.gop_size = 10
        for number in range(FRAMES):
            rgb = np.full((48, 64, 3), 20 + 5 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode())
    return path


def test_opened_in_napari(
    movie: Path, make_napari_viewer: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: set[int] = set()
    original = MovieDecoder.upto

    def counted(self: MovieDecoder, number: int) -> Any:
        for at, frame in original(self, number):
            decoded.add(at)
            yield at, frame

    monkeypatch.setattr(MovieDecoder, "upto", counted)
    viewer = make_napari_viewer()
    (layer,) = viewer.open(movie, plugin="napari-sa2va")
    assert isinstance(layer.data, MovieArray)
    assert layer.rgb
    assert layer.name == "dividing cells"
    assert layer.axis_labels == ("t", "y", "x")
    assert layer.scale.tolist() == [0.2, 1, 1]
    assert [str(unit) for unit in layer.units] == ["second", "pixel", "pixel"]
    assert viewer.dims.axis_labels == ("t", "y", "x")
    # The first frame, and the one in view (the middle) with those from its keyframe on.
    assert decoded == {0, 10, 11, 12, 13, 14}

    for number in (25, 3, FRAMES - 1):
        viewer.dims.set_current_step(0, number)
        shown = layer._data_view
        assert abs(float(shown.mean()) - (20 + 5 * number)) < 2
        assert viewer.dims.current_step[0] == number
    assert not {4, 5, 6, 7, 8, 9, 15, 16, 17, 18, 19} & decoded


def test_a_layer_is_duplicated(movie: Path, make_napari_viewer: Callable[[], Any]) -> None:
    from napari.layers._layer_actions import _duplicate_layer

    viewer = make_napari_viewer()
    (layer,) = viewer.open(movie, plugin="napari-sa2va")
    viewer.layers.selection = {layer}
    _duplicate_layer(viewer.layers)
    assert len(viewer.layers) == 2
    np.testing.assert_array_equal(viewer.layers[1].data[7], layer.data[7])


def test_which_files_are_ours(movie: Path) -> None:
    assert get_reader(str(movie)) is read_movie
    assert get_reader(str(movie).upper()) is read_movie
    assert get_reader("cells.tif") is None
    assert get_reader([str(movie)]) is None


def test_a_single_frame_has_no_time(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("rawvideo", rate=5)
        stream.height, stream.width, stream.pix_fmt = 8, 8, "bgr24"
        frame = av.VideoFrame.from_ndarray(np.zeros((8, 8, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    ((data, meta, kind),) = read_movie(str(path))
    assert (data.shape, kind) == ((1, 8, 8, 3), "image")
    assert (meta["scale"][0], meta["units"][0]) == (1.0, "pixel")


def test_a_broken_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"nonsense")
    with pytest.raises(InvalidInput, match=r"a\.mp4 cannot be read as a movie"):
        read_movie(str(path))
