"""Which model, where it runs, and how it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from napari.qt.threading import create_worker
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_sa2va.engine import ModelChoice
from napari_sa2va.widgets.device_row import DeviceRow
from napari_sa2va.widgets.model_manager import ModelManager
from napari_sa2va.widgets.objects_model import plain_tip
from napari_sa2va.zoo import CATALOGUE, DEMO, find
from napari_sa2va.zoo.abilities import Known, capabilities_of, look_up
from napari_sa2va.zoo.library import load as load_library

if TYPE_CHECKING:
    from napari_sa2va.engine import ModelReady, Runner

_SOUGHT: Final = " · looking for it"


class ModelPanel(QWidget):
    """Model, device and precision; what memory the model holds, and how to give it back.

    Parameters
    ----------
    runner : Runner
        Asked what it holds.
    """

    changed = Signal()
    """Another model, device or precision was chosen."""
    known_changed = Signal()
    """More is known of the chosen model, or another one was chosen."""

    def __init__(self, runner: Runner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._ready: ModelReady | None = None
        self._ready_choice: ModelChoice | None = None
        self._added: set[str] = set()
        self.model = QComboBox()
        self.model.setEditable(True)
        self.model.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.model.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.model.setToolTip("A known model, a folder with a checkpoint, or a Hub id")
        self.model.setAccessibleName("Model")
        self._fill_models()
        self.browse = QToolButton()
        self.browse.setText("…")
        self.browse.setToolTip("Choose a folder with a checkpoint")
        self.browse.setAccessibleName("Choose a folder")
        self.manage = QToolButton()
        self.manage.setText("⚙")
        self.manage.setToolTip("All models: what is here, what fits, downloads, your own")
        self.manage.setAccessibleName("Manage models")
        self.manager: ModelManager | None = None
        self.where = DeviceRow()
        self.device, self.dtype = self.where.device, self.where.dtype
        self.state = QLabel()
        self.state.setWordWrap(True)
        self.state.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.unload = QPushButton("Unload")
        self.unload.setToolTip("Free the memory of the model and of all images looked at")
        self.clear = QPushButton("Clear cache")
        self.clear.setToolTip("Free what was computed from images already looked at")
        self._lay_out()
        self._last_choice = self.choice
        self.known = _at_first(self.name)
        self._connect()
        self.refresh()

    def _lay_out(self) -> None:
        first = QHBoxLayout()
        first.addWidget(QLabel("Model"))
        first.addWidget(self.model, stretch=1)
        first.addWidget(self.browse)
        first.addWidget(self.manage)
        last = QHBoxLayout()
        last.addStretch(1)
        last.addWidget(self.clear)
        last.addWidget(self.unload)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(first)
        layout.addWidget(self.where)
        layout.addWidget(self.state)
        layout.addLayout(last)

    def _connect(self) -> None:
        self.model.currentIndexChanged.connect(self._on_chosen)
        self.model.lineEdit().editingFinished.connect(self._on_chosen)
        self.where.changed.connect(self._on_chosen)
        self.browse.clicked.connect(self._browse)
        self.manage.clicked.connect(self.open_manager)
        self.unload.clicked.connect(self._unload)
        self.clear.clicked.connect(self._clear)

    # --- the choice ---

    @property
    def choice(self) -> ModelChoice:
        """What is chosen now."""
        return ModelChoice(self.name, self.device.currentText(), self.dtype.currentText())

    @property
    def name(self) -> str:
        """The model's name, folder or Hub id."""
        text = self.model.currentText().strip()
        index = self.model.findText(text)
        return text if index < 0 else str(self.model.itemData(index))

    @name.setter
    def name(self, name: str) -> None:
        index = self.model.findData(name)
        if index >= 0:
            self.model.setCurrentIndex(index)
        else:
            self.model.setEditText(name)
        self._on_chosen()

    def _fill_models(self) -> None:
        """List what this version can run, the demo first; the rest is named, but not offered."""
        for checkpoint in CATALOGUE:
            name = DEMO if checkpoint.bundled else (checkpoint.hub_id or checkpoint.name)
            text = "Demo" if checkpoint.bundled else checkpoint.name
            self.model.addItem(text, name)
            row = self.model.count() - 1
            tip = f"{name}: {checkpoint.backbone}, {checkpoint.language_model}"
            if checkpoint.bundled:
                tip = "A small model in the package, trained on synthetic cells: for trying out"
            if checkpoint.unsupported is not None:
                tip += f". Cannot be run: {checkpoint.unsupported}."
                self.model.model().item(row).setEnabled(False)
            self.model.setItemData(row, tip, Qt.ItemDataRole.ToolTipRole)

        self._list_added()

    def _list_added(self) -> None:
        """List what the user gave a name, and that alone."""
        named = {added.name: added.where for added in load_library().added.values()}
        chosen, blocked = self.name, self.model.blockSignals(True)
        gone = self._added - named.keys()
        for name in gone:
            self.model.removeItem(self.model.findData(name))
        if chosen in gone:
            self.model.setCurrentIndex(0)
            self.model.setEditText(self.model.itemText(0))
        for name, where in named.items():
            if name not in self._added:
                self.model.addItem(name, name)
                row = self.model.count() - 1
                self.model.setItemData(row, plain_tip(where), Qt.ItemDataRole.ToolTipRole)
        self._added = set(named)
        self.model.blockSignals(blocked)
        if chosen in gone:
            self._on_chosen()

    def open_manager(self) -> ModelManager:
        """Show the window with all models; there is one of it."""
        if self.manager is None:
            self.manager = ModelManager(self.device.currentText(), self)
            self.manager.chosen.connect(self._on_managed)
            self.manager.changed.connect(self._list_added)
            self.manager.changed.connect(self.refresh)
            self.manager.changed.connect(self._look_up_if_due)
        elif self.manager.device != self.device.currentText():
            self.manager.device = self.device.currentText()
            self.manager.refresh()
        self.manager.show()
        self.manager.raise_()
        return self.manager

    def _on_managed(self, name: str) -> None:
        self.name = name

    def _browse(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder with a Sa2VA checkpoint")
        if folder:
            self.name = folder

    def _on_chosen(self) -> None:
        if self.choice != self._last_choice:
            self._last_choice = self.choice
            if self.known.name != self.name:
                self.known = _at_first(self.name)
                self.known_changed.emit()
            self.refresh()
            self._look_up_if_due()
            self.changed.emit()

    # --- its state ---

    def show_ready(self, ready: ModelReady, choice: ModelChoice) -> None:
        """Note where the model ended up."""
        self._ready, self._ready_choice = ready, choice
        self.refresh()

    def refresh(self, *, loading: bool = False) -> None:
        """Say where the chosen model is, and what memory is held.

        Parameters
        ----------
        loading : bool
            A run has begun, which loads the model if it is not there.
        """
        held = self._runner.bytes_held
        self.unload.setEnabled(held > 0)
        self.clear.setEnabled(held > 0)
        self.unload.setText(f"Unload ({_megabytes(held)})" if held else "Unload")
        if held and self._ready is not None and self._ready_choice == self.choice:
            where = f"{self._ready.device}, {self._ready.dtype}"
            self._say(f"{self.short_name} · ready on {where}")
        elif loading:
            self._say(f"{self.short_name} · loading")
        elif self.name == DEMO:
            self._say("Demo · on this machine · loads with the first run")
        else:
            self._say(f"{self.short_name}{_SOUGHT}")
            self._look_up()

    def _say(self, text: str) -> None:
        """Say how the model is, on as many lines as it takes: the layout counts on one."""
        self.state.setText(text)
        if self.isVisible():
            self.state.setMinimumHeight(self.state.heightForWidth(self.state.width()))

    @property
    def short_name(self) -> str:
        """For people; of a folder its last part."""
        known = find(self.name)
        if known is None:
            return Path(self.name).name if Path(self.name).is_absolute() else self.name
        return "Demo" if known.bundled else known.name

    def _look_up_if_due(self) -> None:
        """Look for it where `refresh` did not, as of a model that is loaded."""
        if self.name != DEMO and not self.state.text().endswith(_SOUGHT):
            self._look_up()

    def _look_up(self) -> None:
        """Look for the model on this machine; in a worker, for a folder may lie on a slow disk."""
        create_worker(look_up, self.name, _connect={"returned": self._on_looked_up})

    def _on_looked_up(self, known: Known) -> None:
        if known.name != self.name:  # another was chosen meanwhile
            return
        self.known = known
        self.known_changed.emit()
        if not self.state.text().endswith(_SOUGHT):  # loading or ready by now
            return
        self._say(
            f"{self.short_name} · on this machine · loads with the first run"
            if known.here
            else f"{self.short_name} · not on this machine · the first run downloads it"
        )

    def _unload(self) -> None:
        if not self._runner.unload():
            self._say("It will be unloaded when the run ends.")
            return
        self._ready = None
        self.refresh()

    def _clear(self) -> None:
        self._runner.clear_cache()
        self.refresh()


def _at_first(name: str) -> Known:
    """Return what is known of a model without looking for it."""
    return Known(name, name == DEMO, capabilities_of(name, None))


def _megabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
