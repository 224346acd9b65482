"""Corrections as events, with the demo checkpoint on cells."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sa2va.annotation.packed import PackedMask
from napari_sa2va.engine import (
    FrameDone,
    Looking,
    MaskTrackRequest,
    ModelChoice,
    ModelLoading,
    RefineDone,
    RefineRequest,
    RunDone,
    Runner,
)
from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames import ArrayFrames, Channel, ImageFrames
from napari_sa2va.samples.scenes import HELD_OUT_SEED, make_scene, render

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCENE = make_scene(HELD_OUT_SEED + 3)
CELLS = SCENE.masks()
LARGEST = int(CELLS.sum(axis=(1, 2)).argmax())


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    runner = Runner()
    yield runner
    runner.unload()


@pytest.fixture
def clicked() -> RefineRequest:
    frames = ImageFrames(render(SCENE))
    return RefineRequest(ModelChoice("demo", "cpu"), frames, (middle(CELLS[LARGEST]),), (1,))


def middle(mask: np.ndarray) -> tuple[float, float]:
    at = np.argwhere(mask)
    row, column = at[np.square(at - at.mean(axis=0)).sum(axis=1).argmin()]
    return float(row), float(column)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def refined(runner: Runner, request: RefineRequest) -> RefineDone:
    (done,) = (
        event for event in runner.run(request, threading.Event()) if isinstance(event, RefineDone)
    )
    return done


def test_a_click_finds_a_cell_and_tells_what_else_it_could_be(
    runner: Runner, clicked: RefineRequest
) -> None:
    events = [e for e in runner.run(clicked, threading.Event()) if not isinstance(e, ModelLoading)]
    _, looking, done, end = events
    assert isinstance(looking, Looking)
    assert isinstance(done, RefineDone)
    assert isinstance(end, RunDone)
    assert overlap(done.mask, CELLS[LARGEST]) > 0.8
    assert done.logits.dtype == np.float32
    assert len(done.candidates) == 2
    ious = [one.iou for one in done.candidates]
    assert ious == sorted(ious, reverse=True)
    for one in (done, *done.candidates):
        assert one.mask.shape == (CELLS.shape[1:])
        assert 0 <= one.iou <= 1
    assert done.present > 0.5


def test_a_second_click_goes_on_from_the_first(runner: Runner, clicked: RefineRequest) -> None:
    first = refined(runner, clicked)
    far = middle(CELLS[LARGEST - 1])
    second = replace(clicked, points=(*clicked.points, far), labels=(1, 0), previous=first.logits)
    assert overlap(refined(runner, second).mask, CELLS[LARGEST]) > 0.8


def test_a_painted_mask_and_a_box(runner: Runner, clicked: RefineRequest) -> None:
    rows, columns = np.nonzero(CELLS[LARGEST])
    box = (rows.min(), columns.min(), rows.max(), columns.max())
    boxed = replace(clicked, points=(), labels=(), box=box)
    assert overlap(refined(runner, boxed).mask, CELLS[LARGEST]) > 0.8
    painted = replace(clicked, points=(), labels=(), mask=PackedMask.pack(CELLS[LARGEST]))
    assert overlap(refined(runner, painted).mask, CELLS[LARGEST]) > 0.8


def test_a_tracking_does_not_change_what_clicks_find(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import save_file

    from napari_sa2va.model import Sa2VA, loaded
    from napari_sa2va.model.sam2_parts import mask_decoder

    model, file = Sa2VA.from_pretrained(tiny_folder, "cpu"), tmp_path / "sam2.safetensors"
    weights = mask_decoder(model.config.sam2).state_dict()
    save_file({f"sam_mask_decoder.{name}": value for name, value in weights.items()}, file)
    read, reads = loaded.read_tracking_decoder, []

    def counted(*arguments: Any) -> Any:
        reads.append(1)
        return read(*arguments)

    monkeypatch.setattr(loaded, "read_tracking_decoder", counted)
    tiny, choice = Runner(lambda *_: model), ModelChoice(str(tiny_folder), "cpu")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64), np.uint8)
    mask = np.zeros((64, 64), bool)
    mask[20:40, 20:40] = True

    def frames(count: int) -> ArrayFrames:
        planes = tuple((plane, None, None) for plane in range(count))
        return ArrayFrames((pixels,), (Channel((0, 255)),), planes)

    click = RefineRequest(choice, frames(1), ((30.0, 30.0),), (1,))
    with_file = replace(click, sam2_file=str(file))
    masks = {0: (PackedMask.pack(mask),)}
    follow = MaskTrackRequest(choice, frames(2), masks, ("",), sam2_file=str(file))
    own, other = refined(tiny, click).logits, refined(tiny, with_file).logits
    assert not np.array_equal(own, other)
    for _ in range(2):
        assert FrameDone in {type(event) for event in tiny.run(follow, threading.Event())}
        np.testing.assert_array_equal(refined(tiny, click).logits, own)
        np.testing.assert_array_equal(refined(tiny, with_file).logits, other)
    assert len(reads) == 1  # it has hundreds of megabytes


def test_nothing_to_go_by(runner: Runner, clicked: RefineRequest) -> None:
    with pytest.raises(InvalidInput, match="Click, draw a box or paint"):
        refined(runner, replace(clicked, points=(), labels=()))
    assert not runner.busy


def test_a_stack_is_refused(runner: Runner, clicked: RefineRequest) -> None:
    stack: Any = np.zeros((2, 64, 64), np.uint8)
    frames = ArrayFrames((stack,), (Channel((0, 255)),), ((0, None, None), (1, None, None)))
    with pytest.raises(InvalidInput, match="2 frames"):
        refined(runner, replace(clicked, frames=frames))
