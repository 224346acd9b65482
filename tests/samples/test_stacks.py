"""The sample movie and z-stack: true masks are known, and the demo model can do them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sa2va import samples
from napari_sa2va.model import Sa2VA
from napari_sa2va.model.prompts import segmentation_question
from napari_sa2va.samples.scenes import COLORS, HELD_OUT_SEED, coverage, render
from napari_sa2va.samples.stacks import make_z_stack, render_all
from napari_sa2va.training.overlap import iou

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sa2va.samples.scenes import Scene


@pytest.fixture(scope="module")
def demo() -> Sa2VA:
    return Sa2VA.from_pretrained(samples.demo_folder(), device="cpu", dtype="float32")


def meant(scene: Scene, expression: str) -> list[int]:
    """Cells that an expression of colour, and maybe size, means."""
    words = expression.split()
    return [
        i
        for i, cell in enumerate(scene.cells)
        if cell.color in words and (cell.size in words or not {"small", "large"} & set(words))
    ]


def test_stacks_are_the_same_every_time() -> None:
    np.testing.assert_array_equal(samples.sample_movie(), samples.sample_movie())
    np.testing.assert_array_equal(samples.sample_z_stack(), samples.sample_z_stack())


def test_cells_of_a_stack_grow_then_shrink_and_keep_their_place() -> None:
    for seed in range(5):
        stack = make_z_stack(seed, 20)
        areas = np.array([scene.masks().sum(axis=(1, 2)) for scene in stack])
        radii = np.array([[cell.radius for cell in scene.cells] for scene in stack])
        assert len({len(scene.cells) for scene in stack}) == 1
        for radius in radii.T:
            peak = int(radius.argmax())
            assert (np.diff(radius[: peak + 1]) >= 0).all()
            assert (np.diff(radius[peak:]) <= 0).all()
        assert ((areas > 0) == (radii > 0)).all()
        for before, after in itertools.pairwise(stack):
            for one, other in zip(before.cells, after.cells, strict=True):
                assert np.hypot(one.x - other.x, one.y - other.y) < 1
                assert (one.color, one.size, one.shape) == (other.color, other.size, other.shape)


def test_cells_out_of_the_plane_are_not_drawn() -> None:
    stack = make_z_stack(3, 40)
    ends = [scene for scene in stack if any(cell.radius == 0 for cell in scene.cells)]
    assert ends
    for scene in ends:
        image, masks = render(scene), scene.masks()
        for cell, mask in zip(scene.cells, masks, strict=True):
            if cell.radius == 0:
                assert not mask.any()
        assert image[~masks.any(axis=0)].mean() < 40


def test_the_true_masks_lie_on_the_picture() -> None:
    for scenes in (samples.movie_scenes(), samples.z_stack_scenes()):
        for number in (0, len(scenes) // 2, len(scenes) - 1):
            image = render(scenes[number], number).astype(float)
            for cell, mask in zip(scenes[number].cells, scenes[number].masks(), strict=True):
                if mask.sum() < 50:
                    continue
                mean = image[mask].mean(axis=0)
                angle = {c: np.dot(mean, COLORS[c]) / np.linalg.norm(COLORS[c]) for c in COLORS}
                assert max(angle, key=lambda c: angle[c]) == cell.color


def test_cells_of_the_movie_cross() -> None:
    hidden = []
    for scene in samples.movie_scenes():
        for cell, mask in zip(scene.cells, scene.masks(), strict=True):
            whole = (coverage(cell, scene.side) > 0.5).sum()
            hidden.append(1 - mask.sum() / whole)
    assert 0.2 < max(hidden) < 0.9  # crossed, and never lost from sight


def test_cells_of_the_stack_come_and_go() -> None:
    there = np.array([scene.masks().any(axis=(1, 2)) for scene in samples.z_stack_scenes()])
    assert not there[[0, -1]].all()
    assert there[len(there) // 2].all()


@pytest.mark.parametrize(
    ("command", "name", "shape", "scale", "labels"),
    [
        ("movie", "synthetic cells, movie", (48, 256, 256, 3), [30, 0.5, 0.5], ("t", "y", "x")),
        ("z_stack", "synthetic cells, z-stack", (32, 256, 256, 3), [1, 0.5, 0.5], ("z", "y", "x")),
    ],
)
def test_they_open_in_napari(
    command: str,
    name: str,
    shape: tuple[int, ...],
    scale: list[float],
    labels: tuple[str, ...],
    make_napari_viewer: Callable[[], Any],
) -> None:
    viewer = make_napari_viewer()
    (layer,) = viewer.open_sample("napari-sa2va", command)
    assert layer.name == name
    assert (layer.data.shape, layer.data.dtype, layer.rgb) == (shape, np.uint8, True)
    assert layer.scale.tolist() == scale
    assert layer.axis_labels == viewer.dims.axis_labels == labels
    assert str(layer.units[1]) == "micrometer"


@pytest.mark.parametrize("which", ["movie", "z_stack"])
def test_the_demo_model_finds_what_is_proposed(which: str, demo: Sa2VA) -> None:
    seed, scenes, expressions = {
        "movie": (samples.MOVIE_SEED, samples.movie_scenes(), samples.MOVIE_EXPRESSIONS),
        "z_stack": (samples.Z_STACK_SEED, samples.z_stack_scenes(), samples.Z_STACK_EXPRESSIONS),
    }[which]
    assert seed >= HELD_OUT_SEED
    images = render_all(scenes)
    for number in (0, (len(scenes) - 1) // 2, len(scenes) // 2):
        for expression in expressions:
            answer = demo.answer(images[number], segmentation_question(expression))
            found = np.any([segment.mask for segment in answer.segments], axis=0)
            targets = meant(scenes[number], expression)
            wanted = scenes[number].masks()[targets].any(axis=0)
            assert iou(found, wanted) >= 0.8, (number, expression)
