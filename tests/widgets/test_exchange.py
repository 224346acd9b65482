"""Export, import and measurements in the dock, without a window of napari."""

from __future__ import annotations

import csv
import io
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QEvent, QItemSelectionModel
from qtpy.QtWidgets import QApplication, QFileDialog, QMessageBox

from napari_sa2va.annotation import ObjectRecord, ObjectTable
from napari_sa2va.io.export import FORMATS
from napari_sa2va.io.import_labels import read_labels
from napari_sa2va.viewer.labels import METADATA
from napari_sa2va.viewer.object_actions import delete
from napari_sa2va.viewer.objects import LabelObjects
from napari_sa2va.viewer.results import Results
from napari_sa2va.widgets import measured_panel
from napari_sa2va.widgets.exchange import Exchange, named_as
from napari_sa2va.widgets.exchange_left import Changes
from napari_sa2va.widgets.objects_panel import ObjectsPanel

if TYPE_CHECKING:
    from napari.layers import Image

GEOMETRY: Any = {"scale": (2.0, 0.5, 0.25), "units": ("um",) * 3, "axis_labels": ("z", "y", "x")}


def record(label: int, **changes: Any) -> ObjectRecord:
    made = ObjectRecord(
        label, f"cell {label}", "Sure, [SEG].", 0.9, 0.8, 1.0, "pixel", "demo", "2026-11-23"
    )
    return replace(made, **changes)


@pytest.fixture
def viewer() -> ViewerModel:
    """Two channels with narrow contrast, and labels in a z-stack on them."""
    viewer = ViewerModel()
    first = np.zeros((4, 30, 40), np.uint16)
    first[1:3, 5:15, 10:30] = 40_000
    viewer.add_image(first, name="DAPI", contrast_limits=(0, 10), **GEOMETRY)
    viewer.add_image(np.full(first.shape, 0.5, np.float32), name="GFP", **GEOMETRY)
    viewer.add_image(np.zeros((5, 5)), name="another size")
    labels = np.zeros(first.shape, np.int32)
    labels[1:3, 5:15, 10:30] = 1
    labels[0, 20:30, 30:40] = 2
    rows = [record(1, description="A <b>round</b> cell."), record(2, status="rejected")]
    viewer.add_labels(
        labels, name="DAPI · Sa2VA", features=ObjectTable(rows).features(), **GEOMETRY
    )
    return viewer


@pytest.fixture
def objects(viewer: ViewerModel) -> LabelObjects:
    return LabelObjects(viewer, viewer.layers[-1])


@pytest.fixture
def panel(objects: LabelObjects, qtbot: Any) -> ObjectsPanel:
    panel = ObjectsPanel(objects.viewer)
    qtbot.addWidget(panel)
    panel.said = []
    panel.told.connect(panel.said.append)
    panel.resize(320, 500)
    panel.show()
    panel.show_objects(objects)
    return panel


@pytest.fixture
def exchange(panel: ObjectsPanel, viewer: ViewerModel, qtbot: Any) -> Exchange:
    images: list[Image] = [viewer.layers[0]]
    exchange = Exchange(viewer, lambda: panel.objects, lambda: images)
    qtbot.addWidget(exchange)
    panel.place_exchange(exchange)
    return exchange


def choose(panel: ObjectsPanel, *labels: int) -> None:
    flags = QItemSelectionModel.SelectionFlag
    panel.table.selectionModel().clear()
    for label in labels:
        index = panel.model.index(panel.model.row_of(label), 0)
        panel.table.selectionModel().setCurrentIndex(index, flags.Select | flags.Rows)


# --- measured


