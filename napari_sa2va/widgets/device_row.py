"""On which device a model runs, and in which number format."""

from __future__ import annotations

import textwrap
from typing import Any, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QWidget

from napari_sa2va.viewer.preferences import setting, store_setting
from napari_sa2va.zoo.gpu import why_not_on

DEVICES: Final = ("auto", "cpu", "cuda", "mps")
DTYPES: Final = ("auto", "float32", "bfloat16", "float16", "int8", "int4")
_TIP_LETTERS: Final = 72
# As napari.yaml describes the two settings.
_DEVICE: Final = (
    'Where the model runs. "auto" takes an NVIDIA GPU, else Apple\'s, else the processor.'
)
_DTYPE: Final = 'Number format of the weights. "auto" takes the one that the device is good at.'


class DeviceRow(QWidget):
    """Device and precision, as they were chosen last; offers what can work together.

    A number format that cannot work on the chosen device is not to be chosen, and its tooltip
    says why.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.device = _choice(DEVICES, setting("model", "device", "auto"), "Device", _DEVICE)
        self.dtype = _choice(DTYPES, setting("model", "dtype", "auto"), "Precision", _DTYPE)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(QLabel("On"))
        layout.addWidget(self.device, stretch=1)
        layout.addWidget(QLabel("in"))
        layout.addWidget(self.dtype, stretch=1)
        self._offer()
        self.device.currentTextChanged.connect(self._on_device)
        self.dtype.currentTextChanged.connect(self._on_dtype)

    def _on_device(self) -> None:
        self._offer()
        self._on_dtype()

    def _on_dtype(self) -> None:
        store_setting("model", "device", self.device.currentText())
        store_setting("model", "dtype", self.dtype.currentText())
        self.changed.emit()

    def _offer(self) -> None:
        """Switch off what cannot work; ``auto`` takes the place of such a choice."""
        items: Any = self.dtype.model()
        for row, dtype in enumerate(DTYPES):
            reason = why_not_on(dtype, self.device.currentText())
            items.item(row).setEnabled(not reason)
            tip = textwrap.fill(reason, _TIP_LETTERS)
            self.dtype.setItemData(row, tip or None, Qt.ItemDataRole.ToolTipRole)
            if reason and row == self.dtype.currentIndex():
                self.dtype.blockSignals(True)
                self.dtype.setCurrentIndex(0)
                self.dtype.blockSignals(False)


def _choice(texts: tuple[str, ...], current: str, name: str, tip: str) -> QComboBox:
    combo = QComboBox()
    combo.addItems(texts)
    combo.setCurrentText(current)
    combo.setAccessibleName(name)
    combo.setToolTip(textwrap.fill(f"{name}: {tip}", _TIP_LETTERS))
    combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return combo
