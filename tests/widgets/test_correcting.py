"""Corrections from marks to labels, with a model that finds disks: everything else is real."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_sa2va.engine import (
    Looking,
    ModelChoice,
    ModelLoading,
    ModelReady,
    RefinedMask,
    RefineDone,
    RefineRequest,
    RunDone,
)
from napari_sa2va.errors import EngineError
from napari_sa2va.viewer.labels import METADATA
from napari_sa2va.viewer.results import results_of
from napari_sa2va.widgets.asked import Asked, TrackOptions
from napari_sa2va.widgets.correcting import Correcting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari.layers import Labels

    from napari_sa2va.engine import Event

RADIUS = 6


class DiskRunner:
    """Finds a disk round each click in an object, and none of it round others; a box is filled.

    It stops before an answer where `hold` is set, until the test lets it go on.
    """

    def __init__(self) -> None:
        self.requests: list[RefineRequest] = []
        self.error: Exception | None = None
        self.hold = False
        self.go_on = threading.Event()
        self.busy = False
        self.loaded: Any = None

    def run(self, request: RefineRequest, cancelled: threading.Event) -> Iterator[Event]:
        self.requests.append(request)
        yield ModelLoading("Waiting for another run to end")
        yield ModelReady("disks", "cpu", "float32", 1)
        yield Looking()
        while self.hold and not (self.go_on.wait(0.005) or cancelled.is_set()):
            pass
        self.go_on.clear()
        if self.error is not None:
            raise self.error
        if cancelled.is_set():
            yield RunDone(0.0, True)
            return
        mask = self._mask(request)
        number = len(self.requests)
        others = tuple(
            RefinedMask(np.roll(mask, 3 * n, 1), _logits(number, n), 0.5, 0.5) for n in (1, 2)
        )
        yield RefineDone(mask, _logits(number, 0), 0.9, 0.8, others, 1.0)
        yield RunDone(0.0, False)

    @staticmethod
    def _mask(request: RefineRequest) -> np.ndarray:
        shape = request.frames.shape
        mask = np.zeros(shape, bool) if request.mask is None else request.mask.unpack()
        rows, columns = np.indices(shape)
        if request.box is not None:
            top, left, bottom, right = request.box
            mask |= (rows >= top) & (rows <= bottom) & (columns >= left) & (columns <= right)
        for wanted in (1, 0):
            for (row, column), label in zip(request.points, request.labels, strict=True):
                if label == wanted:
                    mask[np.hypot(rows - row, columns - column) <= RADIUS] = bool(label)
        return mask


def _logits(number: int, candidate: int) -> np.ndarray:
    return np.full((4, 4), number + candidate / 10, np.float32)


class Owner:
    """In the place of the dock: what is chosen now."""

    def __init__(self, viewer: ViewerModel) -> None:
        self.viewer = viewer
        self.images: tuple[Image, ...] = ()
        self.chosen: dict[str, Any] = {"look_at": "whole", "model": ModelChoice("demo")}
        self.messages: list[Any] = []

    def asked(self) -> Asked:
        every = tuple(layer for layer in self.viewer.layers if isinstance(layer, Image))
        return Asked("", "segment", self.images or every, **self.chosen)

    @property
    def told(self) -> str:
        return "" if not self.messages or self.messages[-1] is None else self.messages[-1].text


class Desk:
    """A viewer, corrections on it, and the hands that work with them."""

    def __init__(self, qtbot: Any, runner: DiskRunner, data: np.ndarray, **arguments: Any) -> None:
        self.qtbot, self.runner = qtbot, runner
        self.viewer = ViewerModel()
        self.image = self.viewer.add_image(data, name="image", **arguments)
        self.owner = Owner(self.viewer)
        self.results = results_of(self.viewer)
        self.it = Correcting(self.viewer, self.results, runner, self.owner.asked)  # type: ignore[arg-type]
        self.it.told.connect(self.owner.messages.append)
        self.it.turn(True)
        self.idle()
        runner.requests.clear()

    def idle(self) -> None:
        self.qtbot.waitUntil(lambda: self.it.refining._job is None, timeout=60_000)

    def click(self, *at: float, negative: bool = False, wait: bool = True) -> None:
        """Click on a pixel of the image."""
        world = np.asarray(self.image.data_to_world(at))
        self.it._clicks.clicked.emit(world, negative)
        if wait:
            self.idle()

    def drag(self, drag: str, *path: tuple[float, ...], negative: bool = False) -> None:
        if self.it.state.drag != drag:
            (self.it.drag_box if drag == "box" else self.it.drag_scribble)()
        world = [np.asarray(self.image.data_to_world(at)) for at in path]
        self.it._clicks.drawing.emit(world[:2], negative)
        self.it._clicks.drawn.emit(world, negative)
        self.idle()

    @property
    def labels(self) -> Labels:
        (layer,) = (one for one in self.viewer.layers if one.name.endswith("Sa2VA"))
        return layer

    @property
    def objects(self) -> Any:
        return self.results.of(self.labels)

    @property
    def preview(self) -> np.ndarray:
        """Where the preview is drawn, in the first image's pixels."""
        shape = self.image.data.shape
        shown = np.zeros(shape, np.uint8)
        layer = self.it.drawing.preview.layer
        if layer is not None and layer.visible:
            corner = np.round(self.image.world_to_data(layer.data_to_world((0,) * layer.ndim)))
            box = tuple(
                slice(int(at), int(at) + n) for at, n in zip(corner, layer.data.shape, strict=True)
            )
            shown[box] = layer.data
        return shown


