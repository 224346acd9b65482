"""A window with all models: what is here, what fits, and downloads."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from napari.qt.threading import create_worker
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QApplication,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_sa2va.errors import Cancelled
from napari_sa2va.widgets.model_jobs import add, get, look, remove, repair
from napari_sa2va.widgets.model_table import ModelTable
from napari_sa2va.widgets.model_texts import (
    details_html,
    device_text,
    progress_text,
    repaired_text,
)
from napari_sa2va.zoo.fit import gib

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sa2va.zoo.machine import Device
    from napari_sa2va.zoo.meter import DownloadState
    from napari_sa2va.zoo.shelf import Model

_STEPS = 1000


class ModelManager(QDialog):
    """Lists all models, fetches and removes them, and takes in a user's own.

    Parameters
    ----------
    device : str
        As in `napari_sa2va.engine.ModelChoice`: what the memory is looked at of.
    """

    chosen = Signal(str)
    """The user wants to work with this model; its name or Hub id."""
    changed = Signal()
    """A model came, went, or got a name."""
    _told = Signal(object)  # from the worker's thread

    def __init__(self, device: str = "auto", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Sa2VA models")
        self.device = device
        self._fetching, self._participle = "", ""
        self._wanted = ""
        self._changing = False
        self._stop = threading.Event()
        self.table = ModelTable()
        self.details = QLabel()
        self.details.setWordWrap(True)
        self.details.setOpenExternalLinks(True)
        self.about = QLabel("Looking at this machine …")
        self.about.setWordWrap(True)
        self.state = QLabel()
        self.state.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setRange(0, _STEPS)
        self.bar.hide()
        self.use = _button("Use", "Choose this model in the dock")
        self.fetch = _button("Download", "Fetch this model, or go on where a download stopped")
        self.repair = _button(
            "Repair",
            "Check every file of this model, and download again those that are damaged or missing. "
            "The version stays the same.",
        )
        self.cancel = _button("Cancel", "Stop the download; what has arrived is kept")
        self.remove = _button("Remove…", "Delete what was downloaded, or take it off this list")
        self.add_folder = _button("Add folder…", "Give a checkpoint's folder a name")
        self.add_hub = _button("Add Hub id…", "Give a checkpoint on the Hub a name")
        self._lay_out()
        self._connect()
        self._show_buttons()
        self.refresh()

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        for button in (self.use, self.fetch, self.repair, self.cancel, self.remove):
            buttons.addWidget(button)
        buttons.addStretch(1)
        buttons.addWidget(self.add_folder)
        buttons.addWidget(self.add_hub)
        layout = QVBoxLayout(self)
        layout.addWidget(self.table, stretch=1)
        layout.addWidget(self.details)
        layout.addWidget(self.about)
        layout.addWidget(self.bar)
        layout.addWidget(self.state)
        layout.addLayout(buttons)
        self.resize(1060, 600)

    def _connect(self) -> None:
        self.table.currentCellChanged.connect(lambda *_: self._show_buttons())
        self.table.cellDoubleClicked.connect(lambda *_: self._use())
        self.use.clicked.connect(self._use)
        self.fetch.clicked.connect(self._fetch)
        self.repair.clicked.connect(self._repair)
        self.cancel.clicked.connect(self._cancel)
        self.remove.clicked.connect(self._remove)
        self.add_folder.clicked.connect(self._add_folder)
        self.add_hub.clicked.connect(self._add_hub)
        self._told.connect(self._on_progress)
        self.destroyed.connect(self._stop.set)
        application = QApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self._stop.set)

    # --- the list

    def refresh(self) -> None:
        """Look at this machine anew, in a worker: disks are slow, and so is torch's import."""
        create_worker(
            look,
            self.device,
            _connect={"returned": self._on_looked, "errored": self._on_not_looked},
        )

    def _on_looked(self, found: tuple[tuple[Model, ...], Device]) -> None:
        self.table.show_models(found[0])
        self.about.setText(device_text(*found))
        self._show_buttons()
        self._fetch_wanted()

    def _show_buttons(self) -> None:
        model, busy = self.table.current, bool(self._fetching)
        still = not self._changing
        tool = model is not None and model.need is None and not model.added  # SAM 2's file
        good = model is not None and model.problem is None
        self.use.setEnabled(good and not tool)
        self.fetch.setEnabled(
            good
            and still
            and not busy
            and model is not None
            and bool(model.hub_id)
            and not model.here
        )
        # Also of what cannot be read, and of what lost a file and so is not here as a whole.
        self.repair.setEnabled(
            model is not None and still and not busy and bool(model.hub_id) and model.on_disk > 0
        )
        self.cancel.setEnabled(busy)
        self.add_folder.setEnabled(still)
        self.add_hub.setEnabled(still)
        self.remove.setEnabled(
            model is not None
            and still
            and model.name != self._fetching
            and (model.added or (bool(model.hub_id) and model.on_disk > 0))
        )
        self.details.setText("" if model is None else details_html(model))

    def _use(self) -> None:
        model = self.table.current
        if model is not None and self.use.isEnabled():
            self.chosen.emit(model.name if model.added else model.hub_id or model.name)

    # --- downloads

    def get(self, name: str) -> None:
        """Fetch a model of the list, as a click on its row and on Download does."""
        self._wanted = name
        self._fetch_wanted()

    def _fetch_wanted(self) -> None:
        """Begin with what `get` asked for, as soon as the list is there."""
        if self._wanted and self.table.models:
            self.table.select(self._wanted)
            self._wanted = ""
            if self.fetch.isEnabled():
                self._fetch()

    def _fetch(self) -> None:
        self._begin(get, self._on_fetched, "downloaded")

    def _repair(self) -> None:
        self._begin(repair, self._on_repaired, "repaired")

    def _begin(self, job: Callable[..., Any], done: Callable[[Any], None], participle: str) -> None:
        """Download, or check and download, what is selected; `participle` is for when it fails."""
        model = self.table.current
        if model is None or self._fetching:
            return
        self._fetching, self._participle = model.name, participle
        self._stop.clear()
        self.bar.setValue(0)
        self.bar.show()
        self.state.setText(f"{model.name}: asking the Hub")
        self._show_buttons()
        create_worker(
            job,
            model.name,
            self._told,
            self._stop,
            _connect={
                "returned": done,
                "errored": self._on_not_fetched,  # no lambda: it would outlive the window
            },
        )

    def _cancel(self) -> None:
        self._stop.set()
        self.state.setText(f"{self._fetching}: stopping")

    def _on_progress(self, state: DownloadState) -> None:
        if self._stop.is_set() or not self._fetching:
            return
        self.bar.setValue(int(_STEPS * state.fraction))
        self.state.setText(f"{self._fetching}: {progress_text(state)}")

    def _on_fetched(self, _place: object) -> None:
        self._end_fetching("is here, and every file was checked.")

    def _on_repaired(self, brought: tuple[str, ...]) -> None:
        self._end_fetching(repaired_text(brought))

    def _on_not_fetched(self, error: Exception) -> None:
        if isinstance(error, Cancelled):
            self._end_fetching("stopped. What has arrived is kept.")
        else:
            self._end_fetching(f"not {self._participle}. {error}")

    def _end_fetching(self, how: str) -> None:
        name, self._fetching = self._fetching, ""
        self.bar.hide()
        self.state.setText(f"{name}: {how}")
        self._done()

    # --- the user's own, and removing

    def _remove(self) -> None:
        model = self.table.current
        if model is None or not self._sure(model):
            return
        self.state.setText(f"{model.name}: removing")
        self._change(remove, model.name)

    def _sure(self, model: Model) -> bool:
        what = f"Delete {gib(model.on_disk)} of {model.name} from this machine?"
        if model.hub_id is None:
            what = f"Take {model.name} off this list? Its folder stays."
        answer = QMessageBox.question(self, "Remove", what)
        return bool(answer == QMessageBox.StandardButton.Yes)

    def _add_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder with a Sa2VA checkpoint")
        if folder:
            self._add(folder)

    def _add_hub(self) -> None:
        hub_id, good = QInputDialog.getText(self, "Add Hub id", "Owner and name, as owner/name:")
        if good and hub_id.strip():
            self._add(hub_id.strip())

    def _add(self, where: str) -> None:
        suggested = where.rstrip("/\\").replace("\\", "/").rsplit("/", 1)[-1]
        name, good = QInputDialog.getText(self, "Name", "What to call it:", text=suggested)
        if good:
            self.add(name, where)

    def add(self, name: str, where: str) -> None:
        """Put a folder or Hub id on the list; what is wrong with it is said in the window."""
        self._change(add, name, where)

    def _change(self, job: Callable[..., str], *arguments: str) -> None:
        """Do it in a worker: gigabytes are deleted, or a folder on a slow disk is looked into."""
        self._changing = True
        self._show_buttons()
        create_worker(
            job,
            *arguments,
            _connect={"returned": self._on_changed, "errored": self._on_changed},
        )

    def _on_changed(self, said: str | Exception) -> None:
        self._changing = False
        self.state.setText(str(said) or repr(said))
        self._done()

    def _done(self) -> None:
        self._show_buttons()
        self.changed.emit()
        self.refresh()

    def _on_not_looked(self, error: Exception) -> None:
        self.about.setText(str(error) or repr(error))


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setAutoDefault(False)
    return button
