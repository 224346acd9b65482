"""Packed masks come back as they were."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_sa2va.annotation.packed import PackedMask


@given(arrays(bool, st.tuples(st.integers(1, 20), st.integers(1, 20))))
def test_a_mask_comes_back(mask: np.ndarray) -> None:
    packed = PackedMask.pack(mask)
    assert np.array_equal(packed.unpack(), mask)
    assert packed.area == mask.sum()
    assert packed.shape == mask.shape
    assert np.array_equal(packed.inside, mask[packed.box])


def test_a_small_object_in_a_large_frame_is_small() -> None:
    mask = np.zeros((2000, 3000), dtype=bool)
    mask[1000:1040, 7:47] = True
    assert PackedMask.pack(mask).nbytes == 40 * 40 / 8


@pytest.mark.parametrize("shape", [(5, 5), (1, 9)])
def test_an_empty_mask_takes_nothing(shape: tuple[int, int]) -> None:
    packed = PackedMask.pack(np.zeros(shape, dtype=bool))
    assert packed.nbytes == 0
    assert packed.unpack().shape == shape
    assert not packed.unpack().any()