@pytest.fixture
def runner() -> DiskRunner:
    return DiskRunner()


@pytest.fixture
def open_desk(qtbot: Any, runner: DiskRunner) -> Iterator[Callable[..., Desk]]:
    desks = []

    def open_it(data: np.ndarray | None = None, **arguments: Any) -> Desk:
        data = np.zeros((60, 80), np.uint8) if data is None else data
        desks.append(Desk(qtbot, runner, data, **arguments))
        return desks[-1]

    yield open_it
    runner.hold = False
    for desk in desks:
        desk.it.close()
        desk.idle()


@pytest.fixture
def desk(open_desk: Callable[..., Desk]) -> Desk:
    return open_desk()


def disk(row: float, column: float, shape: tuple[int, int] = (60, 80)) -> np.ndarray:
    rows, columns = np.indices(shape)
    return np.hypot(rows - row, columns - column) <= RADIUS


def new_object(desk: Desk, *at: float) -> int:
    desk.it.begin_new()
    desk.click(*at)
    assert desk.it.accept()
    assert desk.it.target.last is not None
    return desk.it.target.last.label


def test_a_click_starts_an_object_that_accept_makes(desk: Desk) -> None:
    desk.it.set_phrase("mitosis")
    desk.click(20, 30)
    assert [layer.name for layer in desk.viewer.layers if "Sa2VA" in layer.name] == []
    assert np.array_equal(desk.preview > 0, disk(20, 30))
    assert desk.it.accept()
    assert np.array_equal(desk.labels.data == 1, disk(20, 30))
    assert not desk.preview.any()
    assert not len(desk.it.drawing.marks.layer.data)
    row = desk.labels.features.iloc[1]
    assert (row["phrase"], row["model"]) == ("mitosis", "demo")
    desk.objects.undo()
    assert not desk.labels.data.any()
    assert desk.objects.rows() == []
    desk.objects.redo()
    assert np.array_equal(desk.labels.data == 1, disk(20, 30))


def test_one_click_after_another_makes_one_object_after_another(desk: Desk) -> None:
    for column in (20, 40, 60):
        desk.click(30, column)
        desk.it.accept()
    assert [row.label for row in desk.objects.rows()] == [1, 2, 3]


def test_the_log_gets_what_was_asked(desk: Desk) -> None:
    new_object(desk, 20, 30)
    actions: list[Any] = []
    desk.objects.done.connect(actions.append)
    desk.it.take_selected()
    desk.click(20, 40)
    desk.it.next_candidate()
    desk.it.accept()
    (action,) = actions
    assert (action.kind, action.labels) == ("refine", (1,))
    assert action.detail["request"] == "refine"
    assert action.detail["refine"]["points"] == [[20.0, 40.0]]
    assert action.detail["candidate"] == 1


