"""Chosen colours: exactly those labels, whatever else happens to the layer."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Labels
from napari.utils.colormaps import CyclicLabelColormap, DirectLabelColormap
from numpy.testing import assert_array_equal

from napari_sa2va.viewer.colours import ChosenColours, with_colours

RED, BLUE = (1.0, 0.0, 0.0, 1.0), (0.0, 0.0, 1.0, 1.0)


@pytest.fixture
def labels() -> Labels:
    return Labels(np.arange(64, dtype=np.int32).reshape(8, 8))


def colours(labels: Labels, which: list[int]) -> list[tuple[float, ...]]:
    return [tuple(map(float, labels.get_color(label))) for label in which]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.uint64])
def test_only_the_chosen_labels_change(dtype: type) -> None:
    labels = Labels(np.arange(64, dtype=dtype).reshape(8, 8))
    others = [1, 2, 4, 50, 52, 53, 98, 101, 120]
    before = colours(labels, others)
    shown = labels.colormap.map(labels.data)
    chosen = ChosenColours(labels)
    chosen.show({3: "#ff0000", 51: "#0000ff"})
    assert colours(labels, [3, 51]) == [RED, BLUE]
    assert colours(labels, others) == before
    differing = (labels.colormap.map(labels.data) != shown).any(axis=-1)
    assert set(labels.data[differing].tolist()) == {3, 51}
    assert labels.get_color(0) is None


def test_labels_to_come_have_the_colours_they_would_have_had(labels: Labels) -> None:
    later = [100, 3 + 49, 3 + 49 * 20, 60_000]
    before = colours(labels, later)
    ChosenColours(labels).show({3: "#ff0000"})
    assert colours(labels, later) == before


def test_taking_a_choice_back_gives_the_old_colormap(labels: Labels) -> None:
    before = labels.colormap
    chosen = ChosenColours(labels)
    chosen.show({3: "#ff0000", 4: "#0000ff"})
    chosen.show({4: "#0000ff"})
    assert_array_equal(labels.get_color(3), before.map(3))
    assert colours(labels, [4]) == [BLUE]
    chosen.show({})
    assert labels.colormap is before


def test_shuffled_colours_keep_the_chosen_ones_on_top(labels: Labels) -> None:
    chosen = ChosenColours(labels)
    chosen.show({3: "#ff0000"})
    before = colours(labels, [1, 2, 4])
    labels.new_colormap(seed=5)
    assert colours(labels, [3]) == [RED]
    assert colours(labels, [1, 2, 4]) != before
    shuffled = colours(labels, [1, 2, 4])
    chosen.show({})
    assert colours(labels, [1, 2, 4]) == shuffled


def test_over_a_direct_colormap(labels: Labels) -> None:
    labels.colormap = DirectLabelColormap(color_dict={None: "yellow", 0: "transparent", 2: "green"})
    chosen = ChosenColours(labels)
    chosen.show({3: "#ff0000"})
    yellow, green = (1.0, 1.0, 0.0, 1.0), tuple(map(float, labels.get_color(2)))
    assert colours(labels, [1, 3, 500]) == [yellow, RED, yellow]
    chosen.show({})
    assert colours(labels, [2, 3]) == [green, yellow]


def test_showing_one_label_only_goes_on(labels: Labels) -> None:
    labels.selected_label = 3
    labels.show_selected_label = True
    ChosenColours(labels).show({3: "#ff0000"})
    shown = labels.colormap.map(labels.data)
    assert set(labels.data[shown[..., 3] > 0].tolist()) == {3}


def test_nothing_happens_for_the_same_colours_or_after_the_end(labels: Labels) -> None:
    chosen = ChosenColours(labels)
    events: list[object] = []
    labels.events.colormap.connect(events.append)
    chosen.show({})
    assert not events
    chosen.show({3: "#ff0000"})
    chosen.show({3: "#ff0000"})
    assert len(events) == 1
    chosen.close()
    labels.new_colormap(seed=5)
    assert colours(labels, [3]) != [RED]


def test_a_colormap_with_more_colours_than_fit_twice() -> None:
    base = CyclicLabelColormap(colors=np.random.default_rng(0).random((40_000, 4)))
    made = with_colours(base, {7: "#ff0000"})
    assert len(made.colors) == 40_000
    assert_array_equal(made.map(np.array([6, 8])), base.map(np.array([6, 8])))
    assert tuple(made.map(np.array([7]))[0]) == RED
