"""How long the objects section takes with 1,000 objects: ``python benchmarks/objects.py``.

Needs a screen, and draws no canvas: the layers are in a viewer without a window, the table in a
window of its own. 1,000 objects in an image of 2048 by 2048 pixels; printed are, of ten runs each
and in milliseconds, the median and the longest time, and the median of the processor's time, which
other work on the machine does not lengthen. Aim: under 100 for the table, a selection, a rename
and an undo.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

os.environ["NAPARI_CONFIG"] = str(Path(tempfile.mkdtemp()) / "settings.yaml")

import numpy as np
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_sa2va.annotation import ObjectRecord
from napari_sa2va.viewer import object_actions
from napari_sa2va.viewer.entries import NOWHERE, Entry, Spot
from napari_sa2va.viewer.objects import LabelObjects
from napari_sa2va.widgets.objects_model import Column
from napari_sa2va.widgets.objects_panel import ObjectsPanel

if TYPE_CHECKING:
    from collections.abc import Callable

COUNT, SIDE, GRID, RADIUS = 1000, 2048, 64, 24
PLANE = (None, None)
RUNS = 10


def find(objects: LabelObjects) -> None:
    """Paint a grid of disks in one step."""
    rows, columns = np.mgrid[-RADIUS : RADIUS + 1, -RADIUS : RADIUS + 1]
    disk = np.hypot(rows, columns) <= RADIUS
    scores = np.random.default_rng(0).random(COUNT)
    with objects.step("run", "Find") as step:
        for number in range(COUNT):
            label = number + 1
            middle = [GRID * at + GRID // 2 for at in divmod(number, SIDE // GRID)]
            box = tuple(slice(at - RADIUS, at + RADIUS + 1) for at in middle)
            record = ObjectRecord(
                label, f"cell {label}", "", scores[number], 0.9, 0.0, "pixel", "demo", "now"
            )
            step.add(Entry(record, {PLANE: Spot(NOWHERE)}))
            step.paint(PLANE, (box[0], box[1]), disk, label)


def report(name: str, act: Callable[[int], object]) -> None:
    """Print how long something takes, the events that it posts to Qt included."""
    times, busy = [], []
    for number in range(RUNS):
        QApplication.processEvents()
        start, used = time.perf_counter(), time.process_time()
        act(number)
        QApplication.processEvents()
        times.append((time.perf_counter() - start) * 1000)
        busy.append((time.process_time() - used) * 1000)
    typical, longest, cpu = statistics.median(times), max(times), statistics.median(busy)
    sys.stdout.write(f"{name:28} {typical:7.1f} {longest:7.1f} {cpu:7.1f}\n")


def main() -> None:
    """Print the times."""
    application = QApplication.instance() or QApplication([])
    viewer = ViewerModel()
    labels = viewer.add_labels(np.zeros((SIDE, SIDE), dtype=np.int32))
    labels.brush_size = 20
    objects = LabelObjects(viewer, labels, empty=True)
    panel = ObjectsPanel(viewer)
    panel.resize(320, 600)
    panel.show()
    start = time.perf_counter()
    find(objects)
    sys.stdout.write(f"painting {COUNT} objects: {time.perf_counter() - start:.1f} s\n")

    def table(number: int) -> None:
        panel.show_objects(None)
        panel.show_objects(objects)

    def sort(number: int) -> None:
        panel.table.sortByColumn(Column(number % 3), Qt.SortOrder(number % 2))

    def stroke(number: int) -> None:
        labels._begin_stroke()  # as when the mouse button goes down
        labels.paint((100 + number, 100), 7)
        labels._commit_stroke()

    for name, act in (
        ("table: all rows anew", table),
        ("table: read again", lambda _: panel.refresh()),
        ("table: sort", sort),
        ("select in the table", lambda n: panel.table.selectRow(37 * n)),
        ("select the label", lambda n: setattr(labels, "selected_label", 23 * n + 1)),
        ("rename", lambda n: panel.commands.take_text(5 * n + 3, "phrase", f"name {n}")),
        ("undo of a rename", lambda _: panel.commands.undo()),
        ("redo of a rename", lambda _: panel.commands.redo()),
        ("accept and next", lambda _: panel.commands.review_next() or panel.commands.accept()),
        ("merge two", lambda n: object_actions.merge(objects, [2 * n + 500, 2 * n + 501])),
        ("undo of a merge", lambda _: objects.undo()),
        ("delete", lambda n: object_actions.delete(objects, [n + 600])),
        ("undo of a delete", lambda _: objects.undo()),
        ("stroke of napari's brush", stroke),
        ("undo of a stroke", lambda _: objects.undo()),
        (
            "colour",
            lambda n: object_actions.recolour(objects, [n + 1], f"#ff00{n:02x}"),
        ),
        (
            "reject all",
            lambda n: object_actions.set_status(
                objects, [row.label for row in objects.rows()], ("rejected", "accepted")[n % 2]
            ),
        ),
    ):
        report(name, act)
    panel.close()
    application.processEvents()


if __name__ == "__main__":
    main()