def test_clicks_that_come_meanwhile_are_asked_together(desk: Desk) -> None:
    desk.runner.hold = True
    desk.click(20, 30, wait=False)
    desk.qtbot.waitUntil(lambda: len(desk.runner.requests) == 1)
    for column in (35, 40, 45):
        desk.click(20, column, wait=False)
    desk.runner.hold = False
    desk.runner.go_on.set()
    desk.idle()
    first, second = desk.runner.requests
    assert (len(first.points), len(second.points)) == (1, 4)
    assert first.previous is None
    assert np.array_equal(second.previous, _logits(1, 0))
    assert np.array_equal(desk.preview > 0, np.any([disk(20, c) for c in (30, 35, 40, 45)], axis=0))


def test_a_click_can_be_taken_back_without_asking_again(desk: Desk) -> None:
    desk.click(20, 30)
    desk.click(20, 50)
    desk.it.undo_click()
    desk.idle()
    assert len(desk.runner.requests) == 2
    assert np.array_equal(desk.preview > 0, disk(20, 30))
    assert len(desk.it.drawing.marks.layer.data) == 1
    desk.it.undo_click()
    assert not desk.it.state.open
    assert not desk.preview.any()


def test_the_answer_to_a_click_that_was_taken_back_is_not_shown(desk: Desk) -> None:
    desk.click(20, 30)
    desk.runner.hold = True
    desk.click(40, 60, wait=False)
    desk.qtbot.waitUntil(lambda: len(desk.runner.requests) == 2)
    desk.it.undo_click()
    desk.runner.hold = False
    desk.idle()
    assert np.array_equal(desk.preview > 0, disk(20, 30))


def test_a_known_object_is_corrected_not_begun_anew(desk: Desk) -> None:
    new_object(desk, 20, 30)
    other = new_object(desk, 40, 60)
    desk.labels.selected_label = 1
    desk.labels.data_setitem((np.array([20]), np.array([37])), 1)  # not as it was accepted
    desk.runner.requests.clear()
    desk.click(20, 50)
    (request,) = desk.runner.requests
    assert request.mask is not None
    assert np.array_equal(request.mask.unpack(), desk.labels.data == 1)
    desk.click(20, 26, negative=True)
    second = desk.runner.requests[1]
    assert (second.mask, second.labels) == (None, (1, 0))
    assert np.array_equal(second.previous, _logits(1, 0))
    before = desk.labels.data.copy()
    desk.it.accept()
    assert np.array_equal(desk.labels.data == other, before == other)
    assert [row.label for row in desk.objects.rows()] == [1, 2]
    assert not desk.labels.data[20, 26]
    assert desk.labels.data[20, 50] == 1
    desk.objects.undo()
    assert np.array_equal(desk.labels.data, before)


def test_after_accept_the_next_correction_goes_on_from_its_logits(desk: Desk) -> None:
    new_object(desk, 20, 30)
    desk.it.take_selected()
    desk.click(20, 44)
    assert desk.runner.requests[1].mask is None
    assert np.array_equal(desk.runner.requests[1].previous, _logits(1, 0))


def test_to_take_away_only_also_says_what_stays(desk: Desk) -> None:
    new_object(desk, 20, 30)
    desk.it.target.last = None  # its logits are not known
    desk.it.take_selected()
    desk.click(20, 34, negative=True)
    request = desk.runner.requests[-1]
    assert request.labels == (0, 1)
    row, column = request.points[1]
    assert disk(20, 30)[round(row), round(column)]
    assert column < 30


def test_a_negative_click_on_nothing_says_what_to_do(desk: Desk) -> None:
    desk.click(20, 30, negative=True)
    assert "Click in the object first" in desk.owner.told
    assert not desk.it.state.open


def test_other_objects_keep_their_pixels(desk: Desk) -> None:
    new_object(desk, 20, 30)
    desk.click(20, 36)
    assert desk.it.state.blocked == np.count_nonzero(disk(20, 30) & disk(20, 36))
    assert "pixels stay" in desk.it.state.text
    desk.it.accept()
    assert np.array_equal(desk.labels.data == 1, disk(20, 30))
    assert np.array_equal(desk.labels.data == 2, disk(20, 36) & ~disk(20, 30))


