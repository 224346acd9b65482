from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_sa2va.annotation.packed import PackedMask
from napari_sa2va.annotation.regions import regions_in


@pytest.mark.parametrize("dtype", [np.int32, np.uint8, np.uint32, np.int64, np.uint64])
def test_every_label_is_a_region(dtype: Any) -> None:
    labels = np.random.default_rng(1).integers(0, 9, (13, 29)).astype(dtype)
    labels[labels == 4] = 0
    found = regions_in(labels)
    assert list(found) == [1, 2, 3, 5, 6, 7, 8]
    for label, mask in found.items():
        assert mask == PackedMask.pack(labels == label)


def test_labels_may_be_huge_or_negative() -> None:
    labels = np.zeros((8, 8), np.int64)
    labels[0, :3], labels[5:, 5:], labels[3, 3] = 2**40, 7, -5
    found = regions_in(labels)
    assert list(found) == [7, 2**40]
    assert found[2**40] == PackedMask.pack(labels == 2**40)


def test_masks_chosen_labels_and_nothing_at_all() -> None:
    mask = np.zeros((5, 5), bool)
    mask[1:3, 2] = True
    assert regions_in(mask) == {1: PackedMask.pack(mask)}
    labels = np.arange(6).reshape(2, 3)
    assert list(regions_in(labels, {2, 4, 9})) == [2, 4]
    assert regions_in(np.zeros((4, 4), np.uint16)) == {}
    assert regions_in(np.full((4, 4), -1)) == {}
