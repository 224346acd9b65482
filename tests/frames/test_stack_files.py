"""Stacks of every kind: the axis asked for, planes read one by one, sizes, and plain refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import av
import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile
import zarr
from napari.components import ViewerModel
from napari_builtins.io._read import magic_imread

from napari_sa2va.errors import InvalidInput, UnreadablePlane
from napari_sa2va.frames import open_stack, read_frame

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RNG = np.random.default_rng(11)
DATA = RNG.integers(0, 4000, (4, 3, 40, 50), dtype=np.uint16)
OME = {
    "axes": "TZYX",
    "PhysicalSizeZ": 2.0,
    "PhysicalSizeX": 500.0,
    "PhysicalSizeXUnit": "nm",
    "PhysicalSizeY": 0.25,
    "TimeIncrement": 1.5,
    "TimeIncrementUnit": "min",
}
IMAGEJ = {"axes": "TZYX", "spacing": 2.0, "unit": "um", "finterval": 90.0}


def ome_tiff(path: Path) -> Path:
    tifffile.imwrite(path / "a.ome.tif", DATA, ome=True, metadata=OME, compression="zlib")
    return path / "a.ome.tif"


def imagej_tiff(path: Path) -> Path:
    tifffile.imwrite(path / "a.tif", DATA, imagej=True, metadata=IMAGEJ, resolution=(2, 4))
    return path / "a.tif"


def zarr_array(path: Path) -> Path:
    array = zarr.create_array(
        str(path / "a.zarr"),
        shape=DATA.shape,
        dtype=DATA.dtype,
        chunks=(1, 1, 40, 50),
        dimension_names=("t", "z", "y", "x"),
    )
    array[:] = DATA
    return path / "a.zarr"


def ome_zarr(path: Path, version: int = 3) -> Path:
    group = zarr.open_group(str(path / "a.ome.zarr"), mode="w", zarr_format=version)
    for level in (0, 1):
        data = DATA[..., :: 1 + level, :: 1 + level]
        group.create_array(str(level), data=data, chunks=(1, 1, 20, 25))
    spaces = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    described = [
        {
            "axes": [{"name": "t", "type": "time", "unit": "second"}, *spaces],
            "datasets": [
                {
                    "path": str(level),
                    "coordinateTransformations": [
                        {"type": "scale", "scale": [90.0, 2.0, 0.25 + level, 0.5 + level]}
                    ],
                }
                for level in (0, 1)
            ],
        }
    ]
    if version == 3:
        group.attrs["ome"] = {"version": "0.5", "multiscales": described}
    else:
        group.attrs["multiscales"] = described
    return path / "a.ome.zarr"


def old_ome_zarr(path: Path) -> Path:
    return ome_zarr(path, version=2)


STEPS = {"t": 90.0, "z": 2.0, "y": 0.25, "x": 0.5}
KINDS: dict[Callable[[Path], Path], dict[str, float]] = {
    ome_tiff: STEPS,
    imagej_tiff: STEPS,
    zarr_array: {},
    ome_zarr: STEPS,
    old_ome_zarr: STEPS,
}


def gray(plane: np.ndarray[Any, Any], limits: tuple[float, float]) -> np.ndarray[Any, Any]:
    low, high = limits
    return np.clip((plane.astype(float) - low) / (high - low) * 255, 0, 255)


@pytest.mark.parametrize("write", KINDS, ids=lambda write: write.__name__)
def test_named_axes_and_steps(write: Callable[[Path], Path], tmp_path: Path) -> None:
    path = write(tmp_path)
    limits = float(DATA.min()), float(DATA.max())
    stack = open_stack(path, contrast_limits=limits)
    assert (stack.axis, stack.length, stack.at) == ("t", 4, {"z": 1})
    assert stack.steps == pytest.approx(KINDS[write])
    assert stack.frames.shape == (40, 50)
    for t in range(4):
        assert abs(stack.frames[t][..., 0] - gray(DATA[t, 1], limits)).max() <= 1

    deep = open_stack(path, "z", {"t": 3}, contrast_limits=limits)
    assert (deep.axis, deep.length, deep.at) == ("z", 3, {"t": 3})
    assert deep.title == f"{path.name} · along z · t 3"
    assert abs(deep.frames[2][..., 1] - gray(DATA[3, 2], limits)).max() <= 1
    assert open_stack(path, 1).axis == open_stack(path, "1").axis == "z"


def folder(path: Path) -> Path:
    (path / "planes").mkdir()
    for number, plane in enumerate(DATA[:, 0]):
        tifffile.imwrite(path / "planes" / f"{number}.tif", plane)
    return path / "planes"


@pytest.mark.parametrize("write", [ome_tiff, zarr_array, folder], ids=lambda write: write.__name__)
def test_it_is_drawn_as_napari_draws_it(write: Callable[[Path], Path], tmp_path: Path) -> None:
    path = write(tmp_path)
    layer = ViewerModel().add_image(magic_imread(path))
    channel = open_stack(path).frames.channels[0]
    assert channel.contrast_limits == pytest.approx(tuple(layer.contrast_limits))
    given = open_stack(path, contrast_limits=(5, 9)).frames.channels[0]
    assert given.contrast_limits == (5, 9)


def test_planes_are_read_one_by_one(tmp_path: Path) -> None:
    path = zarr_array(tmp_path)
    for chunk in (path / "c" / "2").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(b"nonsense")
    frames = open_stack(path, "t", contrast_limits=(0, 4000)).frames
    read_frame(frames, 1)
    with pytest.raises(UnreadablePlane, match="Plane 2"):
        read_frame(frames, 2)
    read_frame(frames, 3)


def test_a_movie(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("rawvideo", rate=4)
        stream.height, stream.width, stream.pix_fmt = 40, 50, "bgr24"
        for number in range(5):
            rgb = np.full((40, 50, 3), (10 * number, 0, 200), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode())
    stack = open_stack(path)
    assert (stack.axis, stack.length, stack.at, stack.steps) == ("t", 5, {}, {"t": 0.25})
    assert stack.frames[3][7, 7].tolist() == [30, 0, 200]


def test_a_folder_of_planes_in_natural_order(tmp_path: Path) -> None:
    for number in (1, 2, 9, 10, 11):
        tifffile.imwrite(tmp_path / f"t{number}.tif", np.full((40, 50), number, np.uint16))
    (tmp_path / "notes.txt").write_text("not an image")
    stack = open_stack(tmp_path)
    assert (stack.axis, stack.length) == ("axis 0", 5)
    assert open_stack(tmp_path, "Z").axis == "z"
    assert stack.frames.channels[0].contrast_limits == (0.0, 1.0)
    whole = open_stack(tmp_path, contrast_limits=(0, 255)).frames
    assert [int(whole[i][0, 0, 0]) for i in range(5)] == [1, 2, 9, 10, 11]


def test_a_folder_of_colour_pictures_with_one_of_another_size(tmp_path: Path) -> None:
    for number in range(4):
        sides = (40, 50) if number != 1 else (40, 51)
        imageio.imwrite(tmp_path / f"{number}.png", np.full((*sides, 3), number, np.uint8))
    stack = open_stack(tmp_path)
    assert (read_frame(stack.frames, 3) == 3).all()
    with pytest.raises(UnreadablePlane, match=r"Plane 1 .*1\.png is uint8 of shape \(40, 51, 3\)"):
        read_frame(stack.frames, 1)


def test_a_damaged_first_plane_keeps_nobody_from_the_others(tmp_path: Path) -> None:
    path = zarr_array(tmp_path)
    (path / "c" / "0" / "0" / "0" / "0").write_bytes(b"no chunk")
    with pytest.raises(InvalidInput, match=r"first plane of a\.zarr could not be read.*Contrast"):
        open_stack(path)
    stack = open_stack(path, at={"z": 0}, contrast_limits=(0, 4000))
    assert read_frame(stack.frames, 1).any()
    with pytest.raises(UnreadablePlane, match="Plane 0"):
        read_frame(stack.frames, 0)


def test_an_only_axis_without_a_name_takes_the_one_asked_for(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", DATA[0])
    assert open_stack(tmp_path / "a.npy", "z").axis == "z"
    assert open_stack(tmp_path / "a.npy").axis == "axis 0"
    np.save(tmp_path / "b.npy", DATA)
    with pytest.raises(InvalidInput, match=r"no axis z: it has axis 0 \(4 planes\), axis 1 \(3"):
        open_stack(tmp_path / "b.npy", "z")


def test_channels_are_the_last_to_be_followed_through(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, DATA, ome=True, metadata={"axes": "CZYX"})
    assert open_stack(path).axis == "z"
    tifffile.imwrite(path, DATA[:, :1], ome=True, metadata={"axes": "CZYX"})
    assert open_stack(path).axis == "c"


@pytest.mark.parametrize(
    ("axis", "at", "words"),
    [
        ("q", {}, r"no axis q: it has t \(4 planes\), z \(3 planes\)"),
        ("2", {}, "no axis 2"),
        (-1, {}, "no axis -1"),
        ("t", {"z": 3}, "no plane 3 along z: choose 0 to 2"),
        ("t", {"z": -1}, "no plane -1"),
        ("t", {"t": 1}, "no other axis t to stand at: there are z"),
    ],
)
def test_what_is_not_there(axis: Any, at: dict[str, int], words: str, tmp_path: Path) -> None:
    path = imagej_tiff(tmp_path)
    with pytest.raises(InvalidInput, match=words):
        open_stack(path, axis, at)


def test_one_plane_is_no_stack(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", DATA[0, 0])
    with pytest.raises(InvalidInput, match="one plane only: there is nothing to track"):
        open_stack(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "b.tif", DATA[:, :1], imagej=True, metadata={"axes": "TZYX"})
    assert open_stack(tmp_path / "b.tif").axis == "t"
    with pytest.raises(InvalidInput, match=r"no axis z|one plane only along z"):
        open_stack(tmp_path / "b.tif", "z")


@pytest.mark.parametrize("shape", [(0, 40, 50), (4, 0, 50), (4, 40, 0)])
def test_nothing_to_look_at(shape: tuple[int, ...], tmp_path: Path) -> None:
    zarr.create_array(str(tmp_path / "a.zarr"), shape=shape, dtype="u2", chunks=(1, 1, 1))
    np.save(tmp_path / "a.npy", np.zeros(shape, np.uint16))
    for name in ("a.zarr", "a.npy"):
        with pytest.raises(InvalidInput, match="no two-dimensional plane"):
            open_stack(tmp_path / name)


def test_folders_that_hold_something_else(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="holds no images"):
        open_stack(tmp_path)
    with pytest.raises(InvalidInput, match="no file"):
        open_stack(tmp_path / "missing.tif")
    tifffile.imwrite(tmp_path / "a.tif", DATA[0], photometric="minisblack")
    with pytest.raises(InvalidInput, match=r"a\.tif in .* is a stack itself"):
        open_stack(tmp_path)


def test_zarr_groups_that_are_no_image(tmp_path: Path) -> None:
    group = zarr.open_group(str(tmp_path / "g"), mode="w")
    with pytest.raises(InvalidInput, match="Give one of: nothing"):
        open_stack(tmp_path / "g")
    group.create_array("raw", data=DATA)
    assert open_stack(tmp_path / "g").length == 4
    group.create_array("mask", data=DATA)
    with pytest.raises(InvalidInput, match="Give one of: mask, raw"):
        open_stack(tmp_path / "g")
    (tmp_path / "g" / "zarr.json").write_text("{")
    with pytest.raises(InvalidInput, match="cannot be read as zarr"):
        open_stack(tmp_path / "g")