def test_numbers_stand_beside_words(panel: ObjectsPanel, objects: LabelObjects, qtbot: Any) -> None:
    numbers = panel.numbers
    choose(panel, 1)
    qtbot.waitUntil(lambda: "volume" in numbers.measured.text(), timeout=30_000)
    assert numbers.measured.text().splitlines() == [
        "volume 100 µm³",
        "area 25 µm² a plane",
        "400 pixels",
        "centre x 4.875, y 4.75, z 3 µm",
        "in 2 planes, z 1 to z 2",
        "DAPI 40,000 (40,000 to 40,000)",
        "GFP 0.5 (0.5 to 0.5)",
    ]
    assert numbers.said.text().startswith("“cell 1”\nscore 0.90\nSure, ■ 1.\nA <b>round</b>")
    numbers.which.setCurrentIndex(2)
    qtbot.waitUntil(lambda: "2 objects" in numbers.measured.text(), timeout=30_000)
    assert "volume 62.5 ± 53.03 µm³, total 125 µm³" in numbers.measured.text()
    numbers.copy()
    text = QApplication.clipboard().text()
    table = list(csv.reader(io.StringIO(text), delimiter="\t"))
    heading = dict(zip(table[0], table[1], strict=True))
    assert (heading["phrase"], heading["volume (µm³)"]) == ("cell 1", "100")
    assert (heading["centre z (µm)"], heading["max DAPI"]) == ("3", "40000")
    assert ["volume", "µm³", "2", "125", "62.5"] in [row[:5] for row in table]
    # an edit is measured anew
    where = tuple(np.array([n]) for n in (3, 0, 0))
    objects.labels.data_setitem(where, 1)
    qtbot.waitUntil(lambda: "total 125.2" in numbers.measured.text(), timeout=30_000)


def test_large_stacks_are_read_when_asked_for(
    panel: ObjectsPanel, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured_panel, "_MOST_UNASKED", 10)
    numbers = panel.numbers
    choose(panel, 1)
    qtbot.waitUntil(lambda: numbers.measured.text() == "2 planes to read")
    assert not numbers.task.busy
    numbers.measure_button.click()
    qtbot.waitUntil(lambda: "volume" in numbers.measured.text(), timeout=30_000)
    assert not numbers.measure_button.isVisible()
    panel.measured.unfold(False)  # nobody looks: nothing is read
    choose(panel, 2)
    assert not numbers._settled.isActive()


# --- export


def finish(exchange: Exchange, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: not exchange.task.busy, timeout=60_000)


def test_every_format_is_offered_and_what_is_missing_is_said(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "napari_sa2va.io.export.formats.find_spec", lambda name: None if name == "nibabel" else 1
    )
    exchange.menu.fill()
    actions = {one.objectName(): one for one in exchange.menu.actions()}
    assert FORMATS.keys() <= actions.keys()
    assert [name for name in FORMATS if not actions[name].isEnabled()] == ["nifti"]
    assert "pip install nibabel" in actions["nifti"].toolTip()


def test_an_export_asks_where_writes_and_says_what_is_lost(
    exchange: Exchange,
    panel: ObjectsPanel,
    qtbot: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def chosen(parent: Any, title: str, start: str, kinds: str) -> tuple[str, str]:
        asked.append((Path(start).name, kinds))
        return str(tmp_path / "mine"), ""

    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(QFileDialog, "getSaveFileName", chosen)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.No)
    exchange.menu.fill()
    actions = {one.objectName(): one for one in exchange.menu.actions()}
    actions["imagej"].trigger()
    assert exchange.progress.isVisible()
    finish(exchange, qtbot)
    assert asked == [("DAPI_labels.tif", "ImageJ hyperstack (*.tif);;All files (*)")]
    message = panel.said[-1]
    assert message.text == f"Written: {tmp_path / 'mine.tif'}. 1 rejected object is left out."
    assert message.button == "Show in folder"
    assert not exchange.progress.isVisible()
    written = read_labels(tmp_path / "mine.tif")
    assert set(np.unique(written.whole())) == {0, 1}
    assert written.space.scale == pytest.approx((2, 0.5, 0.25))
    actions["with_rejected"].trigger()
    actions["yolo"].trigger()
    finish(exchange, qtbot)
    assert (tmp_path / "DAPI_yolo/data.yaml").read_text().count("cell") == 2
    actions["yolo"].trigger()  # it is there, and is not to be replaced
    assert not exchange.task.busy


