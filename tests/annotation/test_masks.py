from __future__ import annotations

import math

import numpy as np
import pytest

from napari_sa2va.annotation.masks import (
    SoftMask,
    bounding_box,
    inner_point,
    logit,
    mean_probabilities,
    middle_point,
    number_parts,
    resize_bilinear,
)


def blob(size: int = 32, centre: tuple[float, float] = (16, 16), radius: float = 8) -> np.ndarray:
    rows, columns = np.mgrid[:size, :size] + 0.5
    distance = np.hypot(rows - centre[0], columns - centre[1])
    return (radius - distance).astype(np.float32)


@pytest.mark.parametrize("shape", [(64, 48), (32, 32), (20, 77)])
def test_resize_agrees_with_torch(shape: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch")
    values = np.random.default_rng(0).normal(size=(32, 32)).astype(np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(values)[None, None], size=shape, mode="bilinear", align_corners=False
    )[0, 0].numpy()
    np.testing.assert_allclose(resize_bilinear(values, shape), expected, atol=1e-5)


def test_moving_the_border() -> None:
    logits = blob()
    full = resize_bilinear(logits, (128, 96))
    soft = SoftMask.from_model(logits, full > 0)
    for probability in (0.05, 0.3, 0.5, 0.8, 0.95):
        expected = full > logit(probability)
        assert np.array_equal(soft.above(probability), expected[soft.box])
        assert expected.sum() == soft.above(probability).sum() > 0
    assert soft.logits.size < full.size


def test_the_models_own_mask_is_kept_at_one_half() -> None:
    mask = np.zeros((32, 32), dtype=bool)
    mask[3, 29] = True  # not what the logits say
    soft = SoftMask.from_model(blob(), mask)
    assert soft.above(0.5).sum() == 1
    assert mask[soft.box].sum() == 1


def test_nothing_found_is_empty() -> None:
    soft = SoftMask.from_model(np.full((8, 8), -9, np.float32), np.zeros((20, 20), bool))
    assert soft.logits.size == 0
    assert soft.above(0.05).size == 0


def test_mean_probability_of_each_part() -> None:
    logits = np.full((5, 4), -20, np.float32)
    logits[0], logits[3] = 0, 20
    parts = np.zeros((5, 4), np.int32)
    parts[0], parts[3] = 1, 2
    assert mean_probabilities(logits, parts, 2) == pytest.approx([0.5, 1.0])
    assert math.isnan(mean_probabilities(logits, parts, 3)[2])


def test_corners_connect() -> None:
    assert number_parts(np.eye(5, dtype=bool))[1] == 1


def test_inner_point_of_a_ring_lies_on_it() -> None:
    ring = (np.abs(blob()) < 2) & True
    row, column = inner_point(ring)
    assert ring[int(row), int(column)]
    assert inner_point(np.ones((3, 3), bool)) == (1, 1)


def test_inner_point_of_large_and_thin_masks() -> None:
    large = np.zeros((1000, 900), bool)
    large[200:700, 300:800] = True
    assert inner_point(large) == pytest.approx((450, 550), abs=8)
    line = np.zeros((1000, 900), bool)
    line[500, 101] = line[501, 700] = True
    row, column = inner_point(line)
    assert line[int(row), int(column)]


def test_bounding_box() -> None:
    mask = np.zeros((9, 9), bool)
    assert bounding_box(mask) == (slice(0, 0), slice(0, 0))
    mask[2, 5] = mask[4, 3] = True
    assert bounding_box(mask) == (slice(2, 5), slice(3, 6))


def test_middle_point_lies_on_the_mask() -> None:
    ring = np.abs(blob()) < 2
    row, column = middle_point(ring)
    assert ring[int(row), int(column)]
