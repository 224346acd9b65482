"""The richer world: the same from the same seed, everything that is promised, masks that fit."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest

from napari_sa2va.samples.scenes import COLORS
from napari_sa2va.samples.world.drawing import render
from napari_sa2va.samples.world.motion import make_clip, make_z_stack
from napari_sa2va.samples.world.scenes import LONGEST, SHORTEST, make_scene

_SCENES = [make_scene(seed) for seed in range(120)]


@pytest.mark.parametrize("seed", [0, 11])
def test_same_seed_same_picture(seed: int) -> None:
    np.testing.assert_array_equal(render(make_scene(seed)), render(make_scene(seed)))
    one, other = (render(make_scene(s, (150, 200))) for s in (seed, seed + 1))
    assert one.shape == other.shape == (150, 200, 3)
    assert not np.array_equal(one, other)


def test_scenes_are_as_various_as_promised() -> None:
    counts = {len(scene.cells) for scene in _SCENES}
    assert min(counts) >= 1
    assert {2, 4, 6, 8, 10, 12} <= counts
    sides = [side for scene in _SCENES for side in (scene.height, scene.width)]
    assert SHORTEST <= min(sides) < 150
    assert 900 < max(sides) <= LONGEST
    assert 0.2 < np.mean([scene.height != scene.width for scene in _SCENES]) < 0.7
    assert 0.1 < np.mean([scene.gray for scene in _SCENES]) < 0.4
    for name, count in (("color", 8), ("size", 2), ("texture", 2), ("shape", 3)):
        assert len({getattr(c, name) for s in _SCENES for c in s.cells}) == count


def test_cells_touch_and_overlap_in_some_scenes_and_stay_visible() -> None:
    hidden = []
    for scene in _SCENES:
        assert not scene.cells or scene.masks((96, 96)).sum(0).max() <= 1
        alone = [
            type(scene)(scene.seed, scene.height, scene.width, scene.gray, (cell,)).masks((96, 96))
            for cell in scene.cells
        ]
        seen = scene.masks((96, 96)).sum((1, 2))
        hidden.append(max(1 - n / max(1, a.sum()) for n, a in zip(seen, alone, strict=True)))
    assert np.mean(np.array(hidden) > 0.02) > 0.1
    assert max(hidden) < 0.5


def test_masks_lie_on_their_cells() -> None:
    for scene in _SCENES[:25]:
        image = render(scene).astype(float)
        for cell, mask in zip(scene.cells, scene.masks(), strict=True):
            assert mask.shape == image.shape[:2]
            mean = image[mask].mean(0)
            if scene.gray:
                assert np.ptp(image, axis=2).max() == 0
            elif cell.shape != "ring-shaped":  # much of a ring is ground
                fits = {c: np.dot(mean, v) / np.linalg.norm(v) for c, v in COLORS.items()}
                assert max(fits, key=lambda c: fits[c]) == cell.color
        ground = image[~scene.masks().any(0)]
        assert ground.mean() < 60


def test_cells_scale_with_the_image() -> None:
    small, large = (make_scene(5, (side, side)) for side in (128, 512))
    shares = [scene.masks().mean((1, 2)) for scene in (small, large)]
    np.testing.assert_allclose(*shares, rtol=0.1)
    np.testing.assert_allclose(large.masks((256, 256)).mean((1, 2)), shares[1], rtol=0.05)


def test_clips_cross_leave_and_return() -> None:
    for seed in range(4):
        cross = make_clip(seed, 24, (256, 256), "cross")
        for i, j in cross.crossing:
            ways = [(s.cells[i], s.cells[j]) for s in cross.scenes]
            gaps = [np.hypot(a.x - b.x, a.y - b.y) for a, b in ways]
            assert min(gaps) < 0.8 * (ways[0][0].reach + ways[0][1].reach)
            assert 0 < int(np.argmin(gaps)) < 24
    left = returned = 0
    for seed in range(6):
        leave = make_clip(seed, 24, (256, 256), "leave")
        there = np.array([scene.masks((64, 64)).any((1, 2)) for scene in leave.scenes])
        left += int((~there[:, there[0]]).any(0).sum())
        for track in there.T:
            gone = np.flatnonzero(~track)
            returned += bool(len(gone)) and bool(track[gone[0] :].any())
    assert left >= 4
    assert returned >= 2


def test_cells_of_a_clip_keep_their_looks_and_move_little_by_little() -> None:
    for kind in ("drift", "cross", "leave"):
        clip = make_clip(3, 8, (200, 300), kind)
        assert clip.images([0, 7]).shape == (2, 200, 300, 3)
        for before, after in itertools.pairwise(clip.scenes):
            for a, b in zip(before.cells, after.cells, strict=True):
                assert a.values == b.values
                assert np.hypot(a.x - b.x, a.y - b.y) <= 1.05 * 6 * clip.scenes[0].unit


def test_cells_of_a_stack_grow_then_shrink() -> None:
    for seed in range(4):
        radii = np.array([[c.radius for c in s.cells] for s in make_z_stack(seed, 20).scenes])
        assert (radii == 0).any()
        for radius in radii.T:
            peak = int(radius.argmax())
            assert (np.diff(radius[: peak + 1]) >= 0).all()
            assert (np.diff(radius[peak:]) <= 0).all()


def test_drawing_keeps_up_with_training() -> None:
    """About 25 ms a scene on an idle core; the bound leaves room for a busy machine."""
    start = time.process_time()
    for seed in range(20):
        scene = make_scene(seed, (256, 256))
        render(scene)
        scene.masks((256, 256))
    assert (time.process_time() - start) / 20 < 0.1
