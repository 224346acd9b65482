"""What was asked, as plain JSON: enough to ask it again, without the pixels that were looked at."""

from __future__ import annotations

import base64
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sa2va.annotation.packed import PackedMask
from napari_sa2va.engine.request import ModelChoice, Question, Request, TrackRequest
from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames import ArrayFrames, Channel, Orientation, Region
from napari_sa2va.frames.render import GRAY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_sa2va.engine.events import ModelReady
    from napari_sa2va.frames.source import ArrayLike, FrameSource, PlaneIndex

    Detail = dict[str, Any]

_KINDS = {Request: "ask", TrackRequest: "track"}


def request_detail(request: Request | TrackRequest) -> Detail:
    """Return a request as JSON has it; reads no pixels.

    Returns
    -------
    dict
        ``request`` (its kind), ``model``, ``questions`` with their regions, ``frames`` (planes,
        region of interest, orientation, and how each channel was drawn) and, where objects are
        followed, ``track``.
    """
    detail: Detail = {
        "request": _KINDS[type(request)],
        "model": _model_detail(request.model),
        "frames": frames_detail(request.frames),
        "questions": [_question_detail(question) for question in request.questions],
    }
    if isinstance(request, TrackRequest):
        detail["track"] = _track_detail(request)
    return detail


def with_model(detail: Mapping[str, Any], ready: ModelReady) -> Detail:
    """Return a detail that says, too, which model it turned out to be."""
    used = {"name": ready.name, "device": ready.device, "dtype": ready.dtype}
    for name in ("weights", "revision"):
        if said := getattr(ready, name, ""):
            used[name] = said
    return {**detail, "used": used}


def request_from(
    detail: Mapping[str, Any], arrays: Sequence[ArrayLike], model: ModelChoice | None = None
) -> Request | TrackRequest:
    """Make the request again that a detail tells of.

    Parameters
    ----------
    detail : mapping
        As of `request_detail`.
    arrays : sequence of array-likes
        One per channel, with the axes of those that were looked at; see ``frames.arrays`` in it.
    model : ModelChoice, optional
        Another model than the one that was asked.

    Raises
    ------
    InvalidInput
        If the arrays have no such planes, or the detail is damaged.
    """
    try:
        frames = frames_from(detail["frames"], arrays)
        chosen = model or ModelChoice(**detail["model"])
        questions = tuple(_question(said) for said in detail["questions"])
        if detail["request"] == "ask":
            return Request(chosen, frames, questions)
        if detail["request"] == "track":
            return TrackRequest(chosen, frames, questions, **_track(detail["track"]))
    except (KeyError, TypeError, ValueError, IndexError, zlib.error) as error:
        raise InvalidInput(f"What is kept of the request cannot be read ({error!r}).") from error
    raise InvalidInput(
        f"This version does not know requests of the kind {detail['request']!r}: take the one that "
        "the session was written with, or a newer one."
    )


# --- parts


def _model_detail(model: ModelChoice) -> Detail:
    return {"name": model.name, "device": model.device, "dtype": model.dtype}


def _question_detail(question: Question) -> Detail:
    detail: Detail = {"text": question.text, "phrase": question.phrase}
    return detail


def _question(said: Mapping[str, Any]) -> Question:
    return Question(said["text"], said["phrase"])


def _track_detail(request: TrackRequest) -> Detail:
    state = request.resume
    return {
        # A resumed run goes on from the planes that the first one looked at.
        "keys": _numbers(request.keys if state is None else state.keys),
        "method": request.method,
        "direction": request.direction,
        "within": _numbers(request.within),
        "check_every": request.check_every,
        "reseed": request.reseed,
        "sam2_file": request.sam2_file,
        "resumed": state is not None,
    }


def _track(said: Mapping[str, Any]) -> Detail:
    return {
        "keys": None if said["keys"] is None else tuple(said["keys"]),
        "method": said["method"],
        "direction": said["direction"],
        "within": None if said["within"] is None else tuple(said["within"]),
        "check_every": said["check_every"],
        "reseed": said["reseed"],
        "sam2_file": said["sam2_file"],
    }


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


# --- frames


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
        If the arrays have no such planes.
    """
    if "planes" not in said:
        raise InvalidInput(
            "It is not known how the image was drawn when this was asked, so it cannot be asked "
            "again."
        )
    return ArrayFrames(
        arrays=tuple(arrays),
        channels=tuple(_channel(channel) for channel in said["channels"]),
        planes=_planes(said["planes"]),
        region=Region(*said["region"]),
        orientation=Orientation(*said["orientation"]),
        rgb=tuple(array["rgb"] for array in said["arrays"]),
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


def _numbers(values: Sequence[int] | None) -> list[int] | None:
    return None if values is None else [int(value) for value in values]


def _text(content: bytes | NDArray[np.uint8]) -> str:
    return base64.b64encode(zlib.compress(bytes(content))).decode("ascii")


def _bytes(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))
