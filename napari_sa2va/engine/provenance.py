"""What was asked, as plain JSON: enough to ask it again, without the pixels that were looked at."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from napari_sa2va.engine.kept_frames import (
    frames_detail,
    frames_from,
    logits_detail,
    logits_from,
    mask_detail,
    mask_from,
)
from napari_sa2va.engine.request import (
    ChatRequest,
    MaskTrackRequest,
    ModelChoice,
    Question,
    RefineRequest,
    Request,
    TrackRequest,
)
from napari_sa2va.errors import InvalidInput
from napari_sa2va.model.turns import Exchange

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_sa2va.engine.events import ModelReady
    from napari_sa2va.engine.request import AnyRequest
    from napari_sa2va.frames.source import ArrayLike

    Detail = dict[str, Any]


def request_detail(request: AnyRequest) -> Detail:
    """Return a request as JSON has it; reads no pixels.

    Returns
    -------
    dict
        ``request`` (its kind: ``"ask"``, ``"chat"``, ``"track"``, ``"refine"`` or ``"follow"``),
        ``model``, ``frames`` (planes, region of interest, orientation, how each channel was drawn),
        and what belongs to the kind: questions with their regions, what was said before, clicks,
        masks, options.
    """
    detail: Detail = {
        "model": {
            "name": request.model.name,
            "device": request.model.device,
            "dtype": request.model.dtype,
        },
        "frames": frames_detail(request.frames),
    }
    if isinstance(request, Request):
        return {"request": "ask"} | detail | _questions_detail(request.questions)
    if isinstance(request, ChatRequest):
        return {"request": "chat"} | detail | {"chat": _chat_detail(request)}
    if isinstance(request, TrackRequest):
        said = _questions_detail(request.questions)
        return {"request": "track"} | detail | said | {"track": _track_detail(request)}
    if isinstance(request, RefineRequest):
        return {"request": "refine"} | detail | {"refine": _refine_detail(request)}
    return {"request": "follow"} | detail | {"follow": _follow_detail(request)}


def with_model(detail: Mapping[str, Any], ready: ModelReady) -> Detail:
    """Return a detail that says, too, which model it turned out to be."""
    used = {
        "name": ready.name,
        "device": ready.device,
        "dtype": ready.dtype,
        "weights": ready.weights,
        "revision": ready.revision,
    }
    return {**detail, "used": used}


def request_from(
    detail: Mapping[str, Any],
    arrays: Sequence[ArrayLike],
    changed: Mapping[str, str] | None = None,
) -> AnyRequest:
    """Make the request again that a detail tells of.

    Parameters
    ----------
    detail : mapping
        As of `request_detail`.
    arrays : sequence of array-likes
        One per channel, with the axes of those that were looked at; see ``frames.arrays`` in it.
    changed : mapping of str to str, optional
        What of the `ModelChoice` is to be another than the one that was asked.

    Raises
    ------
    InvalidInput
        If the arrays have no such planes, or the detail is damaged.
    """
    try:
        frames = frames_from(detail["frames"], arrays)
        chosen = ModelChoice(**{**detail["model"], **(changed or {})})
        match detail["request"]:
            case "ask":
                return Request(chosen, frames, _questions(detail))
            case "chat":
                return ChatRequest(chosen, frames, **_chat(detail["chat"]))
            case "track":
                return TrackRequest(chosen, frames, _questions(detail), **_track(detail["track"]))
            case "refine":
                return RefineRequest(chosen, frames, **_refine(detail["refine"]))
            case "follow":
                return MaskTrackRequest(chosen, frames, **_follow(detail["follow"]))
    except (KeyError, TypeError, ValueError, IndexError, zlib.error) as error:
        raise InvalidInput(f"What is kept of the request cannot be read ({error!r}).") from error
    raise InvalidInput(
        f"This version does not know requests of the kind {detail['request']!r}: take the one that "
        "the session was written with, or a newer one."
    )


def _questions_detail(questions: Sequence[Question]) -> Detail:
    return {
        "questions": [
            {
                "text": question.text,
                "phrase": question.phrase,
                "regions": [mask_detail(region) for region in question.regions],
                "label": question.label,
            }
            for question in questions
        ]
    }


def _questions(detail: Mapping[str, Any]) -> tuple[Question, ...]:
    return tuple(
        Question(
            said["text"],
            said["phrase"],
            tuple(mask_from(region) for region in said["regions"]),
            said["label"],
        )
        for said in detail["questions"]
    )


def _chat_detail(request: ChatRequest) -> Detail:
    return {
        "text": request.text,
        "before": [[one.question, one.answer] for one in request.before],
        "looked_at": _numbers(request.looked_at),
        "regions": [mask_detail(region) for region in request.regions],
        "max_new_tokens": request.max_new_tokens,
    }


def _chat(said: Mapping[str, Any]) -> Detail:
    return {
        "text": said["text"],
        "before": tuple(Exchange(question, answer) for question, answer in said["before"]),
        "looked_at": _tuple(said["looked_at"]),
        "regions": tuple(mask_from(region) for region in said["regions"]),
        "max_new_tokens": said["max_new_tokens"],
    }


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
        "keys": _tuple(said["keys"]),
        "method": said["method"],
        "direction": said["direction"],
        "within": _tuple(said["within"]),
        "check_every": said["check_every"],
        "reseed": said["reseed"],
        "sam2_file": said["sam2_file"],
    }


def _refine_detail(request: RefineRequest) -> Detail:
    return {
        "points": [[float(row), float(column)] for row, column in request.points],
        "labels": [int(label) for label in request.labels],
        "box": None if request.box is None else [float(edge) for edge in request.box],
        "mask": None if request.mask is None else mask_detail(request.mask),
        "previous": None if request.previous is None else logits_detail(request.previous),
        "sam2_file": request.sam2_file,
    }


def _refine(said: Mapping[str, Any]) -> Detail:
    return {
        "points": tuple((row, column) for row, column in said["points"]),
        "labels": tuple(said["labels"]),
        "box": _tuple(said["box"]),
        "mask": None if said["mask"] is None else mask_from(said["mask"]),
        "previous": None if said["previous"] is None else logits_from(said["previous"]),
        "sam2_file": said.get("sam2_file", ""),  # earlier versions kept none
    }


def _follow_detail(request: MaskTrackRequest) -> Detail:
    return {
        "masks": {
            str(frame): [mask_detail(mask) for mask in masks]
            for frame, masks in request.masks.items()
        },
        "phrases": list(request.phrases),
        "direction": request.direction,
        "within": _numbers(request.within),
        "sam2_file": request.sam2_file,
        "resumed": request.resume is not None,
    }


def _follow(said: Mapping[str, Any]) -> Detail:
    return {
        "masks": {
            int(frame): tuple(mask_from(mask) for mask in masks)
            for frame, masks in said["masks"].items()
        },
        "phrases": tuple(said["phrases"]),
        "direction": said["direction"],
        "within": _tuple(said["within"]),
        "sam2_file": said["sam2_file"],
    }


def _numbers(values: Sequence[int] | None) -> list[int] | None:
    return None if values is None else [int(value) for value in values]


def _tuple(values: Sequence[Any] | None) -> Any:
    return None if values is None else tuple(values)
