"""The objects section: choosing, judging, writing in the table, reviewing."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QItemSelectionModel, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QColorDialog, QLineEdit

from napari_sa2va.annotation import ObjectRecord
from napari_sa2va.viewer.entries import NOWHERE, Entry, Spot
from napari_sa2va.viewer.objects import LabelObjects
from napari_sa2va.widgets.objects_model import Column
from napari_sa2va.widgets.objects_panel import ObjectsPanel
from napari_sa2va.widgets.review import review_order, tally

PLANE = (None, None)
SCORES = {1: 0.9, 2: 0.4, 3: 0.7, 4: math.nan}


def record(label: int, **fields: Any) -> ObjectRecord:
    named = {"phrase": f"cell {label}", "score": SCORES.get(label, 0.5)} | fields
    return ObjectRecord(
        label=label, answer="", iou=0.8, area=0, area_unit="pixel", model="m", created="", **named
    )


def add(objects: LabelObjects, label: int, **fields: Any) -> None:
    """Let a run find a square."""
    with objects.step("run", "Find") as step:
        step.add(Entry(record(label, **fields), {PLANE: Spot(NOWHERE)}))
        box = slice(8 * label, 8 * label + 4), slice(8 * label, 8 * label + 4)
        step.paint(PLANE, box, np.ones((4, 4), dtype=bool), label)


@pytest.fixture
def objects() -> LabelObjects:
    viewer = ViewerModel()
    objects = LabelObjects(viewer, viewer.add_labels(np.zeros((64, 64), np.int32)), empty=True)
    for label in SCORES:
        add(objects, label)
    return objects


@pytest.fixture
def panel(objects: LabelObjects, qtbot: Any) -> ObjectsPanel:
    panel = ObjectsPanel(objects.viewer)
    qtbot.addWidget(panel)
    panel.show_objects(objects)
    panel.resize(320, 400)
    panel.show()
    panel.said = []
    panel.told.connect(panel.said.append)
    return panel


def rows(objects: LabelObjects) -> dict[int, ObjectRecord]:
    return {row.label: row for row in objects.rows()}


def select(panel: ObjectsPanel, *labels: int) -> None:
    """Click rows, with Ctrl held from the second on."""
    flags = QItemSelectionModel.SelectionFlag
    how = flags.ClearAndSelect
    for label in labels:
        index = panel.model.index(panel.model.row_of(label), 0)
        panel.table.selectionModel().setCurrentIndex(index, how | flags.Rows)
        how = flags.Select


def shown(panel: ObjectsPanel, column: Column) -> list[str]:
    return [panel.model.index(row, column).data() for row in range(panel.model.rowCount())]


# --- choosing ---


def test_choosing_rows_chooses_labels_and_the_other_way_round(
    panel: ObjectsPanel, objects: LabelObjects
) -> None:
    select(panel, 3)
    assert objects.labels.selected_label == 3
    objects.labels.selected_label = 2
    assert panel.table.chosen == [2]
    select(panel, 2, 4, 1)
    assert objects.labels.selected_label == 1
    assert panel.table.chosen == [1, 2, 4]  # the one with the focus first
    objects.labels.selected_label = 40
    assert panel.table.chosen == []


def test_a_choice_of_several_stays_while_rows_change(
    panel: ObjectsPanel, objects: LabelObjects
) -> None:
    select(panel, 2, 4)
    panel.commands.accept()
    add(objects, 5)
    assert panel.table.chosen == [4, 2]
    assert {row.label: row.status for row in objects.rows()} == {
        1: "proposed",
        2: "accepted",
        3: "proposed",
        4: "accepted",
        5: "proposed",
    }


def test_sorting_keeps_the_choice_and_new_rows_take_their_place(
    panel: ObjectsPanel, objects: LabelObjects
) -> None:
    select(panel, 3)
    panel.table.sortByColumn(Column.SCORE, Qt.SortOrder.AscendingOrder)
    assert shown(panel, Column.LABEL) == ["4", "2", "3", "1"]
    assert panel.table.chosen == [3]
    add(objects, 5, score=0.6)
    assert shown(panel, Column.LABEL) == ["4", "2", "5", "3", "1"]
    panel.table.sortByColumn(Column.STATUS, Qt.SortOrder.AscendingOrder)
    panel.commands.flag()
    assert shown(panel, Column.LABEL) == ["3", "1", "2", "4", "5"]
    assert panel.table.chosen == [3]


def test_columns_make_room_for_notes(panel: ObjectsPanel, objects: LabelObjects) -> None:
    table = panel.table
    assert table.isColumnHidden(Column.NOTE) and not table.isColumnHidden(Column.AREA)
    select(panel, 2)
    panel.commands.take_text(2, "note", "look here")
    assert not table.isColumnHidden(Column.NOTE) and table.isColumnHidden(Column.AREA)
    panel.resize(700, 400)
    assert not table.isColumnHidden(Column.NOTE) and not table.isColumnHidden(Column.AREA)


def test_another_layer(panel: ObjectsPanel, objects: LabelObjects) -> None:
    panel.commands.review()
    other = LabelObjects(
        objects.viewer, objects.viewer.add_labels(np.zeros((64, 64), np.int32)), empty=True
    )
    panel.show_objects(other)
    assert panel.model.rowCount() == 0 and not panel.review.active
    add(objects, 5)
    assert panel.model.rowCount() == 0
    assert not panel.accept.isEnabled() and not panel.undo.isEnabled()
    panel.show_objects(None)
    panel.commands.undo()
    panel.show_objects(objects)
    assert panel.model.rowCount() == 5


# --- what is shown ---


def test_status_and_lock_are_shown_and_told_to_screen_readers(
    panel: ObjectsPanel, objects: LabelObjects
) -> None:
    def of(label: int, role: Qt.ItemDataRole, column: Column = Column.STATUS) -> Any:
        return panel.model.index(panel.model.row_of(label), column).data(role)

    assert of(1, Qt.ItemDataRole.DecorationRole) is None
    assert of(1, Qt.ItemDataRole.AccessibleTextRole) == "proposed"
    select(panel, 1)
    panel.commands.reject()
    panel.commands.lock()
    assert not of(1, Qt.ItemDataRole.DecorationRole).isNull()
    assert of(1, Qt.ItemDataRole.AccessibleTextRole) == "rejected, locked"
    assert of(1, Qt.ItemDataRole.FontRole, Column.PHRASE).strikeOut()
    assert of(2, Qt.ItemDataRole.FontRole, Column.PHRASE) is None
    with objects.step("describe", "Describe 2", labels=(2,)) as step:
        step.change(2, description="A round cell.", looked="a crop", note="mine")
    tip = of(2, Qt.ItemDataRole.ToolTipRole)
    assert "A round cell." in tip and "a crop" in tip and "mine" in tip
    assert "score 0.400 (mean probability inside the mask)" in tip and "overlap 0.800" in tip


def test_undo_and_redo_say_what_they_would_do(panel: ObjectsPanel, objects: LabelObjects) -> None:
    assert panel.undo.isEnabled() and not panel.redo.isEnabled()
    panel.commands.take_text(2, "phrase", "mitosis")
    assert "Undo: Rename 2 to “mitosis”" in panel.undo.toolTip()
    panel.undo.click()
    assert rows(objects)[2].phrase == "cell 2"
    assert "Redo: Rename 2" in panel.redo.toolTip()
    panel.redo.click()
    assert rows(objects)[2].phrase == "mitosis"
    assert not panel.redo.isEnabled()
    panel.commands.redo()
    assert panel.said[-1].text == "There is nothing to redo."


# --- writing in the table ---


def editor(panel: ObjectsPanel) -> QLineEdit:
    (field,) = panel.table.viewport().findChildren(QLineEdit)
    return field


def test_a_phrase_is_edited_in_place(
    panel: ObjectsPanel, objects: LabelObjects, qtbot: Any
) -> None:
    select(panel, 2)
    panel.commands.rename()
    field = editor(panel)
    assert field.text() == "cell 2"
    field.selectAll()
    qtbot.keyClicks(field, "good window")  # letters that are keys of actions, too
    qtbot.keyClick(field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: not panel.table.editing)
    assert rows(objects)[2].phrase == "good window"
    assert rows(objects)[2].status == "proposed"
    assert objects.undo_text == "Rename 2 to “good window”"


def test_nothing_disturbs_an_edit(panel: ObjectsPanel, objects: LabelObjects, qtbot: Any) -> None:
    select(panel, 2)
    panel.table.sortByColumn(Column.PHRASE, Qt.SortOrder.DescendingOrder)
    panel.commands.note()
    field = editor(panel)
    qtbot.keyClicks(field, "half")
    # What a run does meanwhile: objects come and go, numbers and the selected label change.
    add(objects, 5, phrase="zebra")
    objects.describe([2], score=0.1)
    objects.labels.selected_label = 5
    with objects.step("delete", "Delete 1") as step:
        step.paint(PLANE, (slice(0, 64), slice(0, 64)), objects.labels.data == 1, 0)
    assert panel.table.editing and editor(panel) is field and field.text() == "half"
    qtbot.keyClicks(field, " done")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: not panel.table.editing)
    assert {label: row.note for label, row in rows(objects).items()} == {
        2: "half done",
        3: "",
        4: "",
        5: "",
    }


def test_escape_leaves_it_as_it_was(panel: ObjectsPanel, objects: LabelObjects, qtbot: Any) -> None:
    text = objects.undo_text
    select(panel, 2)
    panel.commands.rename()
    qtbot.keyClicks(editor(panel), "x")
    qtbot.keyClick(editor(panel), Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not panel.table.editing)
    assert rows(objects)[2].phrase == "cell 2" and objects.undo_text == text


# --- acting ---


def test_without_a_choice_one_is_told_to_choose(panel: ObjectsPanel, objects: LabelObjects) -> None:
    objects.labels.selected_label = 40
    for name in ("accept", "rename", "merge", "delete", "describe", "rerun", "lock", "recolour"):
        panel.said.clear()
        panel.commands.by_name[name]()
        assert "Choose an object" in panel.said[0].text, name


def test_a_second_accept_takes_it_back(panel: ObjectsPanel, objects: LabelObjects) -> None:
    select(panel, 1, 2)
    panel.accept.click()
    panel.accept.click()
    assert {row.status for row in objects.rows()} == {"proposed"}
    panel.reject.click()
    assert rows(objects)[1].status == rows(objects)[2].status == "rejected"


def test_merging_goes_to_the_row_with_the_focus(panel: ObjectsPanel, objects: LabelObjects) -> None:
    select(panel, 1, 3)
    panel.commands.merge()
    assert sorted(rows(objects)) == [2, 3, 4]
    assert rows(objects)[3].area == 32
    assert panel.table.chosen == [3]
    panel.commands.split()
    assert sorted(rows(objects)) == [2, 3, 4, 5]


def test_locked_objects_say_why_not(panel: ObjectsPanel, objects: LabelObjects) -> None:
    select(panel, 1)
    panel.commands.lock()
    panel.commands.delete()
    assert panel.said[-1].level == "warning"
    assert "Object 1 is locked" in panel.said[-1].text
    panel.commands.lock()
    panel.commands.delete()
    assert 1 not in rows(objects)


def test_delete_rejected_and_undo_of_one_object(panel: ObjectsPanel, objects: LabelObjects) -> None:
    select(panel, 1, 2)
    panel.commands.reject()
    panel.commands.delete_rejected()
    assert sorted(rows(objects)) == [3, 4]
    panel.commands.undo()
    select(panel, 2)
    panel.commands.undo_object()
    assert (rows(objects)[1].status, rows(objects)[2].status) == ("rejected", "proposed")


def test_describe_and_rerun_are_passed_on(panel: ObjectsPanel, qtbot: Any) -> None:
    select(panel, 1, 2)
    with qtbot.waitSignal(panel.describe_clicked) as described:
        panel.describe.click()
    with qtbot.waitSignal(panel.rerun_clicked) as rerun:
        panel.commands.rerun()
    assert (described.args, rerun.args) == ([[2, 1]], [2])


def test_a_colour_is_chosen_shown_and_taken_back(
    panel: ObjectsPanel, objects: LabelObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = objects.labels.get_color(2)
    monkeypatch.setattr(QColorDialog, "getColor", lambda *_: QColor("#ff8000"))
    select(panel, 2)
    panel.commands.recolour()
    assert rows(objects)[2].color == "#ff8000"
    assert [round(255 * float(part)) for part in objects.labels.get_color(2)] == [255, 128, 0, 255]
    objects.undo()
    np.testing.assert_array_equal(objects.labels.get_color(2), before)
    objects.redo()
    panel.commands.layer_colour()
    np.testing.assert_array_equal(objects.labels.get_color(2), before)
    monkeypatch.setattr(QColorDialog, "getColor", lambda *_: QColor())  # cancelled
    panel.commands.recolour()
    assert rows(objects)[2].color == ""


def test_labels_of_others_get_rows(panel: ObjectsPanel, objects: LabelObjects) -> None:
    objects.labels.data[50:54, 2:6] = 30
    objects.labels.refresh()
    assert 30 not in rows(objects)
    panel.commands.adopt()
    assert shown(panel, Column.LABEL) == ["1", "2", "3", "4", "30"]
    assert (rows(objects)[30].area, rows(objects)[30].author) == (16, "user")
    panel.commands.adopt()
    assert panel.said[-1].text == "All labels in this plane have rows."
    panel.commands.delete_rejected()
    assert "no rejected objects" in panel.said[-1].text


def test_writing_in_a_folded_table_is_refused(panel: ObjectsPanel) -> None:
    select(panel, 2)
    panel.hide()
    panel.commands.rename()
    assert "Unfold Objects" in panel.said[-1].text and not panel.table.editing


def test_the_menu_offers_what_can_be_done(panel: ObjectsPanel, objects: LabelObjects) -> None:
    def offered() -> dict[str, tuple[str, bool]]:
        panel.menu.fill()
        named = [action for action in panel.menu.actions() if action.objectName()]
        return {action.objectName(): (action.text(), action.isEnabled()) for action in named}

    select(panel, 1)
    assert offered()["merge"] == ("Merge\tShift+M", False)
    assert offered()["delete_rejected"] == ("Delete rejected (0)\tAlt+X", False)
    assert offered()["layer_colour"][1] is False
    assert offered()["lock"] == ("Lock\tShift+K", True)
    panel.commands.lock()
    assert offered()["lock"] == ("Unlock\tShift+K", True)
    select(panel, 1, 2)
    panel.commands.reject()
    assert offered()["merge"] == ("Merge into 2\tShift+M", True)
    (act,) = (one for one in panel.menu.actions() if one.objectName() == "delete_rejected")
    assert act.text() == "Delete rejected (1)\tAlt+X"  # the other is locked
    act.trigger()
    assert sorted(rows(objects)) == [1, 3, 4]
    panel.show_objects(None)
    assert not any(enabled for _, enabled in offered().values())


# --- reviewing ---


def test_the_worst_score_comes_first() -> None:
    records = [record(label) for label in (4, 1, 2, 3)]
    assert review_order(records) == [2, 3, 1, 4]
    judged = [replace(one, status="accepted") for one in records]
    assert review_order([judged[0], *records[1:]]) == [2, 3, 1]
    assert review_order([replace(judged[1], status="rejected")]) == [1]
    assert review_order(judged) == [2, 3, 1, 4]  # all again
    assert tally([*judged[:3], replace(records[3], flagged=(2,))], [1, 2, 3]) == (
        "Review done: 2 accepted, 1 flagged."
    )


def test_a_review_by_keys(panel: ObjectsPanel, objects: LabelObjects) -> None:
    act = panel.commands.by_name
    assert not panel.review.isVisible()
    act["review"]()
    assert panel.review.isVisible() and panel.review.count.text() == "Review: 1 of 4"
    assert panel.table.chosen == [2] and objects.labels.selected_label == 2
    centre = objects.viewer.scene.camera.center[-2:]
    assert objects.labels.data[tuple(round(float(at)) for at in centre)] == 2
    act["accept"]()
    assert panel.review.count.text() == "Review: 2 of 4" and panel.table.chosen == [3]
    act["review_next"]()
    act["review_previous"]()
    assert panel.table.chosen == [3]
    act["reject"]()
    act["flag"]()
    assert panel.table.chosen == [4]
    act["review_previous"]()
    act["review_previous"]()
    act["reject"]()  # again: it stays rejected
    act["review_next"]()
    assert panel.review.active
    act["accept"]()
    assert not panel.review.isVisible()
    assert panel.said[-1].text == "Review done: 2 accepted, 1 flagged, 1 rejected."
    assert {row.label: row.status for row in objects.rows()} == {
        1: "flagged",
        2: "accepted",
        3: "rejected",
        4: "accepted",
    }


def test_judging_something_else_in_a_review_does_not_go_on(
    panel: ObjectsPanel, objects: LabelObjects
) -> None:
    panel.start.click()
    select(panel, 4)
    panel.commands.accept()
    assert rows(objects)[4].status == "accepted" and rows(objects)[2].status == "proposed"
    assert panel.review.current == 2
    panel.review.next.click()
    assert panel.table.chosen == [3]
    panel.review.close_button.click()
    assert not panel.review.active


def test_objects_that_go_during_a_review_are_left_out(
    panel: ObjectsPanel, objects: LabelObjects
) -> None:
    panel.commands.review()
    panel.commands.delete()
    assert panel.review.count.text() == "Review: 1 of 3" and panel.table.chosen == [3]
    select(panel, 1)
    panel.commands.delete()
    assert panel.review.count.text() == "Review: 1 of 2" and panel.review.current == 3
    select(panel, 4, 3)
    panel.commands.delete()
    assert not panel.review.active and not panel.review.isVisible()
    panel.commands.review()
    assert panel.said[-1].text == "There are no objects to review yet."