def test_an_earlier_ome_zarr_is_asked_about_and_somebodys_image_is_not(
    exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def question(parent: Any, title: str, text: str) -> Any:
        asked.append(text)
        return answers.pop()

    asked: list[str] = []
    answers = [QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No]
    image = tmp_path / "x.ome.zarr"
    image.mkdir()
    (image / "zarr.json").touch()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(image))
    monkeypatch.setattr(QMessageBox, "question", question)
    assert exchange._ask_folder(FORMATS["ome-zarr"]) == image
    assert not asked
    (image / "labels/sa2va").mkdir(parents=True)
    assert exchange._ask_folder(FORMATS["ome-zarr"]) is None
    assert exchange._ask_folder(FORMATS["ome-zarr"]) == image
    assert asked == ["x.ome.zarr holds an earlier export. Replace it?"] * 2


def test_a_cancelled_or_failed_export_leaves_what_was_there(
    exchange: Exchange, panel: ObjectsPanel, qtbot: Any, tmp_path: Path
) -> None:
    reached, go_on = threading.Event(), threading.Event()

    class Slow(np.ndarray):
        def __getitem__(self, index: Any) -> Any:
            if threading.current_thread() is not threading.main_thread():  # napari reads it too
                reached.set()
                go_on.wait(30)
            return np.asarray(self)[index]

        def copy(self, *_: Any) -> Any:
            return self

    objects = panel.objects
    assert objects is not None
    path = tmp_path / "x.csv"
    path.write_text("old")
    objects.labels.data = objects.labels.data.view(Slow)
    exchange.export_to("csv", path)
    assert reached.wait(30)
    exchange.progress.cancel.click()
    exchange.export_to("csv", path)  # one at a time
    assert "One export or import at a time" in panel.said[-1].text
    go_on.set()
    finish(exchange, qtbot)
    assert "cancelled" in panel.said[-1].text
    assert path.read_text() == "old"
    exchange.export_to("csv", path / "y.csv")
    finish(exchange, qtbot)
    assert panel.said[-1].level == "error"
    assert "could not be written" in panel.said[-1].text


def test_a_dock_that_closes_lets_an_export_end_and_says_so(
    objects: LabelObjects, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    for name in ("show_info", "show_warning", "show_error"):
        monkeypatch.setattr(f"napari_sa2va.widgets.exchange_left.{name}", said.append)

    def close(exchange: Exchange) -> None:
        exchange.close_task()
        exchange.deleteLater()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)

    exchange = Exchange(objects.viewer, lambda: objects, tuple)
    exchange.export_to("csv", tmp_path / "x.csv")
    close(exchange)
    qtbot.waitUntil(lambda: bool(said), timeout=60_000)
    assert said[0].startswith(f"Written: {tmp_path / 'x.csv'}. 1 rejected object is left out.")
    assert "cell 1" in (tmp_path / "x.csv").read_text()
    assert [one for one in tmp_path.iterdir() if one.name.startswith(".")] == []
    exchange = Exchange(objects.viewer, lambda: objects, tuple)
    exchange.import_layer(objects.labels)
    count = len(objects.viewer.layers)
    close(exchange)
    qtbot.waitUntil(lambda: len(said) == 2, timeout=60_000)
    assert "given up" in said[1] and len(objects.viewer.layers) == count


