"""Where the border of the last run's masks is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSlider, QWidget
from superqt.utils import qthrottled

from napari_sa2va.annotation.masks import HIGHEST_PROBABILITY, LOWEST_PROBABILITY

if TYPE_CHECKING:
    from napari_sa2va.viewer.run import LabelRun

_PER_CENT: Final = 100
_SETTLED_MILLISECONDS: Final = 500


class ThresholdRow(QWidget):
    """A slider that moves the border: live while dragged, one undo step when let go."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._run: LabelRun | None = None
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(
            round(LOWEST_PROBABILITY * _PER_CENT), round(HIGHEST_PROBABILITY * _PER_CENT)
        )
        self.slider.setPageStep(5)
        self.slider.setAccessibleName("Threshold of the last run")
        self.slider.setToolTip(
            "Probability at the border of the last run's masks: further left, they grow. "
            "Each move is one undo step."
        )
        self.value = QLabel()
        # With room for the padding of napari's themes, which come later.
        self.value.setMinimumWidth(self.fontMetrics().horizontalAdvance("0.00") + 16)
        # Moves by keys, the wheel or a click beside the handle have no end but a pause.
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(_SETTLED_MILLISECONDS)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(QLabel("Threshold"))
        layout.addWidget(self.slider, stretch=1)
        layout.addWidget(self.value)
        self.set_run(None)
        self.slider.valueChanged.connect(self._on_value)
        self.slider.sliderReleased.connect(self._commit)
        self._settled.timeout.connect(self._commit)

    def set_run(self, run: LabelRun | None) -> None:
        """Take the run whose border the slider moves."""
        if self._run is not None:
            self._run.threshold_changed.disconnect(self._show)
        self._run = run
        if run is not None:
            run.threshold_changed.connect(self._show)
        self._show(run.threshold if run is not None and run.labels else np.nan)

    def _show(self, threshold: float) -> None:
        """Move the slider without moving the border; nan: there is nothing to move."""
        known = not np.isnan(threshold)
        self._settled.stop()
        self.slider.setEnabled(known)
        self.slider.blockSignals(True)
        self.slider.setValue(round((threshold if known else 0.5) * _PER_CENT))
        self.slider.blockSignals(False)
        self._write_value()

    def _on_value(self) -> None:
        self._write_value()
        self._preview()
        if not self.slider.isSliderDown():
            self._settled.start()

    def _write_value(self) -> None:
        shown = f"{self.slider.value() / _PER_CENT:.2f}" if self.slider.isEnabled() else ""
        self.value.setText(shown)

    @qthrottled(timeout=60)
    def _preview(self) -> None:
        self._move()

    def _move(self) -> None:
        if self._run is not None and self.slider.isEnabled():
            self._run.move_border(self.slider.value() / _PER_CENT)

    def _commit(self) -> None:
        self._settled.stop()
        if self._run is not None and self.slider.isEnabled():
            self._move()
            self._run.commit()
