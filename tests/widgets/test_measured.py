"""Numbers beside words: what is copied is what is shown."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.components import ViewerModel

from napari_sa2va.annotation import ObjectRecord, ObjectTable
from napari_sa2va.annotation.measure_text import said_lines
from napari_sa2va.viewer.objects import LabelObjects
from napari_sa2va.widgets.measured_panel import MeasuredPanel


def test_numbers_of_before_an_edit_are_not_copied(qtbot: Any) -> None:
    viewer = ViewerModel()
    data = np.zeros((20, 20), np.int32)
    data[3:5, 3:5] = 1
    row = ObjectRecord(1, "cell", "", 0.9, 0.8, 1.0, "pixel", "demo", "2026-11-23")
    labels = viewer.add_labels(data, features=ObjectTable([row]).features())
    objects = LabelObjects(viewer, labels)
    panel = MeasuredPanel(viewer)
    qtbot.addWidget(panel)
    said: list[Any] = []
    panel.told.connect(said.append)
    panel.show_objects(objects)
    panel.choose([1])
    panel.measure()
    qtbot.waitUntil(panel.copy_button.isEnabled)
    labels.data_setitem((np.array([9]), np.array([9])), 1)
    panel.measure_if_cheap()  # nobody sees it: it waits to be asked
    assert panel.measured.text() == "a large plane to read"
    assert not panel.copy_button.isEnabled()
    panel.copy()
    assert "Nothing is measured" in said[-1].text


def test_an_answer_with_several_masks_names_none_of_them_as_this_object_s() -> None:
    rest = ("demo", "2026-11-23")
    one = ObjectRecord(6, "a red cell", "Sure, [SEG].", 0.9, 0.8, 1.0, "pixel", *rest)
    caption = "<p> A red cell </p> [SEG] and <p> a cyan cell </p> [SEG]."
    two = ObjectRecord(6, "a cyan cell", caption, 0.9, 0.8, 1.0, "pixel", *rest)
    assert said_lines(one)[-1] == "Sure, ■ 6."
    assert said_lines(two)[-1] == "A red cell ■ and a cyan cell ■."
