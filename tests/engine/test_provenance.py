"""A request can be asked again from what is kept of it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from napari_sa2va.annotation.packed import PackedMask
from napari_sa2va.engine import (
    ChatRequest,
    Exchange,
    ModelChoice,
    ModelReady,
    Question,
    Request,
    TrackRequest,
)
from napari_sa2va.engine.kept_frames import mask_detail, mask_from
from napari_sa2va.engine.provenance import request_detail, request_from, with_model
from napari_sa2va.engine.request import MaskTrackRequest, RefineRequest
from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames import ArrayFrames, Channel, ImageFrames, Orientation, Region

MODEL = ModelChoice("demo", "cpu", "float32")
RNG = np.random.default_rng(5)
STACK = RNG.integers(0, 4000, (6, 40, 30)).astype(np.uint16)
MASK = RNG.random((26, 32)) > 0.8
LUT = RNG.integers(0, 255, (256, 3)).astype(np.uint8)


def frames(planes: tuple[Any, ...] = ((2, None, None),)) -> ArrayFrames:
    return ArrayFrames(
        arrays=(STACK, STACK[::-1]),
        channels=(Channel((100.0, 3000.0), 0.7, LUT), Channel((0.0, 4000.0))),
        planes=planes,
        region=Region(4, 2, 36, 28),
        orientation=Orientation(transpose=True, flip_columns=True),
    )


def through_json(detail: Any) -> Any:
    return json.loads(json.dumps(detail, allow_nan=False))


def test_a_request_comes_back_with_the_same_pixels() -> None:
    region = Question("What is region1?", None, (PackedMask.pack(MASK),), 7)
    asked = Request(MODEL, frames(), (Question("Segment the cell.", "the cell"), region))
    detail = through_json(request_detail(asked))
    again = request_from(detail, asked.frames.arrays)  # type: ignore[attr-defined]
    assert isinstance(again, Request)
    assert again.model == asked.model
    assert again.questions == asked.questions
    np.testing.assert_array_equal(again.frames[0], asked.frames[0])


def test_a_question_of_a_conversation_comes_back_with_what_was_said_before() -> None:
    before = (Exchange("Which?", "<p> Two </p> [SEG]"), Exchange("Why?", "細胞"))
    region = (PackedMask.pack(MASK),)
    asked = ChatRequest(MODEL, frames(), (0,), "And region1?", before, region, 64)
    again = request_from(through_json(request_detail(asked)), asked.frames.arrays)  # type: ignore[attr-defined]
    assert isinstance(again, ChatRequest)
    assert (again.text, again.before, again.looked_at) == (asked.text, before, (0,))
    assert (again.regions, again.max_new_tokens) == (region, 64)


def test_a_tracking_comes_back_with_its_options() -> None:
    planes = tuple((at, None, None) for at in range(1, 6))
    asked = TrackRequest(
        MODEL,
        frames(planes),
        (Question("Segment the cell.", "the cell"),),
        keys=(0, 3),
        method="consistent",
        direction="forward",
        within=(0, 4),
        check_every=2,
        reseed=True,
        sam2_file="sam2.pt",
    )
    detail = through_json(request_detail(asked))
    assert detail["frames"]["planes"]["count"] == 5, "a long stack is written shortly"
    again = request_from(detail, asked.frames.arrays)  # type: ignore[attr-defined]
    assert isinstance(again, TrackRequest)
    for name in ("keys", "method", "direction", "within", "check_every", "reseed", "sam2_file"):
        assert getattr(again, name) == getattr(asked, name)
    assert len(again.frames) == 5
    np.testing.assert_array_equal(again.frames[4], asked.frames[4])


def test_a_correction_comes_back_with_its_clicks() -> None:
    logits = RNG.normal(0, 8, (64, 64)).astype(np.float32)
    asked = RefineRequest(
        MODEL,
        frames(),
        points=((3.5, 4.0), (10.0, 11.0)),
        labels=(1, 0),
        box=(0.0, 1.0, 20.0, 21.5),
        mask=PackedMask.pack(MASK),
        previous=logits,
        sam2_file="sam2.pt",
    )
    again = request_from(through_json(request_detail(asked)), (STACK, STACK))
    assert isinstance(again, RefineRequest)
    for name in ("points", "labels", "box", "mask", "sam2_file"):
        assert getattr(again, name) == getattr(asked, name)
    assert again.previous is not None
    np.testing.assert_allclose(again.previous, logits, rtol=2**-11)
    bare = RefineRequest(MODEL, frames(), points=((1.0, 2.0),), labels=(1,))
    detail = through_json(request_detail(bare))
    del detail["refine"]["sam2_file"]  # of an earlier version
    again = request_from(detail, (STACK, STACK))
    assert isinstance(again, RefineRequest)
    assert (again.box, again.mask, again.previous, again.sam2_file) == (None, None, None, "")


def test_painted_masks_that_were_followed_come_back() -> None:
    planes = tuple((at, None, None) for at in range(6))
    masks = {2: (PackedMask.pack(MASK), PackedMask.pack(~MASK))}
    asked = MaskTrackRequest(MODEL, frames(planes), masks, ("a", ""), "forward", (1, 5))
    again = request_from(through_json(request_detail(asked)), (STACK, STACK))
    assert isinstance(again, MaskTrackRequest)
    for name in ("masks", "phrases", "direction", "within", "sam2_file"):
        assert getattr(again, name) == getattr(asked, name)


def test_planes_in_no_order_are_written_one_by_one() -> None:
    planes = ((3, None, None), (0, None, None), (5, None, None))
    detail = through_json(request_detail(Request(MODEL, frames(planes), ())))
    again = request_from(detail, (STACK, STACK))
    assert again.frames.planes == planes  # type: ignore[attr-defined]


def test_another_image_must_have_such_planes() -> None:
    detail = request_detail(Request(MODEL, frames(), ()))
    larger = np.repeat(STACK, 2, axis=2)  # as the full resolution of a pyramid is
    with pytest.raises(InvalidInput, match=r"plane of 40 by 30 pixels.* has 40 by 60"):
        request_from(detail, (larger, larger))
    with pytest.raises(InvalidInput, match="has 20 by 30"):
        request_from(detail, (STACK[:, :20], STACK[:, :20]))
    with pytest.raises(InvalidInput, match="There is no plane 2"):
        request_from(detail, (STACK[:2], STACK[:2]))


def test_what_cannot_be_asked_again_says_why() -> None:
    detail = request_detail(Request(MODEL, ImageFrames(np.zeros((5, 6, 3), np.uint8)), ()))
    assert detail["frames"] == {"shape": [5, 6], "count": 1}
    with pytest.raises(InvalidInput, match="not known how the image was drawn"):
        request_from(detail, ())
    whole = request_detail(Request(MODEL, frames(), ()))
    with pytest.raises(InvalidInput, match="does not know requests of the kind 'dream'"):
        request_from(whole | {"request": "dream"}, (STACK, STACK))
    with pytest.raises(InvalidInput, match="cannot be read"):
        request_from({"request": "ask", "frames": whole["frames"]}, (STACK, STACK))


def test_the_model_that_it_turned_out_to_be_is_kept() -> None:
    ready = ModelReady("napari-sa2va demo checkpoint", "cpu", "float32", 1)
    detail = with_model(request_detail(Request(MODEL, frames(), ())), ready)
    assert detail["used"]["name"] == "napari-sa2va demo checkpoint"
    assert detail["model"]["name"] == "demo"


def test_masks_come_back_bit_by_bit() -> None:
    mask = RNG.random((17, 23)) > 0.5
    mask[:3] = False
    packed = PackedMask.pack(mask)
    assert mask_from(through_json(mask_detail(packed))) == packed
    nothing = PackedMask.pack(np.zeros((4, 5), dtype=bool))
    assert mask_from(through_json(mask_detail(nothing))) == nothing