def test_other_objects_are_replaced_but_not_locked_ones(desk: Desk) -> None:
    new_object(desk, 20, 30)
    new_object(desk, 20, 60)
    with desk.objects.step("lock", "Lock", labels=(2,)) as step:
        step.change(2, locked=True)
    desk.owner.chosen["replace"] = True
    desk.it.begin_new()
    desk.click(20, 36)
    desk.click(20, 54)
    desk.it.accept()
    assert np.array_equal(desk.labels.data == 2, disk(20, 60))
    assert np.array_equal(desk.labels.data == 3, (disk(20, 36) | disk(20, 54)) & ~disk(20, 60))


def test_a_locked_object_is_not_corrected(desk: Desk) -> None:
    new_object(desk, 20, 30)
    with desk.objects.step("lock", "Lock", labels=(1,)) as step:
        step.change(1, locked=True)
    desk.it.take_selected()
    desk.click(20, 40)
    assert "Object 1 is locked" in desk.owner.told
    assert not desk.it.state.open


def test_a_click_on_another_object_chooses_it(desk: Desk) -> None:
    new_object(desk, 20, 30)
    new_object(desk, 40, 60)
    desk.it.take_selected()
    desk.runner.requests.clear()
    desk.click(20, 30)
    assert desk.labels.selected_label == 1
    assert not desk.runner.requests
    desk.click(20, 37)
    assert desk.it.state.name == "■ 1"


def test_rejected_marks_can_be_brought_back(desk: Desk) -> None:
    desk.click(20, 30)
    desk.it.reject()
    assert not desk.preview.any()
    message = desk.owner.messages[-1]
    assert message.button == "Bring back"
    message.action()
    assert np.array_equal(desk.preview > 0, disk(20, 30))
    assert len(desk.runner.requests) == 1
    desk.it.turn(False)
    assert not desk.it.state.open
    assert not desk.it.drawing.marks.layer.visible


@pytest.mark.parametrize("ahead", [False, True], ids=["alone", "behind a look ahead"])
def test_accept_waits_for_what_is_computed(ahead: bool, desk: Desk) -> None:
    desk.runner.hold = True
    if ahead:
        desk.it._ahead.look()
    desk.click(20, 30, wait=False)
    assert not desk.it.accept()
    assert "as soon as it is found" in desk.it.state.text
    desk.runner.hold = False
    desk.idle()
    assert np.array_equal(desk.labels.data == 1, disk(20, 30))


def test_candidates_are_one_click_away(desk: Desk) -> None:
    desk.click(20, 30)
    assert (desk.it.state.candidate, desk.it.state.candidates) == (1, 3)
    desk.it.next_candidate()
    assert np.array_equal(desk.preview > 0, disk(20, 33))
    desk.click(20, 50)
    assert np.array_equal(desk.runner.requests[1].previous, _logits(1, 1))
    desk.it.previous_candidate()
    assert desk.it.state.candidate == 3


def test_a_box_and_a_scribble(desk: Desk) -> None:
    desk.drag("box", (10, 20), (15, 30), (25, 50))
    assert desk.runner.requests[-1].box == (10, 20, 25, 50)
    assert desk.preview[20, 40]
    assert len(desk.it.drawing.marks.layer.data) > 4
    desk.drag("scribble", *((20, 52 + n) for n in range(10)), negative=True)
    request = desk.runner.requests[-1]
    assert request.box == (10, 20, 25, 50)
    assert set(request.labels) == {0}
    assert request.previous is not None
    desk.it.undo_click()
    desk.it.undo_click()
    desk.drag("box", (-20, 70), (70, 100))
    assert desk.runner.requests[-1].box == (-0.5, 70, 59.5, 79.5)


def test_what_was_painted_is_taken_for_the_object(desk: Desk) -> None:
    new_object(desk, 20, 30)
    desk.labels.selected_label = 7
    desk.labels.brush_size = 9
    desk.labels.paint((40, 60), 7)
    desk.it.begin_new()
    desk.it.use_paint()
    desk.idle()
    request = desk.runner.requests[-1]
    assert request.mask is not None
    assert np.array_equal(request.mask.unpack(), desk.labels.data == 7)
    desk.click(40, 68)
    desk.it.accept()
    assert desk.labels.data[40, 68] == 7
    assert [row.label for row in desk.objects.rows()] == [1, 7]


def test_nothing_painted_is_said(desk: Desk) -> None:
    desk.it.use_paint()
    assert "Paint it first" in desk.owner.told


