"""Masks go back to where they were seen, at the labels' own resolution."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.layers import Image, Labels

from napari_sa2va.errors import InvalidInput
from napari_sa2va.frames import Orientation, Region
from napari_sa2va.viewer import Placement
from napari_sa2va.viewer.geometry import LayerGeometry

if TYPE_CHECKING:
    from numpy.typing import NDArray

# napari says so about tilted layers, which are on purpose here.
pytestmark = pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")

GEOMETRY = LayerGeometry.of(Image(np.zeros((2, 2))))
ALL = [Orientation(*flags) for flags in itertools.product((False, True), repeat=3)]


def placement(
    region: Region,
    orientation: Orientation | None = None,
    *,
    shape: tuple[int, int] = (40, 50),
    frame_region: Region | None = None,
    factors: tuple[float, float] = (1.0, 1.0),
) -> Placement:
    return Placement(
        labels_shape=(5, *shape),
        index=(3, None, None),
        region=region,
        orientation=orientation or Orientation(),
        frame_region=frame_region or region,
        factors=factors,
        geometry=GEOMETRY,
    )


@pytest.mark.parametrize("orientation", ALL)
def test_a_pixel_returns_to_where_it_was_cut_out(orientation: Orientation) -> None:
    plane = np.zeros((40, 50), bool)
    plane[12, 31] = True
    region = Region(10, 20, 18, 45)
    place = placement(region, orientation)
    seen = orientation.to_screen(plane[region.slices])
    assert seen.shape == place.frame_shape
    labels = np.zeros(place.labels_shape, int)
    where, inside = place.paste(seen)
    labels[where][inside] = 9
    assert np.argwhere(labels).tolist() == [[3, 12, 31]]
    assert place.plane_shape == (40, 50)


def test_logits_are_cut_at_zero() -> None:
    logits = np.array([[-1.0, 0.0, 0.5]])
    _, inside = placement(Region(0, 0, 1, 3)).paste(logits)
    assert inside.tolist() == [[False, False, True]]


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(InvalidInput, match="does not belong"):
        placement(Region(0, 0, 4, 6)).paste(np.zeros((6, 4), bool))


def enlarged(mask: NDArray[np.generic], factor: float, full: tuple[int, int]) -> NDArray[np.bool_]:
    small = Region.whole((mask.shape[0], mask.shape[1]))
    factors = (full[0] / mask.shape[0], full[1] / mask.shape[1])
    assert factors[0] == pytest.approx(factor, rel=0.2)
    place = placement(
        small.enlarged(factors, full), shape=full, frame_region=small, factors=factors
    )
    return place.paste(mask)[1]


def test_whole_pixels_grow_into_blocks() -> None:
    mask = np.random.default_rng(0).random((10, 7)) > 0.5
    np.testing.assert_array_equal(
        enlarged(mask, 4, (40, 28)), mask.repeat(4, axis=0).repeat(4, axis=1)
    )


@given(st.integers(20, 60), st.integers(20, 60), st.integers(5, 20), st.integers(5, 20))
def test_every_full_pixel_takes_the_small_pixel_around_its_centre(
    rows: int, columns: int, small_rows: int, small_columns: int
) -> None:
    mask = np.random.default_rng(rows).random((small_rows, small_columns)) > 0.5
    factors = (rows / small_rows, columns / small_columns)
    small = Region.whole(mask.shape)
    place = placement(
        small.enlarged(factors, (rows, columns)),
        shape=(rows, columns),
        frame_region=small,
        factors=factors,
    )
    _, inside = place.paste(mask)
    assert inside.shape == (rows, columns)
    row, column = np.indices(inside.shape)
    expected = mask[
        np.floor((row + 0.5) / factors[0]).astype(int),
        np.floor((column + 0.5) / factors[1]).astype(int),
    ]
    np.testing.assert_array_equal(inside, expected)


def test_logits_give_a_border_between_small_pixels() -> None:
    # A disc: its border from logits is nearer to the true one than blocks are.
    factor, size = 8, 32
    row, column = (np.indices((size, size)) + 0.5) * factor - 0.5
    logits = (90 - np.hypot(row - 127.5, column - 127.5)).astype(np.float32)
    row, column = np.indices((size * factor, size * factor))
    truth = np.hypot(row - 127.5, column - 127.5) < 90
    smooth = enlarged(logits, factor, truth.shape)
    blocks = enlarged(logits > 0, factor, truth.shape)
    assert (smooth != truth).sum() < 0.1 * (blocks != truth).sum()


def test_a_region_of_a_smaller_level_lands_at_its_place() -> None:
    full, factors = (64, 64), (4.0, 4.0)
    small = Region(3, 5, 9, 14)
    place = placement(
        small.enlarged(factors, full), shape=full, frame_region=small, factors=factors
    )
    mask = np.zeros(small.shape, bool)
    mask[0, 0] = True
    labels = np.zeros((5, *full), bool)
    where, inside = place.paste(mask)
    labels[where] = inside
    expected = np.zeros_like(labels)
    expected[3, 12:16, 20:24] = True
    np.testing.assert_array_equal(labels, expected)


def image_with_everything() -> Image:
    return Image(
        np.zeros((4, 8, 10)),
        scale=(2, 0.5, -0.25),
        translate=(1, 2, 3),
        rotate=(10, 20, 30),
        shear=(0.1, 0.2, 0.3),
        affine=np.array([[1, 0.1, 0, 4], [0, 1, 0, 5], [0.2, 0, 1, 6], [0, 0, 0, 1]]),
        units=("s", "um", "um"),
        axis_labels=("t", "y", "x"),
    )


def test_labels_get_the_whole_transform_of_the_image() -> None:
    image = image_with_everything()
    labels = Labels(np.zeros((4, 8, 10), int), **LayerGeometry.of(image).layer_arguments())
    for point in np.random.default_rng(0).random((5, 3)) * 10:
        np.testing.assert_allclose(labels.data_to_world(point), image.data_to_world(point))
    assert labels.units == image.units
    assert labels.axis_labels == image.axis_labels


def test_the_matrix_is_that_of_napari() -> None:
    image = image_with_everything()
    matrix = LayerGeometry.of(image).matrix
    for point in np.random.default_rng(0).random((5, 3)) * 10:
        np.testing.assert_allclose((matrix @ [*point, 1])[:-1], image.data_to_world(point))


@pytest.mark.parametrize("factors", [(1, 2, 2), (1, 4, 8), (2, 1.7, 3.1)])
def test_pixels_of_a_smaller_level_lie_on_those_they_were_made_of(
    factors: tuple[float, float, float],
) -> None:
    image = image_with_everything()
    small = Labels(
        np.zeros((2, 2, 2), int), **LayerGeometry.of(image).reduced(factors).layer_arguments()
    )
    for point in np.random.default_rng(0).random((5, 3)) * 4:
        full = (point + 0.5) * factors - 0.5
        np.testing.assert_allclose(small.data_to_world(point), image.data_to_world(full))
