"""An array on a disk that gets full, or is gone for a while."""

from __future__ import annotations

import errno
import math
from typing import Any

import numpy as np
import pytest


class FullDisk:
    """Refuses what is written when there is no room for it.

    Attributes
    ----------
    room : float
        How many more times it can be written to.
    gone : bool
        Whether it cannot be read now.
    """

    def __init__(self, data: np.ndarray) -> None:
        self.data = data
        self.room = math.inf
        self.gone = False
        self.shape, self.dtype, self.ndim, self.size = data.shape, data.dtype, data.ndim, data.size

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.data, dtype=dtype)

    def __getitem__(self, index: Any) -> np.ndarray:
        if self.gone:
            raise OSError(errno.EIO, "Input/output error")
        return self.data[index].copy()

    def __setitem__(self, index: Any, values: Any) -> None:
        if self.room < 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= 1
        self.data[index] = values


@pytest.fixture
def full_disk() -> type[FullDisk]:
    return FullDisk
