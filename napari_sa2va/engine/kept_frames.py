"""Frames and masks as plain JSON: how pixels were drawn, but not the pixels."""

from __future__ import annotations

import base64
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.annotation.packed import PackedMask
from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames import ArrayFrames, Channel, Orientation, Region
from napari_sa2va.frames.render import GRAY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_sa2va.frames.source import ArrayLike, FrameSource, PlaneIndex

    Detail = dict[str, Any]


def mask_detail(mask: PackedMask) -> Detail:
    """Return a mask as JSON has it: its bits compressed, in base 64."""
    return {
        "shape": list(mask.shape),
        "box": [edge for side in mask.box for edge in (side.start, side.stop)],
        "bits": _text(mask.bits),
        "area": mask.area,
    }


def mask_from(said: Mapping[str, Any]) -> PackedMask:
    """Return the mask that `mask_detail` told of."""
    top, bottom, left, right = said["box"]
    height, width = said["shape"]
    box = slice(top, bottom), slice(left, right)
    return PackedMask((height, width), box, _bytes(said["bits"]), said["area"])


def logits_detail(logits: NDArray[np.float32]) -> Detail:
    """Return logits, float32, as JSON has them: rounded to half precision, 11 bits of each.

    They tell SAM2 where its last answer stood, and take tens of kilobytes as it is.
    """
    halves = np.asarray(logits).astype(np.float16)
    # The bytes of one weight beside each other compress better.
    planes = np.ascontiguousarray(halves.view(np.uint8).reshape(-1, 2).T)
    return {"shape": list(halves.shape), "values": _text(planes)}


def logits_from(said: Mapping[str, Any]) -> NDArray[np.float32]:
    """Return the logits that `logits_detail` told of."""
    planes = np.frombuffer(_bytes(said["values"]), np.uint8).reshape(2, -1)
    halves = np.ascontiguousarray(planes.T).view(np.float16)
    return halves.reshape(said["shape"]).astype(np.float32)


def frames_detail(frames: FrameSource) -> Detail:
    """Return how frames are made of arrays; of frames of another kind, their size and number."""
    detail: Detail = {"shape": list(frames.shape), "count": len(frames)}
    if not isinstance(frames, ArrayFrames):
        return detail
    assert frames.region is not None  # set by ArrayFrames
    region, turned = frames.region, frames.orientation
    return detail | {
        "planes": _planes_detail(frames.planes),
        "region": [region.top, region.left, region.bottom, region.right],
        "orientation": [turned.transpose, turned.flip_rows, turned.flip_columns],
        "arrays": [
            {
                "shape": [int(n) for n in array.shape],
                "dtype": str(np.dtype(array.dtype)),
                "rgb": bool(rgb),
            }
            for array, rgb in zip(frames.arrays, frames.rgb, strict=True)
        ],
        # Colour tables hold the opacity of channels that are drawn over each other.
        "channels": [
            {
                "contrast_limits": [float(limit) for limit in channel.contrast_limits],
                "gamma": float(channel.gamma),
                "lut": "gray" if np.array_equal(channel.lut, GRAY) else _text(channel.lut),
            }
            for channel in frames.channels
        ],
    }


def frames_from(said: Mapping[str, Any], arrays: Sequence[ArrayLike]) -> ArrayFrames:
    """Return the frames that `frames_detail` told of, out of the same or other arrays.

    Raises
    ------
    InvalidInput
        If the arrays have no such planes, or planes of another size.
    """
    if "planes" not in said:
        raise InvalidInput(
            "It is not known how the image was drawn when this was asked, so it cannot be asked "
            "again."
        )
    planes = _planes(said["planes"])
    for kept, array in zip(said["arrays"], arrays, strict=False):
        _check_size(_in_plane(kept["shape"], planes[0]), _in_plane(array.shape, planes[0]))
    return ArrayFrames(
        arrays=tuple(arrays),
        channels=tuple(_channel(channel) for channel in said["channels"]),
        planes=planes,
        region=Region(*said["region"]),
        orientation=Orientation(*said["orientation"]),
        rgb=tuple(array["rgb"] for array in said["arrays"]),
    )


def _in_plane(shape: Sequence[int], plane: PlaneIndex) -> tuple[int, ...]:
    return tuple(length for length, at in zip(shape, plane, strict=False) if at is None)


def _check_size(kept: tuple[int, ...], found: tuple[int, ...]) -> None:
    """Refuse planes in which the region looked at, clicks and masks would be somewhere else."""
    if kept != found:
        asked, here = (" by ".join(map(str, size)) for size in (kept, found))
        raise InvalidInput(
            f"It was asked of a plane of {asked} pixels (of a pyramid, that may be a smaller "
            f"level), and here a plane has {here}: what it was about would be at another place. "
            "Give an image of the same size."
        )


def _channel(said: Mapping[str, Any]) -> Channel:
    low, high = said["contrast_limits"]
    lut = GRAY
    if said["lut"] != "gray":
        lut = np.frombuffer(_bytes(said["lut"]), np.uint8).reshape(256, 3)
    return Channel((low, high), said["gamma"], lut)


def _planes_detail(planes: Sequence[PlaneIndex]) -> Any:
    """Write the planes of a stack by its axis, since there can be thousands."""
    first, last = planes[0], planes[-1]
    moved = [axis for axis, (a, b) in enumerate(zip(first, last, strict=True)) if a != b]
    if len(moved) == 1:
        (axis,) = moved
        line = {"at": list(first), "axis": axis, "count": len(planes)}
        if _line(line) == tuple(map(tuple, planes)):
            return line
    return [list(plane) for plane in planes]


def _planes(said: Any) -> tuple[PlaneIndex, ...]:
    return _line(said) if isinstance(said, dict) else tuple(tuple(plane) for plane in said)


def _line(said: Mapping[str, Any]) -> tuple[PlaneIndex, ...]:
    at, axis = said["at"], said["axis"]
    return tuple((*at[:axis], at[axis] + step, *at[axis + 1 :]) for step in range(said["count"]))


def _text(content: bytes | NDArray[np.uint8]) -> str:
    return base64.b64encode(zlib.compress(bytes(content))).decode("ascii")


def _bytes(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))