def test_an_undo_on_its_way_is_not_written_half(
    exchange: Exchange,
    objects: LabelObjects,
    qtbot: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("napari_sa2va.viewer.timeline._AT_ONCE", 1)
    monkeypatch.setattr("napari_sa2va.viewer.timeline._PIECE_SECONDS", 0.0)
    delete(objects, [1])
    objects.undo()
    assert objects.replaying
    exchange.export_to("csv", tmp_path / "x.csv")
    assert not objects.replaying
    finish(exchange, qtbot)
    text = (tmp_path / "x.csv").read_text(encoding="utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["label"], row["pixels"], row["planes"]) == ("1", "400", "2")
    changes = Changes(objects)  # of an array that is not copied
    objects.redo()
    assert objects.replaying and changes.end()


def test_a_panel_that_is_gone_hears_no_more_of_an_undo(
    objects: LabelObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_sa2va.viewer.timeline._AT_ONCE", 1)
    panel = ObjectsPanel(objects.viewer)
    panel.show_objects(objects)
    delete(objects, [1])
    objects.undo()
    assert objects.replaying
    panel.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    panel.close_tasks()  # as when napari's window is destroyed
    assert not objects.replaying and len(objects.rows()) == 2


@pytest.mark.parametrize(
    ("typed", "name", "expected"),
    [
        ("a", "ome-tiff", "a.ome.tif"),
        ("a.ome.tiff", "ome-tiff", "a.ome.tiff"),
        ("a.JSON", "coco", "a.JSON"),
        ("v1.2", "csv", "v1.2.csv"),
        ("a.nii", "nifti", "a.nii"),
    ],
)
def test_names_get_the_ending_they_need(typed: str, name: str, expected: str) -> None:
    assert named_as(Path(typed), FORMATS[name]).name == expected


# --- import


def test_labels_of_any_layer_become_objects_without_phrases(
    exchange: Exchange, viewer: ViewerModel, panel: ObjectsPanel, qtbot: Any
) -> None:
    """Also from an image, and with numbers that no table has room for."""
    numbers = np.zeros((4, 30, 40), np.uint32)
    numbers[0, :5, :5], numbers[1:, 10:12, :] = 7, 4_000_000_000
    viewer.add_image(numbers, name="from & elsewhere")
    exchange._fill_import()
    texts = {one.text(): one for one in exchange.import_menu.actions()}
    assert not any("DAPI · Sa2VA" in text for text in texts)  # its objects are shown
    assert not any("GFP" in text for text in texts)  # no whole numbers
    texts["From the layer from && elsewhere"].trigger()
    finish(exchange, qtbot)
    layer = viewer.layers[-1]
    assert layer.metadata[METADATA]["images"] == (viewer.layers["DAPI"].unique_id,)
    np.testing.assert_allclose(layer.scale, (2.0, 0.5, 0.25))
    assert layer.data.max() == 2
    rows = Results(viewer).of(layer).rows()
    assert [(row.label, row.phrase, row.author, row.frames) for row in rows] == [
        (1, "", "user", 1),
        (2, "", "user", 3),
    ]
    assert (rows[1].first_frame, rows[1].last_frame) == (1, 3)
    assert (rows[1].area, rows[1].area_unit) == (10.0, "µm²")
    assert "counted anew, from 1 to 2" in panel.said[-1].text
    np.testing.assert_array_equal(viewer.layers["from & elsewhere"].data, numbers)
    exchange.import_layer(viewer.layers["another size"])
    finish(exchange, qtbot)
    assert panel.said[-1].level == "error"  # no whole numbers, and none at all


def test_what_was_exported_comes_back_with_its_rows(
    exchange: Exchange, viewer: ViewerModel, panel: ObjectsPanel, qtbot: Any, tmp_path: Path
) -> None:
    exchange.export_to("coco", tmp_path / "x.coco.json")
    finish(exchange, qtbot)
    exchange.import_from(tmp_path / "x.coco.json")
    finish(exchange, qtbot)
    (row,) = Results(viewer).of(viewer.layers[-1]).rows()
    assert (row.phrase, row.description, row.frames) == ("cell 1", "A <b>round</b> cell.", 2)
    assert "Imported: 1 object from x.coco.json." in panel.said[-1].text
