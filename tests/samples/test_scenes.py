"""Scenes: the same from the same seed, and their masks where their colours are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from napari_sa2va.samples import SAMPLE_SEED, cells
from napari_sa2va.samples.scenes import COLORS, HELD_OUT_SEED, make_clip, make_scene, render


@pytest.mark.parametrize("seed", [0, 7, HELD_OUT_SEED + 3])
def test_same_seed_same_picture(seed: int) -> None:
    np.testing.assert_array_equal(render(make_scene(seed)), render(make_scene(seed)))
    assert not np.array_equal(render(make_scene(seed)), render(make_scene(seed + 1)))


@pytest.mark.parametrize("seed", range(12))
def test_masks_lie_on_their_cells_colors(seed: int) -> None:
    scene = make_scene(seed)
    image = render(scene).astype(float)
    for cell, mask in zip(scene.cells, scene.masks(), strict=True):
        mean = image[mask].mean(0)
        nearest = max(COLORS, key=lambda c: np.dot(mean, COLORS[c]) / np.linalg.norm(COLORS[c]))
        assert nearest == cell.color
    ground = image[~scene.masks().any(0)]
    assert ground.mean() < 40


def test_clip_starts_as_its_scene_and_moves() -> None:
    clip = make_clip(3, 6)
    first = make_scene(3)
    assert [(c.x, c.y) for c in clip[0].cells] == [(c.x, c.y) for c in first.cells]
    steps = [
        np.hypot(b.x - a.x, b.y - a.y)
        for before, after in itertools.pairwise(clip)
        for a, b in zip(before.cells, after.cells, strict=True)
    ]
    assert 1 < np.mean(steps) <= 6.1
    assert all(c.reach - 1e-6 <= c.x <= 256 - c.reach + 1e-6 for scene in clip for c in scene.cells)


def test_overlapping_cells_share_no_pixel() -> None:
    for scene in (s for seed in range(8) for s in make_clip(seed, 10)[5:]):
        assert scene.masks().sum(0).max() <= 1


def test_sample_layer_is_a_held_out_scene_with_a_scale() -> None:
    ((data, meta, kind),) = cells()
    assert SAMPLE_SEED >= HELD_OUT_SEED
    assert kind == "image"
    assert data.shape == (256, 256, 3)
    assert data.dtype == np.uint8
    assert meta["units"] == ("micrometer", "micrometer")
