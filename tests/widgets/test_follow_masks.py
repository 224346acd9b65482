"""Masks followed through a stack, into labels: with the demo checkpoint, without a window."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels

from napari_sa2va.engine import ModelChoice, Runner
from napari_sa2va.samples.scenes import HELD_OUT_SEED, make_clip, render
from napari_sa2va.viewer.results import results_of
from napari_sa2va.viewer.stack import stack_snapshot
from napari_sa2va.widgets.asked import Asked, TrackOptions
from napari_sa2va.widgets.controller import RunController
from napari_sa2va.widgets.regions_part import RegionsPart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FRAMES = 5
SCENES = make_clip(HELD_OUT_SEED + 1, FRAMES)
TRUTH = np.stack([scene.masks() for scene in SCENES])
FORWARD = TrackOptions(0, "current", "forward", None, (2, FRAMES))

# napari asks scikit-image not to warn of this, in a way that another thread can undo meanwhile.
pytestmark = pytest.mark.filterwarnings("ignore:Conversion from CIE-LAB")


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    runner = Runner()
    yield runner
    runner.unload()


@pytest.fixture
def viewer() -> Any:
    viewer = ViewerModel()
    clip = np.stack([render(scene, frame) for frame, scene in enumerate(SCENES)])
    viewer.add_image(clip, name="movie")
    viewer.dims.set_current_step(0, 2)
    return viewer


@pytest.fixture
def controller(viewer: Any, runner: Runner, qapp: Any) -> Iterator[RunController]:
    controller = RunController(viewer, results_of(viewer), runner)
    controller.messages = []  # type: ignore[attr-defined]
    controller.told.connect(controller.messages.append)  # type: ignore[attr-defined]
    controller.results = controller._results  # type: ignore[attr-defined] # keep it alive
    yield controller
    controller.close()


@pytest.fixture
def follow(controller: Any, viewer: Any, qtbot: Any) -> Callable[..., Any]:
    def follow(masks: Any, phrases: Any, into: Any, track: TrackOptions, **more: Any) -> Any:
        images = (viewer.layers["movie"],)
        asked = Asked("", "segment", images, "whole", ModelChoice("demo", "cpu"), **more)
        stack = stack_snapshot(viewer, images, 0)
        assert controller.follow(stack, masks, phrases, into, track, asked)
        qtbot.waitUntil(lambda: not controller.busy, timeout=90_000)
        return next(layer for layer in viewer.layers if isinstance(layer, Labels))

    return follow


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_masks_become_objects_and_are_followed(controller: Any, follow: Any) -> None:
    turns: list[Any] = []
    actions: list[Any] = []
    controller.turn_done.connect(turns.append)
    controller.writing.connect(lambda objects: objects.done.connect(actions.append))
    labels = follow({2: tuple(TRUTH[2, :2])}, ("first", ""), None, FORWARD)
    for frame in range(2, FRAMES):
        for cell in (0, 1):
            assert overlap(labels.data[frame] == cell + 1, TRUTH[frame, cell]) > 0.6
    assert not labels.data[:2].any()
    objects = controller._results.of(labels)
    assert [(row.label, row.phrase, row.frames) for row in objects.rows()] == [
        (1, "first", 3),
        (2, "", 3),
    ]
    assert [turn.text for turn in controller.conversation.turns] == [
        "Following ■ 1, ■ 2 through axis 0."
    ]
    (turn,) = turns
    assert turn.labels == (1, 2)
    assert turn.detail["request"] == "follow"
    assert turn.detail["used"]["weights"].startswith("sha256:")
    assert actions[-1].kind == "track"
    assert actions[-1].detail == turn.detail
    assert "frames" in [action.kind for action in actions]


def test_it_goes_on_where_it_was(controller: Any, follow: Any, qtbot: Any) -> None:
    labels = follow({2: (TRUTH[2, 0],)}, ("cell",), None, replace(FORWARD, within=(2, 4)))
    assert not labels.data[4].any()
    assert controller.tracks.paused is not None
    controller.go_on(FORWARD)
    qtbot.waitUntil(lambda: not controller.busy, timeout=90_000)
    assert overlap(labels.data[4] == 1, TRUTH[4, 0]) > 0.6
    assert [row.label for row in controller._results.of(labels).rows()] == [1]


def test_an_object_is_painted_anew_and_others_stay(controller: Any, follow: Any) -> None:
    labels = follow({2: tuple(TRUTH[2, :2])}, ("first", "second"), None, FORWARD)
    other = labels.data == 2
    with controller._results.of(labels).step("refine", "Refine 1") as step:
        wrong = np.zeros((20, 20), bool)
        wrong[:5] = True
        step.paint((3, None, None), (slice(0, 20), slice(0, 20)), wrong, 1)
    follow({2: (TRUTH[2, 0],)}, ("first",), (1,), FORWARD, target=labels)
    assert overlap(labels.data[3] == 1, TRUTH[3, 0]) > 0.6
    assert np.array_equal(labels.data == 2, other)
    assert [row.label for row in controller._results.of(labels).rows()] == [1, 2]


def test_what_cannot_be_followed_is_told(controller: Any, viewer: Any) -> None:
    images = (viewer.layers["movie"],)
    asked = Asked("", "segment", images, "whole", ModelChoice("demo", "cpu"))
    stack = stack_snapshot(viewer, images, 0)
    masks = {0: (TRUTH[0, 0],)}
    assert not controller.follow(stack, masks, ("",), None, FORWARD, asked)
    assert "Plane 0 is outside the range" in controller.messages[-1].text
    assert not controller.busy


# --- regions that are followed


@pytest.fixture
def part(controller: Any, viewer: Any) -> Any:
    images = (viewer.layers["movie"],)
    asked = Asked("", "describe", images, "whole", ModelChoice("demo", "cpu"), track=FORWARD)
    part = RegionsPart(viewer, controller._results, controller, lambda: asked)
    part.told.connect(controller.messages.append)
    return part


def test_a_painted_region_becomes_an_object_with_a_name(
    controller: Any, part: Any, viewer: Any, qtbot: Any
) -> None:
    part.follow()
    assert "no layer with regions" in controller.messages[-1].text
    part.new()
    part.follow()
    assert "has no region in the plane in view" in controller.messages[-1].text
    painted = viewer.layers["movie · regions"]
    painted.data[2][TRUTH[2, 0]] = 4
    part.panel.name.setText("mother cell")
    part.follow()
    qtbot.waitUntil(lambda: not controller.busy, timeout=90_000)
    (row,) = controller._results.of(viewer.layers["movie · Sa2VA"]).rows()
    assert (row.label, row.phrase, row.frames, row.author) == (1, "mother cell", 3, "model")
    assert part.panel.name.text() == ""
    assert not painted.data[3:].any()


def test_a_label_among_the_results_stays_the_same_object(
    controller: Any, follow: Any, part: Any, viewer: Any, qtbot: Any
) -> None:
    labels = follow({2: (TRUTH[2, 1],)}, ("second",), None, FORWARD)
    labels.data[2][TRUTH[2, 0]] = 6  # painted by hand
    labels.selected_label = 6
    objects = controller._results.of(labels)
    part.refresh(objects, follows=True)
    part.panel.which.setCurrentIndex(1)
    assert part.choice.layer is labels
    part.follow()
    qtbot.waitUntil(lambda: not controller.busy, timeout=90_000)
    assert [(row.label, row.author, row.frames) for row in objects.rows()] == [
        (1, "model", 3),
        (6, "user", 3),
    ]
    assert overlap(labels.data[4] == 6, TRUTH[4, 0]) > 0.6
