"""Colours are napari's, within one step of 255."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.layers import Image

from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames import GRAY, Channel, render
from napari_sa2va.viewer.sight import channel_of

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

RNG = np.random.default_rng(3)


def napari_colours(layer: Image, plane: NDArray[Any]) -> NDArray[np.float64]:
    """What the layer's own colormap says, over black."""
    low, high = layer.contrast_limits
    scaled = np.clip((plane.astype(float) - low) / (high - low), 0, 1) ** layer.gamma
    colours = layer.colormap.map(scaled.ravel()).reshape(*plane.shape, 4)
    return np.asarray(colours[..., :3] * colours[..., 3:] * 255)


def largest_difference(layer: Image, plane: NDArray[Any]) -> float:
    drawn = render([plane], [channel_of(layer, faded=False)])
    assert drawn.dtype == np.uint8
    assert drawn.shape == (*plane.shape, 3)
    return float(np.abs(drawn - napari_colours(layer, plane)).max())


@pytest.mark.parametrize("gamma", [0.4, 1.0, 2.2])
@pytest.mark.parametrize("colormap", ["gray", "gray_r", "green", "magenta", "viridis", "magma"])
def test_colours_equal_those_of_the_layers_colormap(colormap: str, gamma: float) -> None:
    # From a thousandth of the range: below, a small gamma is too steep for 16 bits.
    scaled = np.array([-0.5, 0, *np.linspace(0.001, 1, 3000), 1.5], dtype=np.float32)
    plane = (120 + 860 * scaled)[None]
    layer = Image(plane, colormap=colormap, gamma=gamma, contrast_limits=(120, 980))
    assert largest_difference(layer, plane) <= 1


@pytest.mark.parametrize(
    "dtype", ["bool", "u1", "i1", "u2", ">u2", "i2", "u4", "i4", "i8", "u8", "f2", "f4", "f8"]
)
def test_every_real_dtype(dtype: DTypeLike) -> None:
    plane = (RNG.random((30, 31)) * 120).astype(dtype)
    layer = Image(plane)
    assert largest_difference(layer, plane) <= 1


def test_wide_integers_keep_their_precision() -> None:
    base = 2**40
    plane = np.array([[base, base + 50, base + 100]], dtype=np.int64)
    drawn = render([plane], [Channel((base, base + 100))])
    assert drawn[0, :, 0].tolist() == [0, 128, 255]


def test_unsigned_values_below_the_limit_do_not_wrap() -> None:
    plane = np.array([[0, 5, 250]], dtype=np.uint8)
    assert render([plane], [Channel((5, 205))])[0, :, 0].tolist() == [0, 0, 255]


def test_nan_and_infinities() -> None:
    plane = np.array([[np.nan, -np.inf, np.inf, 0.5]], dtype=np.float32)
    drawn = render([plane], [Channel((0, 1))])
    assert drawn[0, :, 0].tolist() == [0, 0, 255, 128]
    # Inverted: the lowest value is white, NaN still shows the black canvas.
    drawn = render([plane], [Channel((0, 1), 1.0, GRAY[::-1].copy())])
    assert drawn[0, :, 0].tolist() == [0, 255, 0, 127]


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4", "i4"])
@pytest.mark.parametrize("gamma", [1.0, 0.5])
def test_rgb_is_stretched_between_its_limits(dtype: DTypeLike, gamma: float) -> None:
    # Values read back from napari's canvas: an RGB plane of float 0.4 between limits 0.1 and 0.9
    # is 96, with gamma 0.5 it is 156.
    scale = {"u1": 200, "u2": 60000, "f4": 1, "i4": 10000}[str(dtype)]
    plane = np.full((2, 2, 3), 0.4 * scale).astype(dtype)
    plane[0, 0] = [0.1 * scale, 0.9 * scale, 0.1 * scale]
    drawn = render([plane], [Channel((0.1 * scale, 0.9 * scale), gamma)])
    assert drawn[0, 0].tolist() == [0, 255, 0]
    assert abs(int(drawn[1, 1, 0]) - (96 if gamma == 1 else 156)) <= 1


@pytest.mark.parametrize(("dtype", "opaque"), [("u1", 255), ("u2", 65535), ("f4", 1.0)])
def test_alpha_lies_on_black(dtype: DTypeLike, opaque: float) -> None:
    plane = np.zeros((1, 3, 4), dtype=dtype)
    plane[..., :3] = opaque
    plane[0, :, 3] = [0, opaque / 2, opaque]
    drawn = render([plane], [Channel((0, opaque))])
    assert drawn[0, :, 1].tolist() == [0, pytest.approx(128, abs=1), 255]


def test_channels_add_up_and_stop_at_white() -> None:
    first = Channel((0, 100), 1.0, (GRAY * [1, 0, 0]).astype(np.uint8))
    second = Channel((0, 100), 1.0, (GRAY * [1, 1, 0]).astype(np.uint8))
    plane = np.array([[0, 100]], dtype=np.uint8)
    half = np.full((1, 2), 50, dtype=np.uint8)
    drawn = render([plane, half], [first, second])
    np.testing.assert_allclose(drawn, [[[128, 128, 0], [255, 128, 0]]], atol=1)


def test_nothing_but_nan_is_refused_unless_another_channel_shows() -> None:
    empty, full = np.full((3, 3), np.nan), np.ones((3, 3))
    channel = Channel((0, 1))
    with pytest.raises(InvalidInput, match="NaN"):
        render([empty], [channel])
    assert render([empty, full], [channel, channel]).max() == 255


@pytest.mark.parametrize(
    ("plane", "words"),
    [
        (np.ones((3, 3), complex), "complex"),
        (np.array([["a", "b"]]), "not numbers"),
        (np.ones(5), "no image plane"),
        (np.ones((5, 5, 2)), "no image plane"),
        (np.ones((0, 5)), "no pixels"),
    ],
)
def test_what_cannot_be_drawn_is_refused(plane: NDArray[Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        render([plane], [Channel((0, 1))])


def test_channels_of_different_size_are_refused() -> None:
    with pytest.raises(InvalidInput, match="one size"):
        render([np.ones((3, 3)), np.ones((3, 4))], [Channel((0, 1))] * 2)


@pytest.mark.parametrize("limits", [(1, 1), (2, 1), (0, np.inf), (np.nan, 1)])
def test_contrast_limits_must_ascend(limits: tuple[float, float]) -> None:
    with pytest.raises(InvalidInput, match="lower first"):
        Channel(limits)
