"""Frames are read when asked for, and no more of them than is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import pytest
import zarr

from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames import ArrayFrames, Channel, ImageFrames, Orientation, Region

if TYPE_CHECKING:
    from numpy.typing import NDArray

BYTES = Channel((0, 255))


class Counting:
    """An array that remembers what was read of it."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array
        self.shape, self.dtype, self.ndim, self.size = (
            array.shape,
            array.dtype,
            array.ndim,
            array.size,
        )
        self.read: list[Any] = []

    def __getitem__(self, index: Any, /) -> NDArray[Any]:
        self.read.append(index)
        return np.asarray(self._array[index])

    def __array__(self, *_: Any, **__: Any) -> NDArray[Any]:
        raise AssertionError("the whole array was read")


def stack() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 255, (4, 3, 20, 30), dtype=np.uint8)


def test_reads_one_region_of_one_plane() -> None:
    data = stack()
    counting = Counting(data)
    frames = ArrayFrames([counting], [BYTES], [(2, 1, None, None)], Region(5, 7, 15, 20))
    assert counting.read == []
    assert frames.shape == (10, 13) and len(frames) == 1
    frame = frames[0]
    assert counting.read == [(2, 1, slice(5, 15), slice(7, 20))]
    np.testing.assert_array_equal(frame, np.repeat(data[2, 1, 5:15, 7:20, None], 3, axis=2))


def test_dask_computes_only_the_chunks_of_the_region() -> None:
    computed = []

    def block(block_info: Any = None) -> NDArray[np.uint8]:
        computed.append(tuple(block_info[None]["chunk-location"]))
        return np.ones((1, 8, 8), np.uint8)

    lazy = da.map_blocks(block, chunks=((1,) * 6, (8,) * 4, (8,) * 4), dtype=np.uint8)
    frames = ArrayFrames([lazy], [BYTES], [(4, None, None)], Region(8, 9, 16, 20))
    frame = frames[0]
    assert frame.shape == (8, 11, 3)
    assert sorted(computed) == [(4, 1, 1), (4, 1, 2)]


def test_zarr_and_memory_give_the_same_frame() -> None:
    data = stack()
    stored = zarr.array(data, chunks=(1, 1, 10, 10))
    for plane in [(0, 2, None, None), (None, 2, 7, None), (1, None, None, 9)]:
        lazy = ArrayFrames([stored], [BYTES], [plane])[0]
        np.testing.assert_array_equal(lazy, ArrayFrames([data], [BYTES], [plane])[0])


def test_several_planes_are_several_frames() -> None:
    data = stack()
    frames = ArrayFrames([data], [BYTES], [(t, 0, None, None) for t in range(4)])
    assert len(frames) == 4
    np.testing.assert_array_equal(frames[3][..., 0], data[3, 0])
    with pytest.raises(IndexError):
        frames[4]


def test_the_frame_is_cropped_then_turned() -> None:
    data = stack()[0, 0]
    turn = Orientation(transpose=True, flip_columns=True)
    frames = ArrayFrames([data], [BYTES], [(None, None)], Region(0, 0, 4, 9), turn)
    assert frames.shape == (9, 4)
    frame = frames[0]
    assert frame.flags.c_contiguous
    np.testing.assert_array_equal(frame[..., 0], data[:4, :9].T[:, ::-1])


def test_colour_axis_is_read_whole() -> None:
    data = np.random.default_rng(0).integers(0, 255, (5, 20, 30, 3), dtype=np.uint8)
    frames = ArrayFrames([data], [BYTES], [(2, None, None)], Region(1, 2, 9, 8), rgb=[True])
    np.testing.assert_array_equal(frames[0], data[2, 1:9, 2:8])


def test_frames_stay_as_they_were_taken() -> None:
    frames = ArrayFrames([stack()], [BYTES], [(0, 0, None, None)])
    with pytest.raises(AttributeError):
        frames.region = None  # type: ignore[misc]


@pytest.mark.parametrize(
    ("array", "plane", "region", "words"),
    [
        (np.ones(9), (None,), None, "two-dimensional"),
        (np.ones((0, 9)), (None, None), None, "no pixels"),
        (np.ones((3, 9, 9)), (3, None, None), None, "planes 0 to 2"),
        (np.ones((3, 9, 9)), (-1, None, None), None, "planes 0 to 2"),
        (np.ones((3, 9, 9)), (None, None), None, "3 axes"),
        (np.ones((9, 9)), (None, None), Region(0, 0, 10, 9), "beyond"),
        (np.ones((9, 9), complex), (None, None), None, "complex"),
    ],
)
def test_what_has_no_frame_is_refused(
    array: NDArray[Any], plane: tuple[int | None, ...], region: Region | None, words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        ArrayFrames([array], [BYTES], [plane], region)


def test_channels_must_share_one_grid() -> None:
    with pytest.raises(InvalidInput, match="one size"):
        ArrayFrames([np.ones((9, 9)), np.ones((9, 8))], [BYTES, BYTES], [(None, None)])
    colour = np.ones((9, 9, 3))
    assert len(
        ArrayFrames([colour, np.ones((9, 9))], [BYTES] * 2, [(None, None)], rgb=[True, False])
    )


def test_image_frames_hold_one_rgb_image() -> None:
    image = np.zeros((4, 5, 3), np.uint8)
    frames = ImageFrames(image)
    assert (len(frames), frames.shape) == (1, (4, 5))
    assert frames[0] is image
    with pytest.raises(IndexError):
        frames[1]
    for wrong in (image[..., 0], image.astype(float), image[:0]):
        with pytest.raises(InvalidInput):
            ImageFrames(wrong)