def test_a_failure_is_told_and_the_next_click_works(desk: Desk) -> None:
    desk.runner.error = EngineError("The model failed.")
    desk.click(20, 30)
    assert desk.owner.told == "The model failed."
    assert not desk.it.accept()
    desk.runner.error = None
    desk.click(20, 40)
    assert np.array_equal(desk.preview > 0, disk(20, 30) | disk(20, 40))


def test_a_click_beside_the_image_and_beside_the_region(desk: Desk) -> None:
    desk.click(20, 200)
    assert "outside the image" in desk.owner.told
    desk.owner.chosen["look_at"] = np.array([[10, 10], [10, 40], [40, 40], [40, 10]])
    desk.click(50, 60)
    assert "part of the image that is looked at" in desk.owner.told
    assert not desk.it.state.open
    desk.click(20, 38)
    assert desk.owner.messages[-1] is None
    region = np.zeros((60, 80), bool)
    region[10:41, 10:41] = True
    assert np.array_equal(desk.preview > 0, disk(20, 38) & region)


def test_beyond_the_region_an_object_stays(desk: Desk) -> None:
    new_object(desk, 20, 38)
    desk.owner.chosen["look_at"] = np.array([[10, 10], [10, 40], [40, 40], [40, 10]])
    desk.it.take_selected()
    desk.drag("box", (14, 14), (18, 18))
    desk.it.accept()
    kept = disk(20, 38)
    kept[10:41, 10:41] = False
    kept[14:19, 14:19] = True
    assert np.array_equal(desk.labels.data == 1, kept)


def test_another_model_starts_from_the_marks_once_it_is_known_to_be_here(desk: Desk) -> None:
    desk.click(20, 30)
    desk.click(20, 40)
    desk.owner.chosen["model"] = ModelChoice("other")
    desk.it.settings_changed()
    desk.it.refining.found_here("demo")
    desk.idle()
    assert len(desk.runner.requests) == 2  # to choose it is not to fetch it
    assert "not computed yet: a click or Accept loads other, and downloads" in desk.it.state.text
    desk.it.refining.found_here("other")
    desk.idle()
    request = desk.runner.requests[-1]
    assert (request.model.name, len(request.points), request.previous) == ("other", 2, None)
    assert "IoU about" in desk.it.state.text
    desk.owner.chosen["model"] = ModelChoice("demo")
    desk.it.settings_changed()  # it is in the package
    desk.idle()
    assert [request.model.name for request in desk.runner.requests[2:]] == ["other", "demo"]


def test_accept_asks_a_model_that_was_only_chosen(desk: Desk) -> None:
    ready: list[str] = []
    desk.it.refining.ready.connect(lambda _, model: ready.append(model.name))
    desk.click(20, 30)
    desk.owner.chosen["model"] = ModelChoice("other")
    desk.it.settings_changed()
    assert not desk.it.accept()
    desk.idle()
    assert desk.runner.requests[-1].model.name == "other"
    assert ready == ["other"]  # the first one was by then
    assert np.array_equal(desk.labels.data == 1, disk(20, 30))


def test_what_another_model_is_still_finding_is_not_shown(desk: Desk) -> None:
    desk.runner.hold = True
    desk.click(20, 30, wait=False)
    desk.qtbot.waitUntil(lambda: len(desk.runner.requests) == 1)
    desk.owner.chosen["model"] = ModelChoice("other")
    desk.it.settings_changed()
    desk.runner.hold = False
    desk.idle()
    assert len(desk.runner.requests) == 1
    assert not desk.preview.any()


def test_layers_that_go_take_the_correction_along(desk: Desk) -> None:
    new_object(desk, 20, 30)
    desk.it.take_selected()
    desk.click(20, 40)
    desk.viewer.layers.remove(desk.labels)
    assert "labels were deleted" in desk.owner.told
    assert not desk.it.state.open
    desk.click(20, 40)
    assert desk.it.state.new
    for layer in (desk.it.drawing.marks.layer, desk.it.drawing.preview.layer):
        desk.viewer.layers.remove(layer)
    desk.click(20, 50)
    assert len(desk.it.drawing.marks.layer.data) == 2
    desk.viewer.layers.remove(desk.image)
    assert "image was deleted" in desk.owner.told
    assert not desk.it.state.open


