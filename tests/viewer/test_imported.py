"""Labels from elsewhere, read into memory once."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sa2va.io.export.from_layers import plain_annotations
from napari_sa2va.viewer.imported import Imported, imported

if TYPE_CHECKING:
    from napari_sa2va.io.export.annotations import Annotations


class Lazy:
    """Planes that are made when they are read: rows of their own number times `factor`."""

    def __init__(self, dtype: str, factor: int) -> None:
        self.shape, self.ndim, self.size = (20, 512, 512), 3, 20 * 512 * 512
        self.dtype, self._factor = np.dtype(dtype), factor

    def __getitem__(self, index: Any) -> np.ndarray:
        (at,) = index
        return np.full((512, 512), at * self._factor, self.dtype)


def read(annotations: Annotations) -> Imported:
    return imported(annotations, lambda done, total: None, lambda: False)


@pytest.mark.parametrize(("dtype", "factor"), [("u1", 1), (">i8", 3), ("<u4", 200_000_000)])
def test_a_volume_is_in_memory_once(dtype: str, factor: int) -> None:
    tracemalloc.start()
    try:
        found = read(plain_annotations("x", Lazy(dtype, factor), ["z"]))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    whole = found.labels.nbytes
    assert (found.labels.dtype, whole) == (np.dtype(np.int32), 20 * 512 * 512 * 4)
    if factor * 19 < 2**31:  # larger numbers need more room until they are counted anew
        assert most < 1.5 * whole
    anew = factor == 200_000_000
    assert [row.label for row in found.rows] == [n if anew else n * factor for n in range(1, 20)]
    assert (found.labels[19] == found.rows[-1].label).all()
    assert not found.labels[0].any()
    assert any("counted anew" in note for note in found.notes) == anew


def test_numbers_beyond_those_with_a_sign() -> None:
    labels = np.arange(700, dtype=np.uint64).reshape(2, 10, 35) + 2**63
    labels[0, 0, 0] = 0
    found = read(plain_annotations("x", labels))
    assert len(found.rows) == 699
    np.testing.assert_array_equal(found.labels.ravel(), np.arange(700))
