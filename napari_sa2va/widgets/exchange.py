"""Objects to the files of other programs, and from them: menus, dialogs, progress."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt, QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QApplication,
    QFileDialog,
    QHBoxLayout,
    QMenu,
    QMessageBox,
    QToolButton,
    QWidget,
)

from napari_sa2va.errors import Cancelled, Sa2VAError
from napari_sa2va.frames.zarr_files import is_zarr_group
from napari_sa2va.io.export.formats import FORMATS, export
from napari_sa2va.io.export.from_layers import layer_annotations
from napari_sa2va.io.export.ome_zarr import LABEL
from napari_sa2va.io.export.watched import watched
from napari_sa2va.io.import_labels import read_labels
from napari_sa2va.viewer.imported import add_imported, importable_layers, imported
from napari_sa2va.viewer.measuring import images_on, is_copied, layers_taken
from napari_sa2va.widgets.exchange_left import Changes, leave_export, leave_import, written
from napari_sa2va.widgets.exchange_progress import Progress
from napari_sa2va.widgets.exchange_task import Task
from napari_sa2va.widgets.export_menu import ExportMenu
from napari_sa2va.widgets.messages import Message
from napari_sa2va.widgets.shortcuts import with_key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari.layers import Image

    from napari_sa2va.io.export import Annotations
    from napari_sa2va.io.export.formats import Format
    from napari_sa2va.viewer.imported import Imported
    from napari_sa2va.viewer.objects import LabelObjects

_FILES: Final = "Labels (*.json *.tif *.tiff *.nii *.nii.gz *.npy *.png *.zarr);;All files (*)"


class Exchange(QWidget):
    """The buttons Export and Import; `progress` is a line that shows while one of them works.

    Parameters
    ----------
    viewer : napari.Viewer
        Its layers are written, and added to.
    objects : callable
        Returns the `LabelObjects` that are shown, or None.
    images : callable
        Returns the image layers that are looked at.
    """

    told = Signal(object)
    """A `Message`."""

    def __init__(
        self,
        viewer: Any,
        objects: Callable[[], LabelObjects | None],
        images: Callable[[], Sequence[Image]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._objects = objects
        self._images = images
        self._folder = ""
        self._writing: Path | None = None
        self._changes: Changes | None = None
        self.task = Task(self)
        self.menu = ExportMenu(self._has_image, self)
        self.export_button = _menu_button("Export", self.menu)
        self.export_button.setToolTip(
            with_key("Write the objects for other programs, as tables, or as a report", "export")
        )
        self.import_menu = QMenu(self)
        self.import_button = _menu_button("Import", self.import_menu)
        self.import_button.setToolTip("Take labels from a file or from another layer as objects")
        self.progress = Progress()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.import_button)
        layout.addWidget(self.export_button)
        self.menu.wanted.connect(self.ask_where)
        self.import_menu.aboutToShow.connect(self._fill_import)
        self.progress.cancel.clicked.connect(self.task.stop)
        self.task.progressed.connect(self.progress.show_planes)
        self.task.busy_changed.connect(self.progress.setVisible)
        QApplication.instance().aboutToQuit.connect(self._on_quit)

    def open_menu(self) -> None:
        """Open the menu of formats, at its button."""
        self.export_button.showMenu()

    def close_task(self) -> None:
        """Let an export end by itself, and give an import up; a notification says so then."""
        changes, self._changes = self._changes, None
        if self._writing is not None:
            leave_export(self.task, self._writing, changes)
        else:
            leave_import(self.task)

    def _on_quit(self) -> None:
        """Give up what is under way: what was there before is as it was."""
        self.task.cancel()

    # --- out

    def ask_where(self, name: str) -> None:
        """Let the user choose a file or a folder, and write a format there."""
        objects, form = self._objects(), FORMATS[name]
        if objects is None or not objects.rows():
            self._tell("There are no objects to export yet. Find, draw or import some first.")
            return
        if not self._ready():
            return
        path = self._ask_folder(form) if form.is_folder else self._ask_file(form)
        if path is not None:
            self.export_to(name, path)

    def export_to(self, name: str, path: Path) -> None:
        """Write the objects that are shown, in a worker."""
        objects = self._objects()
        if not self._ready() or objects is None:
            return
        objects.finish_replay()  # else some planes are written as before the undo, some as after
        layers, rows = layers_taken(self._viewer, objects.labels), tuple(objects.rows())
        with_rejected = self.menu.with_rejected
        self._writing = path
        self._changes = None if is_copied(objects.labels) else Changes(objects)

        def work(tell: Callable[[int, int], None], stopped: Callable[[], bool]) -> list[str]:
            taken = replace(layer_annotations(layers), records=rows)
            return export(watched(taken, tell, stopped), name, path, rejected=with_rejected)

        self.progress.begin(f"Writing {path.name}")
        self.task.start(work, lambda notes: self._on_written(path, notes), self._on_failed)

    def _ask_file(self, form: Format) -> Path | None:
        start = str(Path(self._start) / f"{self._name()}{form.ending}")
        kinds = f"{form.title} (*{form.suffix});;All files (*)"
        chosen, _ = QFileDialog.getSaveFileName(self, f"Export: {form.title}", start, kinds)
        if not chosen:
            return None
        path = named_as(Path(chosen), form)
        # The dialog has asked about the name as it was typed.
        if path != Path(chosen) and path.exists() and not self._replaces(path):
            return None
        self._folder = str(path.parent)
        return path

    def _ask_folder(self, form: Format) -> Path | None:
        chosen = QFileDialog.getExistingDirectory(
            self, f"Export: a folder to put {form.title} in", self._start
        )
        if not chosen:
            return None
        folder = Path(chosen)
        if form.name.startswith("ome-zarr") and is_zarr_group(folder):
            if not (folder / "labels" / LABEL).exists():
                return folder  # somebody's image, which the labels are added to
            return folder if self._replaces(folder, "holds an earlier export") else None
        self._folder = chosen
        path = folder / f"{self._name()}{form.ending}"
        return path if not path.exists() or self._replaces(path) else None

    def _replaces(self, path: Path, what: str = "is there already") -> bool:
        question = f"{path.name} {what}. Replace it?"
        answer = QMessageBox.question(self, "Export", question)
        return bool(answer == QMessageBox.StandardButton.Yes)

    @property
    def _start(self) -> str:
        """Where dialogs open: where the last export went, else where the image lies."""
        files = (layer.source.path for layer in self._images())
        return self._folder or next((str(Path(file).parent) for file in files if file), "")

    def _has_image(self) -> bool:
        objects = self._objects()
        return objects is not None and bool(images_on(self._viewer, objects.labels))

    def _name(self) -> str:
        """Return what files are called: as the image, else as the layer."""
        objects = self._objects()
        assert objects is not None
        layer = objects.labels.as_layer_data_tuple()
        return layer_annotations([layer], history=False).file_name

    def _on_written(self, path: Path, notes: list[str]) -> None:
        late = self._end_export()
        level: Any = "warning" if late else "info"
        text = written(path, notes, late=late)
        self.told.emit(Message(text, level, "Show in folder", lambda: show_in_folder(path)))

    # --- in

    def _fill_import(self) -> None:
        self.import_menu.clear()
        self.import_menu.setToolTipsVisible(True)
        file = self.import_menu.addAction("From a file…")
        file.setToolTip("COCO, label TIFF, NIfTI, .npy, or a picture whose pixels are numbers")
        file.triggered.connect(self.ask_file)
        folder = self.import_menu.addAction("From an OME-Zarr…")
        folder.setToolTip("The labels of an OME-Zarr image, or a zarr array of labels")
        folder.triggered.connect(self.ask_zarr)
        self.import_menu.addSeparator()
        objects = self._objects()
        layers = [
            layer
            for layer in importable_layers(self._viewer)
            if objects is None or layer is not objects.labels
        ]
        for layer in layers:
            action = self.import_menu.addAction(f"From the layer {layer.name}".replace("&", "&&"))
            action.setToolTip("Its labels become objects in a layer of their own; it stays")
            action.triggered.connect(lambda _=False, layer=layer: self.import_layer(layer))
        if not layers:
            self.import_menu.addAction("No layer with labels").setEnabled(False)

    def ask_file(self) -> None:
        """Let the user choose a file of labels."""
        chosen, _ = QFileDialog.getOpenFileName(self, "Import labels", self._start, _FILES)
        if chosen:
            self.import_from(Path(chosen))

    def ask_zarr(self) -> None:
        """Let the user choose a folder of labels."""
        chosen = QFileDialog.getExistingDirectory(
            self, "Import labels: an OME-Zarr folder", self._start
        )
        if chosen:
            self.import_from(Path(chosen))

    def import_from(self, path: Path) -> None:
        """Read a file of labels in a worker, and add them as objects."""
        self._import(lambda: read_labels(path), path.name)

    def import_layer(self, layer: Any) -> None:
        """Take the numbers of a layer as objects; the layer stays as it is."""
        data, meta, _ = layer.as_layer_data_tuple()
        taken = (data, dict(meta), "labels")
        self._import(lambda: layer_annotations([taken], history=False), layer.name)

    def _import(self, read: Callable[[], Annotations], name: str) -> None:
        if not self._ready():
            return
        images = tuple(self._images())  # as they were chosen when it was asked for
        self.progress.begin(f"Reading {name}")
        self.task.start(
            lambda tell, stopped: imported(read(), tell, stopped),
            lambda found: self._on_read(name, found, images),
            self._on_failed,
        )

    def _on_read(self, name: str, found: Imported, images: Sequence[Image]) -> None:
        there = [image for image in images if image in self._viewer.layers]
        _, notes = add_imported(self._viewer, found, there)
        count = len(found.rows)
        many = f"{count:,} objects" if count > 1 else "1 object"
        self._tell(" ".join([f"Imported: {many} from {name}.", *notes]))

    # --- both

    def _on_failed(self, error: Exception) -> None:
        self._end_export()
        if isinstance(error, Cancelled):
            self._tell(str(error))
        elif isinstance(error, Sa2VAError):
            self.told.emit(Message(str(error), "error"))
        else:  # a fault of ours: napari shows where it is
            self.told.emit(Message(f"Something went wrong: {error!r}", "error"))

    def _ready(self) -> bool:
        if self.task.busy:
            self._tell("One export or import at a time: wait for the one that runs, or cancel it.")
        return not self.task.busy

    def _end_export(self) -> bool:
        """Return whether objects changed while they were written."""
        changes, self._changes, self._writing = self._changes, None, None
        return changes is not None and changes.end()

    def _tell(self, text: str) -> None:
        self.told.emit(Message(text, "info"))


def named_as(path: Path, form: Format) -> Path:
    """Return a path with the ending of a format, unless it has it, or another that means it.

    Examples
    --------
    >>> named_as(Path("a/cells"), FORMATS["imagej"]).name
    'cells.tif'
    >>> named_as(Path("cells.nii"), FORMATS["nifti"]).name
    'cells.nii'
    """
    meant = (form.suffix, *_ALSO.get(form.name, ()))
    return path if path.name.lower().endswith(meant) else path.with_name(path.name + form.suffix)


_ALSO: Final = {
    "imagej": (".tiff",),
    "ome-tiff": (".ome.tiff",),
    "nifti": (".nii",),
    "coco": (".json",),
    "coco-polygons": (".json",),
    "html": (".htm",),
    "markdown": (".markdown",),
}


def show_in_folder(path: Path) -> None:
    """Open the folder that a file or folder lies in, in the system's file manager."""
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(path.parent)))


def _menu_button(text: str, menu: QMenu) -> QToolButton:
    button = QToolButton()
    button.setText(f"{text} ▾")
    button.setAccessibleName(text)
    button.setMenu(menu)
    button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    # napari's themes draw the arrow over the text.
    button.setStyleSheet("QToolButton::menu-indicator { image: none; }")
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button
