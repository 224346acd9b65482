"""Orientation: exact inverses, and the nearest turn of any map."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from napari_sa2va.frames import Orientation

ALL = [Orientation(*flags) for flags in itertools.product((False, True), repeat=3)]


@pytest.mark.parametrize("orientation", ALL)
@pytest.mark.parametrize("shape", [(3, 5), (4, 1), (3, 5, 3)])
def test_to_data_undoes_to_screen_exactly(orientation: Orientation, shape: tuple[int, ...]) -> None:
    plane = np.arange(np.prod(shape)).reshape(shape)
    shown = orientation.to_screen(plane)
    assert shown.shape[:2] == orientation.shape_on_screen((shape[0], shape[1]))
    np.testing.assert_array_equal(orientation.to_data(shown), plane)
    np.testing.assert_array_equal(orientation.to_screen(orientation.to_data(shown)), shown)


def test_eight_orientations_are_eight_pictures() -> None:
    plane = np.arange(9).reshape(3, 3)
    assert len({orientation.to_screen(plane).tobytes() for orientation in ALL}) == 8


@pytest.mark.parametrize("orientation", ALL)
@pytest.mark.parametrize("degrees", [-40, 0, 44])
def test_a_tilt_below_45_degrees_does_not_change_the_turn(
    orientation: Orientation, degrees: float
) -> None:
    flips = np.diag(
        [-1.0 if orientation.flip_rows else 1.0, -1.0 if orientation.flip_columns else 1.0]
    )
    exact = flips @ (np.eye(2)[::-1] if orientation.transpose else np.eye(2))
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    # Stretched pixels: one axis ten times the other.
    assert Orientation.from_matrix(turn @ exact @ np.diag([10.0, 1.0])) == orientation


def test_a_point_lands_where_the_map_takes_it() -> None:
    # Data rows run to the left, data columns run down.
    orientation = Orientation.from_matrix([[0, 1], [-1, 0]])
    plane = np.zeros((4, 6))
    plane[0, 5] = 1  # first row: right; last column: bottom
    assert orientation.to_screen(plane)[5, 3] == 1


def test_exactly_45_degrees_is_left_upright() -> None:
    half = np.sqrt(0.5)
    assert Orientation.from_matrix([[half, -half], [half, half]]) == Orientation()
