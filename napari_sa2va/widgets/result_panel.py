"""How results go into labels, and where their border is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QSlider,
    QWidget,
)
from superqt.utils import qthrottled

from napari_sa2va.annotation.masks import HIGHEST_PROBABILITY, LOWEST_PROBABILITY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Labels

    from napari_sa2va.viewer.run import LabelRun

_PER_CENT: Final = 100


class ResultPanel(QWidget):
    """Options of the next run, and the threshold of the last one."""

    options_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._run: LabelRun | None = None
        self.target = _combo("Where results go", ())
        self.replace = _combo("What existing labels do", ("keep their pixels", "are replaced"))
        self.split = _combo("What gets a label", ("each object", "each connected part"))
        self.split.setToolTip("“All green cells” is one object with many connected parts.")
        self.captions = QCheckBox("Phrases beside objects")
        self.threshold = QSlider(Qt.Orientation.Horizontal)
        self.threshold.setRange(
            round(LOWEST_PROBABILITY * _PER_CENT), round(HIGHEST_PROBABILITY * _PER_CENT)
        )
        self.threshold.setPageStep(5)
        self.threshold.setAccessibleName("Threshold of the last run")
        self.threshold.setToolTip(
            "Probability at the border of the last run's masks: to the left they grow. "
            "Each move is one undo step."
        )
        self.value = QLabel()
        self.value.setMinimumWidth(self.fontMetrics().horizontalAdvance("0.00 "))
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(500)
        self._lay_out()
        self.captions.setChecked(True)
        self.set_targets(())
        self.set_run(None)
        for combo in (self.replace, self.split):
            combo.currentIndexChanged.connect(self.options_changed)
        self.captions.toggled.connect(self.options_changed)
        self.threshold.valueChanged.connect(self._on_value)
        self.threshold.sliderReleased.connect(self._commit)
        self._settle.timeout.connect(self._commit)

    def _lay_out(self) -> None:
        threshold = QHBoxLayout()
        threshold.addWidget(self.threshold, stretch=1)
        threshold.addWidget(self.value)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(4)
        grid.addWidget(QLabel("Threshold"), 0, 0)
        grid.addLayout(threshold, 0, 1)
        for row, (text, widget) in enumerate(
            (
                ("Labels go to", self.target),
                ("A label for", self.split),
                ("Labels there", self.replace),
            ),
            start=1,
        ):
            grid.addWidget(QLabel(text), row, 0)
            grid.addWidget(widget, row, 1)
        grid.addWidget(self.captions, 4, 0, 1, 2)
        grid.setColumnStretch(1, 1)

    # --- options ---

    @property
    def options(self) -> dict[str, bool]:
        """Replace and split, as a request takes them."""
        return {
            "replace": self.replace.currentIndex() == 1,
            "split": self.split.currentIndex() == 1,
        }

    def set_options(self, *, replace: bool, split: bool, captions: bool) -> None:
        """Choose."""
        self.replace.setCurrentIndex(int(replace))
        self.split.setCurrentIndex(int(split))
        self.captions.setChecked(captions)

    def set_targets(self, layers: Sequence[Labels]) -> None:
        """Offer layers to write to; the choice stays while its layer is there."""
        chosen = self.target.currentData()
        self.target.clear()
        self.target.addItem("a layer of the image's own", None)
        for layer in layers:
            self.target.addItem(layer.name, layer)
            if layer is chosen:
                self.target.setCurrentIndex(self.target.count() - 1)

    # --- threshold ---

    def set_run(self, run: LabelRun | None) -> None:
        """Take the run whose border the slider moves."""
        if self._run is not None:
            self._run.threshold_changed.disconnect(self._on_reverted)
        self._run = run
        if run is not None:
            run.threshold_changed.connect(self._on_reverted)
        self._show_threshold(run.threshold if run is not None and run.labels else np.nan)

    def _on_reverted(self, threshold: float) -> None:
        self._show_threshold(threshold)

    def _show_threshold(self, threshold: float) -> None:
        """Move the slider without moving the border; disable it for nan."""
        known = not np.isnan(threshold)
        self.threshold.setEnabled(known)
        self.threshold.blockSignals(True)
        self.threshold.setValue(round((threshold if known else 0.5) * _PER_CENT))
        self.threshold.blockSignals(False)
        self._write_value()

    def _on_value(self) -> None:
        self._write_value()
        self._preview()
        if not self.threshold.isSliderDown():  # by keys, the wheel, or a click beside the handle
            self._settle.start()

    def _write_value(self) -> None:
        enabled = self.threshold.isEnabled()
        self.value.setText(f"{self.threshold.value() / _PER_CENT:.2f}" if enabled else "")

    @qthrottled(timeout=60)
    def _preview(self) -> None:
        self._move()

    def _move(self) -> None:
        if self._run is not None and self.threshold.isEnabled():
            self._run.move_border(self.threshold.value() / _PER_CENT)

    def _commit(self) -> None:
        self._settle.stop()
        if self._run is not None and self.threshold.isEnabled():
            self._move()
            self._run.commit()


def _combo(name: str, texts: Sequence[str]) -> Any:
    combo = QComboBox()
    combo.addItems(list(texts))
    combo.setAccessibleName(name)
    combo.setToolTip(name)
    combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return combo
