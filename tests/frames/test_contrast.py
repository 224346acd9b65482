"""The contrast limits of the command line are those of napari."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import pytest
from napari.layers import Image

from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames import default_contrast_limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

RNG = np.random.default_rng(1)
NAN = np.where(RNG.random((40, 40)) < 0.2, np.nan, RNG.random((40, 40)))
INFINITE = np.where(RNG.random((40, 40)) < 0.2, np.inf, RNG.random((40, 40)))

ARRAYS: dict[str, NDArray[Any]] = {
    "uint8": RNG.integers(10, 90, (40, 50), dtype=np.uint8),
    "uint16": RNG.integers(10, 9000, (40, 50), dtype=np.uint16),
    "int16": RNG.integers(-500, 900, (3, 40, 50), dtype=np.int16),
    "int32": RNG.integers(-500, 900, (40, 50), dtype=np.int32),
    "uint64": RNG.integers(0, 2**50, (40, 50), dtype=np.uint64),
    "float32": RNG.normal(size=(40, 50)).astype(np.float32),
    "float64 stack": RNG.normal(size=(2, 3, 40, 50)),
    "float16": RNG.random((40, 50)).astype(np.float16),
    "bool": RNG.random((40, 50)) > 0.5,
    "all false": np.zeros((40, 50), bool),
    "all true": np.ones((40, 50), bool),
    "constant above 1": np.full((40, 50), 7, np.uint16),
    "constant below 0": np.full((40, 50), -7.0),
    "nan": NAN,
    "nan stack": np.stack([NAN, NAN]),
    "all nan": np.full((40, 40), np.nan),
    "infinite": INFINITE,
    "negative infinite": -INFINITE,
    "rgb float": RNG.random((40, 50, 3)) * 0.5 + 0.2,
    "rgba uint16": RNG.integers(0, 900, (40, 50, 4), dtype=np.uint16),
    # Above ten million values napari looks at three planes, or at patches of them.
    "many planes": RNG.integers(0, 60000, (11, 1000, 1001), dtype=np.uint16),
    "large planes": RNG.integers(0, 60000, (2, 3300, 3200), dtype=np.uint16),
    "large flat": RNG.integers(0, 60000, (3300, 3200), dtype=np.uint16),
    "large rgb": RNG.integers(0, 60000, (1900, 1900, 3), dtype=np.uint16),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_limits_are_those_of_napari(name: str) -> None:
    array = ARRAYS[name]
    layer = Image(array)
    limits = default_contrast_limits(array, rgb=layer.rgb)
    assert limits == pytest.approx(tuple(layer.contrast_limits), rel=1e-12, abs=0)
    assert all(isinstance(limit, float) for limit in limits)


def test_a_large_lazy_stack_is_read_in_three_planes() -> None:
    read = []

    def block(block_info: Any = None) -> NDArray[np.uint16]:
        read.append(block_info[None]["chunk-location"][0])
        return np.full((1, 1000, 1000), block_info[None]["chunk-location"][0], np.uint16)

    stack = da.map_blocks(block, chunks=((1,) * 11, 1000, 1000), dtype=np.uint16)
    assert default_contrast_limits(stack) == (0.0, 10.0)
    assert sorted(read) == [0, 5, 10]


def test_complex_numbers_are_refused() -> None:
    with pytest.raises(InvalidInput, match="magnitude"):
        default_contrast_limits(np.ones((4, 4), complex))