def test_in_a_stack_a_correction_stays_in_its_plane(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(np.zeros((5, 60, 80), np.uint8), axis_labels=("t", "y", "x"), scale=(3, 1, 1))
    desk.viewer.dims.set_current_step(0, 2)
    desk.click(2, 20, 30)
    desk.viewer.dims.set_current_step(0, 4)
    assert desk.it.state.elsewhere == "t 2"
    assert "waits in t 2" in desk.it.state.text
    desk.click(4, 40, 60)
    assert "is open in t 2" in desk.owner.told
    assert len(desk.runner.requests) == 1
    desk.it.go_back()
    assert desk.viewer.dims.current_step[0] == 2
    assert desk.it.state.elsewhere == ""
    desk.viewer.dims.set_current_step(0, 4)
    desk.it.accept()
    assert np.array_equal(desk.labels.data[2] == 1, disk(20, 30))
    assert desk.labels.data.any(axis=(1, 2)).tolist() == [False, False, True, False, False]
    desk.it.take_selected()
    desk.click(4, 20, 30)
    desk.it.accept()
    assert desk.labels.data.any(axis=(1, 2)).tolist() == [False, False, True, False, True]


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
@pytest.mark.parametrize(
    ("order", "arguments"),
    [
        ((0, 1, 2), {"rotate": 30, "scale": (1, 2, 2)}),
        ((0, 2, 1), {"translate": (1, -40, 7)}),
        ((1, 0, 2), {"scale": (1, 0.5, 0.5)}),
    ],
)
def test_the_mask_lies_where_was_clicked(
    open_desk: Callable[..., Desk], order: tuple[int, ...], arguments: dict[str, Any]
) -> None:
    desk = open_desk(np.zeros((40, 60, 80), np.uint8), **arguments)
    desk.viewer.dims.order = order
    at = (22, 31, 43)
    hidden = order[0]
    desk.viewer.dims.set_point(hidden, desk.image.data_to_world(at)[hidden])
    desk.click(*at)
    around = np.indices((40, 60, 80))
    centre = np.array(at)[:, None, None, None]
    expected = (np.linalg.norm(around - centre, axis=0) <= RADIUS) & (around[hidden] == at[hidden])
    assert np.array_equal(desk.preview > 0, expected)
    desk.it.accept()
    assert np.array_equal(desk.labels.data == 1, expected)


def test_channels_and_colour(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(np.zeros((60, 80, 3), np.uint8), rgb=True)
    desk.click(20, 30)
    assert desk.runner.requests[-1].frames[0].shape == (60, 80, 3)
    desk.it.accept()
    assert desk.labels.data.shape == (60, 80)


def test_masks_of_a_reduced_level(open_desk: Callable[..., Desk]) -> None:
    full = np.zeros((4096, 4096), np.uint8)
    desk = open_desk([full, full[::8, ::8]], multiscale=True)  # type: ignore[arg-type]
    desk.click(2000, 1000)
    desk.it.accept()
    layer = desk.labels
    rows, columns = np.nonzero(layer.data)
    centre = layer.data_to_world((rows.mean(), columns.mean()))
    assert centre == pytest.approx((2000, 1000), abs=9)


def test_propagation_starts_from_the_corrected_plane(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(np.zeros((6, 60, 80), np.uint8))
    desk.viewer.dims.set_current_step(0, 2)
    assert desk.it.to_propagate("both") is None
    assert "Select the object" in desk.owner.told
    desk.it.set_phrase("cell")
    desk.click(2, 20, 30)
    found = desk.it.to_propagate("forward")  # accepts what is open
    assert found is not None
    assert np.array_equal(desk.labels.data[2] == 1, disk(20, 30))
    ((mask,),) = found.masks.values()
    assert list(found.masks) == [2]
    assert np.array_equal(mask, disk(20, 30))
    assert (found.into, found.phrases) == ((1,), ("cell",))
    assert (found.track.direction, found.track.within) == ("forward", (0, 6))
    desk.viewer.dims.set_current_step(0, 5)
    desk.owner.chosen["track"] = TrackOptions(0, "spread", "both", "official", (1, 4), 5)
    found = desk.it.to_propagate("backward")
    assert found is not None
    assert list(found.masks) == [2]
    track = found.track
    assert (track.method, track.within, track.check_every) == ("official", (1, 4), 0)


def test_what_was_accepted_on_another_image_is_not_propagated(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk(np.zeros((3, 60, 80), np.uint8))
    desk.viewer.dims.set_current_step(0, 0)
    new_object(desk, 0, 20, 30)
    first = desk.labels
    second = desk.viewer.add_image(np.zeros((3, 60, 80), np.uint8), name="second")
    desk.owner.images = (second,)
    assert new_object(desk, 0, 40, 60) == 1
    desk.owner.images = (desk.image,)
    desk.it.target.follow(desk.results.of(first))  # as the dock does
    for choose in (desk.it.begin_new, desk.it.take_selected):
        choose()
        found = desk.it.to_propagate("both")
        assert found is not None
        ((mask,),) = found.masks.values()
        assert np.array_equal(mask, disk(20, 30))
        assert (found.into, found.asked.target) == ((1,), first)


def test_the_brush_in_hand_has_the_mouse(desk: Desk) -> None:
    new_object(desk, 20, 30)
    desk.viewer.layers.selection.active = desk.labels
    desk.labels.mode = "paint"
    assert desk.it.state.in_hand == "paint"
    assert "“paint”" in desk.it.state.text
    desk.it.drag_box()
    assert desk.labels.mode == "pan_zoom"
    assert desk.it.state.in_hand == ""


def test_while_corrections_are_off_nothing_is_added(qtbot: Any, runner: DiskRunner) -> None:
    viewer = ViewerModel()
    owner = Owner(viewer)
    it = Correcting(viewer, results_of(viewer), runner, owner.asked)  # type: ignore[arg-type]
    it.told.connect(owner.messages.append)
    doubles = list(viewer.mouse_double_click_callbacks)
    it.turn(True)
    assert "Open one" in owner.told
    assert not it.state.on
    viewer.add_image(np.zeros((9, 9)), name="image")
    it.turn(True)
    assert viewer.mouse_double_click_callbacks != doubles
    qtbot.waitUntil(lambda: it.refining._job is None, timeout=60_000)
    it.turn(False)
    assert viewer.mouse_double_click_callbacks == doubles
    assert (
        not viewer.mouse_drag_callbacks or it._clicks._on_press not in viewer.mouse_drag_callbacks
    )
    it.close()


def test_a_correction_goes_into_the_layer_that_it_is_of(desk: Desk) -> None:
    new_object(desk, 20, 30)
    own = desk.labels
    desk.it.take_selected()
    desk.click(20, 40)
    above = desk.viewer.add_labels(
        np.full((60, 80), 1, np.int32),
        metadata={METADATA: dict(own.metadata[METADATA])},
    )
    assert desk.it.accept()
    assert np.array_equal(own.data == 1, disk(20, 40))
    assert (above.data == 1).all()


def test_an_object_that_is_gone_is_not_written_into(desk: Desk) -> None:
    new_object(desk, 20, 30)
    desk.it.take_selected()
    desk.click(20, 40)
    desk.objects.undo()
    assert not desk.it.accept()
    assert "Object 1 is not there any more" in desk.owner.told
    assert desk.it.state.open
    assert desk.it.state.name == "the new object"
    assert not desk.labels.data.any()
    assert desk.it.accept()
    (row,) = desk.objects.rows()
    assert np.array_equal(desk.labels.data == row.label, disk(20, 40))
    desk.objects.undo()
    assert not desk.labels.data.any()


def test_once_closed_it_follows_no_layer(desk: Desk) -> None:
    new_object(desk, 20, 30)
    other = desk.viewer.add_labels(np.zeros((60, 80), np.int32))
    states: list[Any] = []
    desk.it.state_changed.connect(states.append)
    for layer in (other, desk.labels):
        desk.viewer.layers.selection.active = layer
    other.mode = "paint"
    assert desk.it.state.in_hand == ""
    desk.labels.mode = "paint"
    assert desk.it.state.in_hand == "paint"
    desk.it.close()
    states.clear()
    for layer in (other, desk.labels):
        layer.mode = "erase"
        desk.viewer.layers.selection.active = layer
    desk.it.toggle()
    assert not states
