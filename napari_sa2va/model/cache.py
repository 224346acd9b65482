"""A bounded store for what was computed from pixels alone, so that an image is looked at once."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from numpy.typing import NDArray

T = TypeVar("T")


def content_key(pixels: NDArray[np.uint8]) -> str:
    """Return a key that two images share only when their pixels and shapes are equal."""
    digest = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=20)
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


class LookCache:
    """Keeps the values used last, up to a number of bytes. Safe to use from several threads.

    Parameters
    ----------
    capacity : int
        Bytes; a value larger than that is not kept. 0 keeps nothing.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._lock = Lock()
        self._held: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._bytes = 0

    @property
    def bytes_held(self) -> int:
        """Bytes of all values kept."""
        return self._bytes

    @property
    def capacity(self) -> int:
        """Greatest number of bytes kept; lowering it drops values at once."""
        return self._capacity

    @capacity.setter
    def capacity(self, capacity: int) -> None:
        with self._lock:
            self._capacity = capacity
            self._shrink()

    def get(self, key: Hashable, compute: Callable[[], T], size: Callable[[T], int]) -> T:
        """Return the value kept under a key, or compute and keep it.

        Parameters
        ----------
        key : hashable
        compute : callable
            Called without the lock held; two threads may compute the same value.
        size : callable
            Bytes that a value holds.
        """
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return cast("T", self._held[key][0])
        value = compute()
        self.put(key, value, size(value))
        return value

    def peek(self, key: Hashable) -> Any:
        """Return the value kept under a key, None if there is none."""
        with self._lock:
            if key not in self._held:
                return None
            self._held.move_to_end(key)
            return self._held[key][0]

    def put(self, key: Hashable, value: object, count: int) -> None:
        """Keep a value of so many bytes, in place of the one under this key."""
        with self._lock:
            if key in self._held:
                self._bytes -= self._held.pop(key)[1]
            if count <= self._capacity:
                self._held[key] = value, count
                self._bytes += count
                self._shrink()

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._held.clear()
            self._bytes = 0

    def _shrink(self) -> None:
        while self._bytes > self._capacity:
            _, (_, count) = self._held.popitem(last=False)
            self._bytes -= count
