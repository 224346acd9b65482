from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from napari_sa2va.model.cache import LookCache, content_key


def put(cache: LookCache, key: str, size: int, made: list[str]) -> str:
    def compute() -> str:
        made.append(key)
        return key

    return cache.get(key, compute, lambda value: size)


def test_what_was_used_last_stays() -> None:
    cache, made = LookCache(100), []
    for key in ("a", "b", "a", "c", "a", "b"):
        assert put(cache, key, 40, made) == key
    assert made == ["a", "b", "c", "b"]  # c pushed b out, not a
    assert cache.bytes_held == 80


def test_a_value_over_the_capacity_is_handed_out_but_not_kept() -> None:
    cache, made = LookCache(100), []
    put(cache, "small", 60, made)
    assert put(cache, "large", 101, made) == "large"
    put(cache, "small", 60, made)
    assert made == ["small", "large"]


def test_lowering_the_capacity_and_clearing_free_at_once() -> None:
    cache, made = LookCache(100), []
    put(cache, "a", 50, made)
    put(cache, "b", 50, made)
    cache.capacity = 60
    assert cache.bytes_held == 50
    cache.clear()
    assert cache.bytes_held == 0
    cache.capacity = 0
    put(cache, "b", 50, made)
    put(cache, "b", 50, made)
    assert made == ["a", "b", "b", "b"]


def test_a_value_is_put_in_place_of_another() -> None:
    cache = LookCache(100)
    assert cache.peek("a") is None
    cache.put("a", 1, 60)
    cache.put("a", 2, 80)
    assert (cache.peek("a"), cache.bytes_held) == (2, 80)
    cache.put("a", 3, 101)  # not kept; neither is what it was to replace
    assert (cache.peek("a"), cache.bytes_held) == (None, 0)


def test_threads_share_it() -> None:
    cache, made = LookCache(1000), []
    keys = [str(number % 30) for number in range(3000)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda key: put(cache, key, 100, made), keys)) == keys
    assert cache.bytes_held == 1000


def test_keys_tell_contents_and_shapes_apart() -> None:
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert content_key(image) == content_key(image.copy())
    assert content_key(image) == content_key(np.asfortranarray(image))
    other = image.copy()
    other[1, 3, 2] ^= 1
    assert content_key(other) != content_key(image)
    assert content_key(image.reshape(4, 2, 3)) != content_key(image)
