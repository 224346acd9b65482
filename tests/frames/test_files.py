"""Files open as napari opens them, read lazily, and fail with a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from napari_builtins.io._read import magic_imread

from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames import open_image, parse_contrast, parse_index
from napari_sa2va.viewer import snapshot

if TYPE_CHECKING:
    from pathlib import Path

RNG = np.random.default_rng(5)


def write(path: Path, array: np.ndarray[Any, Any], **options: Any) -> Path:
    if path.suffix == ".tif":
        tifffile.imwrite(path, array, **{"photometric": "minisblack", **options})
    elif path.suffix == ".npy":
        np.save(path, array)
    else:
        imageio.imwrite(path, array)
    return path


CASES: dict[str, tuple[str, tuple[int, ...], str, dict[str, Any]]] = {
    "gray": ("a.tif", (40, 50), "u2", {}),
    "stack in one block": ("a.tif", (5, 40, 50), "u2", {"metadata": {"axes": "ZYX"}}),
    "compressed pages": (
        "a.tif",
        (3, 5, 40, 50),
        "f4",
        {"metadata": {"axes": "TZYX"}, "compression": "zlib"},
    ),
    "imagej hyperstack": (
        "a.tif",
        (3, 2, 40, 50),
        "u2",
        {"imagej": True, "metadata": {"axes": "TCYX"}},
    ),
    "ome, big-endian": (
        "a.tif",
        (2, 3, 40, 50),
        "u2",
        {"ome": True, "byteorder": ">", "metadata": {"axes": "CZYX"}},
    ),
    "tiled": ("a.tif", (80, 90), "i4", {"tile": (32, 32), "compression": "zlib"}),
    "rgb": ("a.tif", (40, 50, 3), "u1", {"photometric": "rgb"}),
    "rgb stack": ("a.tif", (4, 40, 50, 3), "u1", {"photometric": "rgb", "compression": "zlib"}),
    "rgb 16 bit": ("a.tif", (40, 50, 3), "u2", {"photometric": "rgb"}),
    "png gray": ("a.png", (40, 50), "u1", {}),
    "png 16 bit": ("a.png", (40, 50), "u2", {}),
    "png rgb": ("a.png", (40, 50, 3), "u1", {}),
    "png rgba": ("a.png", (40, 50, 4), "u1", {}),
    "jpeg": ("a.jpg", (40, 50, 3), "u1", {}),
    "npy": ("a.npy", (6, 40, 50), "f8", {}),
    "npy bool": ("a.npy", (40, 50), "bool", {}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_file_looks_as_on_opening_it_in_napari(name: str, tmp_path: Path) -> None:
    filename, shape, dtype, options = CASES[name]
    array = (RNG.random(shape) * (1.9 if dtype == "bool" else 200)).astype(dtype)
    path = write(tmp_path / filename, array, **options)
    viewer = ViewerModel()
    layer = viewer.add_image(magic_imread(path))
    shown = snapshot(viewer, [layer]).frames

    file = open_image(path)
    assert file.channel.contrast_limits == pytest.approx(tuple(layer.contrast_limits))
    frames = file.frames()
    assert frames.shape == shown.shape
    np.testing.assert_array_equal(frames[0], shown[0])


def test_axes_are_named_from_metadata(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.tif",
        np.zeros((3, 2, 8, 9), np.uint16),
        imagej=True,
        metadata={"axes": "TCYX"},
    )
    file = open_image(path)
    assert (file.axes, file.leading_shape, file.default_index) == (("t", "c"), (3, 2), (1, 0))
    assert file.title((2, 1)) == "a.tif · t 2 · c 1"
    plain = open_image(write(tmp_path / "b.npy", np.zeros((3, 8, 9))))
    assert plain.axes == ("axis 0",)


def test_an_index_chooses_the_plane(tmp_path: Path) -> None:
    array = RNG.integers(0, 255, (3, 2, 8, 9), dtype=np.uint8)
    for compression in (None, "zlib"):
        path = write(tmp_path / f"{compression}.tif", array, compression=compression)
        for index in [(0, 0), (2, 1)]:
            frame = open_image(path).frames(index)[0]
            np.testing.assert_array_equal(frame[..., 0], array[index])


def test_pages_are_read_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(
        tmp_path / "a.tif", RNG.integers(0, 99, (9, 64, 64), dtype=np.uint8), compression="zlib"
    )
    read: list[int] = []
    original = tifffile.TiffPage.asarray

    def counted(page: Any, *args: Any, **kwargs: Any) -> Any:
        read.append(page.index)
        return original(page, *args, **kwargs)

    monkeypatch.setattr(tifffile.TiffPage, "asarray", counted)
    monkeypatch.setattr(tifffile.TiffFrame, "asarray", counted)
    frames = open_image(path).frames((7,))
    assert read == []
    assert frames[0].shape == (64, 64, 3)
    assert read == [7]


def test_uncompressed_files_are_mapped_not_read(tmp_path: Path) -> None:
    for name in ("a.tif", "a.npy"):
        file = open_image(write(tmp_path / name, np.zeros((4, 8, 9), np.uint8)))
        assert isinstance(file.array, np.memmap)


def test_small_rgb_pictures_are_colour(tmp_path: Path) -> None:
    # napari takes these for a stack, as only the shape tells it; a picture's own header knows.
    file = open_image(write(tmp_path / "a.png", np.full((8, 9, 3), 77, np.uint8)))
    assert file.rgb and file.frames().shape == (8, 9)


def test_gray_with_alpha(tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "a.png"
    Image.new("LA", (5, 4), (200, 0)).save(path)
    file = open_image(path)
    assert file.rgb and file.frames()[0].max() == 0


def test_given_contrast_is_used_and_nothing_is_read(tmp_path: Path) -> None:
    array = np.array([[0, 100, 300], [0, 0, 0]], np.uint16)
    file = open_image(write(tmp_path / "a.npy", array), contrast_limits=(100, 300))
    assert file.frames()[0][0, :, 0].tolist() == [0, 0, 255]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.tif", None, "no file"),
        (".", None, "folder"),
        ("broken.tif", b"nonsense", "cannot be read"),
        ("broken.png", b"nonsense", "damaged, or of a kind"),
        ("broken.npy", b"nonsense", "cannot be read"),
        ("notes.txt", b"nonsense", "cannot be read"),
        ("empty.tif", b"", "cannot be read"),
    ],
)
def test_unreadable_files_say_so(
    name: str, content: bytes | None, words: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidInput, match=words):
        open_image(path)


@pytest.mark.parametrize("shape", [(9,), (), (0, 5)])
def test_data_without_a_plane_says_so(shape: tuple[int, ...], tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="two-dimensional"):
        open_image(write(tmp_path / "a.npy", np.zeros(shape)))


def test_complex_data_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="complex"):
        open_image(write(tmp_path / "a.npy", np.zeros((4, 4), complex)))


def test_pickled_objects_are_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InvalidInput, match="cannot be read"):
        open_image(path)


def test_a_damaged_page_says_so(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.tif", RNG.integers(0, 99, (3, 64, 64), dtype=np.uint8), compression="zlib"
    )
    with tifffile.TiffFile(path) as tiff:
        offset = tiff.pages[1].dataoffsets[0]
    with path.open("r+b") as raw:
        raw.seek(offset)
        raw.write(b"\xff" * 64)
    file = open_image(path)
    with pytest.raises(InvalidInput, match=r"Page 1 of a\.tif"):
        file.frames((1,))[0]


@pytest.mark.parametrize(
    ("index", "words"),
    [((0,), "one number for each"), ((3, 0), "0 to 2"), ((0, -1), "0 to 1"), ((0, 0, 0), "each")],
)
def test_a_wrong_index_says_what_is_there(
    index: tuple[int, ...], words: str, tmp_path: Path
) -> None:
    file = open_image(write(tmp_path / "a.npy", np.zeros((3, 2, 8, 9))))
    with pytest.raises(InvalidInput, match=words):
        file.frames(index)


def test_a_single_plane_takes_no_index(tmp_path: Path) -> None:
    file = open_image(write(tmp_path / "a.npy", np.zeros((8, 9))))
    with pytest.raises(InvalidInput, match="takes no index"):
        file.frames((0,))


def test_options_of_the_command_line() -> None:
    assert parse_index("3") == (3,)
    assert parse_index("0, 12") == (0, 12)
    assert parse_contrast("100,4e3") == (100.0, 4000.0)
    for wrong in ("", "a", "1,-2", "1.5"):
        with pytest.raises(InvalidInput, match="whole numbers"):
            parse_index(wrong)
    for wrong in ("", "1", "2,1", "1,1", "1,2,3", "nan,1", "0,inf"):
        with pytest.raises(InvalidInput, match="two numbers"):
            parse_contrast(wrong)
