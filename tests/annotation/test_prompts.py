"""Clicks, scribbles, boxes and paint become what a model is told."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sa2va.annotation.packed import PackedMask
from napari_sa2va.annotation.prompts import (
    MOST_OF_A_STROKE,
    Box,
    Click,
    Marks,
    Paint,
    Scribble,
    along,
    anchor,
    border,
    box_around,
    is_in,
)

SHAPE = (64, 64)
YES, NO = Click((10.0, 10.0), True), Click((20.0, 20.0), False)
BOX = Box((5.0, 5.0, 30.0, 30.0))


def disks(*centres: tuple[int, int], radius: int = 8) -> np.ndarray:
    rows, columns = np.indices(SHAPE)
    return np.any([np.hypot(rows - r, columns - c) <= radius for r, c in centres], axis=0)


def marks(*given: Click | Scribble | Box | Paint, base: np.ndarray | None = None) -> Marks[str]:
    return Marks(SHAPE, None if base is None else PackedMask.pack(base), list(given))


def test_all_clicks_go_along_with_the_newest_earlier_result() -> None:
    object_ = marks(YES)
    object_.note(object_.state, "first")
    object_.add(NO)
    said = object_.said()
    assert said.points == ((10, 10), (20, 20))
    assert said.labels == (1, 0)
    assert said.earlier == "first"
    assert said.mask is None


def test_clicks_that_came_meanwhile_are_told_together() -> None:
    object_ = marks(YES)
    object_.note(object_.state, "first")
    for _ in range(3):
        object_.add(NO)
    assert (len(object_.said().points), object_.said().earlier) == (4, "first")
    object_.note(object_.state, "all")
    assert object_.answer == "all"
    # The one before was never computed: undoing goes back to it from the first.
    object_.undo()
    assert (object_.answer, object_.latest) == (None, "first")


def test_the_object_as_it_was_is_sent_until_there_is_a_result() -> None:
    base = disks((30, 30))
    object_ = marks(YES, base=base)
    mask = object_.said().mask
    assert mask is not None
    assert np.array_equal(mask.unpack(), base)
    object_.note(object_.state, "first")
    object_.add(NO)
    assert object_.said().mask is None


def test_what_was_found_for_a_click_that_was_taken_back_is_dropped() -> None:
    object_ = marks(YES, NO)
    state = object_.state
    object_.undo()
    object_.add(YES)
    assert not object_.note(state, "late")
    assert object_.answer is None
    assert object_.note((YES,), "in time")
    assert object_.said().earlier == "in time"


def test_a_result_from_before_any_click_counts() -> None:
    object_ = marks(base=disks((30, 30)))
    object_.found[0] = "accepted"
    object_.add(NO)
    assert object_.said().earlier == "accepted"
    assert object_.undo() is NO
    assert object_.undo() is None
    assert object_.answer == "accepted"


def test_a_box_begins_anew() -> None:
    object_ = marks(YES, base=disks((30, 30)))
    object_.note(object_.state, "first")
    object_.add(BOX)
    said = object_.said()
    assert (said.mask, said.earlier, said.box) == (None, None, BOX.sides)
    assert said.labels == (1,)
    object_.note(object_.state, "boxed")
    object_.add(NO)
    assert (object_.said().earlier, object_.said().box) == ("boxed", BOX.sides)


def test_paint_is_the_object() -> None:
    painted = PackedMask.pack(disks((40, 40)))
    object_ = marks(Paint(painted), base=disks((10, 10)))
    object_.found[0] = "accepted"
    assert (object_.said().mask, object_.said().earlier) == (painted, None)


def test_a_stroke_is_told_as_a_few_points_on_it() -> None:
    path = tuple((0.5 * step, 60 - 0.5 * step) for step in range(120))
    object_ = marks(Scribble(path, False), YES)
    said = object_.said()
    assert len(said.points) == MOST_OF_A_STROKE + 1
    assert said.labels == (0,) * MOST_OF_A_STROKE + (1,)
    for row, column in said.points[:-1]:
        assert row + column == pytest.approx(60)
    assert along([(3, 4)], 5) == [(3, 4)]
    assert along([(3, 4), (3, 4)], 5) == [(3, 4)]


def test_what_stays_is_said_where_only_what_goes_was_clicked() -> None:
    # Two cells that were taken for one; the larger, whose middle lies deepest, is not wanted.
    both = disks((20, 20), radius=12) | disks((50, 50), radius=6) | disks((35, 35), radius=4)
    said = marks(Click((20, 20), False), base=both).said()
    assert said.labels == (0, 1)
    row, column = said.points[1]
    assert disks((50, 50), radius=6)[round(row), round(column)]
    # With a click in the object, that is enough.
    assert len(marks(Click((20, 20), False), YES, base=both).said().points) == 2


def test_an_anchor_lies_in_masks_thinner_than_a_step() -> None:
    line = np.zeros((2000, 2000), bool)
    line[7, 10:1990] = True
    row, column = anchor(PackedMask.pack(line), [(7.0, 20.0)])
    assert line[round(row), round(column)]
    assert column > 500


def test_boxes_are_put_in_order_and_cut_off() -> None:
    assert box_around((30, 70), (-9, 5), SHAPE) == Box((-0.5, 5, 30, 63.5))
    assert box_around((-9, -9), (-3, 40), SHAPE) is None
    assert box_around((3, 3), (3, 40), SHAPE) is None
    assert is_in((-0.5, 63.5), SHAPE)
    assert not is_in((-0.6, 3), SHAPE)


@pytest.mark.parametrize("thickness", [1, 3])
def test_a_border_is_as_thick_as_asked_for(thickness: int) -> None:
    mask = np.zeros((20, 20), bool)
    mask[:, 4:] = True
    inner = np.zeros_like(mask)
    inner[thickness : 20 - thickness, 4 + thickness : 20 - thickness] = True
    assert np.array_equal(border(mask, thickness), mask & ~inner)
