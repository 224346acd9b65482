"""The dock offers what the chosen checkpoint can do, and says what it cannot and which can."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final, NamedTuple

from qtpy.QtWidgets import QAbstractButton, QLabel, QSizePolicy, QWidget

from napari_sa2va.zoo.abilities import INSTEAD, why_not
from napari_sa2va.zoo.catalogue import Capability

if TYPE_CHECKING:
    from napari_sa2va.widgets.ask_panel import AskPanel
    from napari_sa2va.widgets.model_panel import ModelPanel
    from napari_sa2va.widgets.stack_panel import StackPanel

# A hyphen at which no line ends: names of models stay whole.
_UNBROKEN: Final = "\u2011"
_TIP_LETTERS: Final = 72


class _Guarded(NamedTuple):
    """A control, what any of which it is for, and what it says of itself."""

    widget: QWidget
    capabilities: tuple[Capability, ...]
    tip: str


class Offers(QLabel):
    """Enables controls by what is known of the chosen checkpoint.

    What cannot be done at all is disabled, with a tooltip that says why. Where it is done in
    another way, or the control serves something else, too, the control stays, and this label says
    how it is while it is chosen. What is not known is not held against a checkpoint.

    Parameters
    ----------
    model : ModelPanel
        Tells which one is chosen.
    ask : AskPanel
        Its ways of asking are guarded.
    stack : StackPanel
        Told where SAM2's original decoder comes from.
    """

    def __init__(
        self,
        model: ModelPanel,
        ask: AskPanel,
        stack: StackPanel,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._model, self._ask, self._stack = model, ask, stack
        self._guarded: list[_Guarded] = []
        self._off: set[QWidget] = set()
        self.setWordWrap(True)
        self.setContentsMargins(8, 0, 0, 0)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.setAccessibleName("What this model cannot do")
        self.guard(ask.segment, Capability.SEGMENT)
        # A question may be about regions, too.
        self.guard(ask.ask, Capability.ASK, Capability.REGION)
        self.guard(ask.describe, Capability.REGION)
        self.guard(ask.bar.caption, Capability.CAPTION)
        self.guard(stack.through, Capability.VIDEO)
        model.known_changed.connect(self.refresh)
        stack.get_clicked.connect(self._get_sam2)
        for button in (ask.segment, ask.ask, ask.describe):
            button.toggled.connect(self._say)
        self.refresh()

    def guard(self, widget: QWidget, *capabilities: Capability) -> None:
        """Offer a control where the checkpoint can do any of these.

        Its tooltip must be set before.
        """
        self._guarded.append(_Guarded(widget, capabilities, widget.toolTip()))
        self._show(self._guarded[-1])

    def refresh(self) -> None:
        """Look anew at what the chosen checkpoint can do."""
        known = self._model.known
        for guarded in self._guarded:
            self._show(guarded)
        self._stack.show_decoder(known.lacks_decoder, str(known.sam2_file or ""))
        self._say()

    def _show(self, guarded: _Guarded) -> None:
        widget, capabilities, tip = guarded
        lacked = [one for one in capabilities if self._model.known.lacks(one)]
        off = len(lacked) == len(capabilities) and lacked[0] not in INSTEAD
        if off is not (widget in self._off):  # else a run may have disabled it
            widget.setEnabled(not off)
            self._off ^= {widget}
        why = why_not(self._model.short_name, lacked[0]) if lacked else ""
        why = textwrap.fill(why, _TIP_LETTERS)
        widget.setToolTip(why if off else "\n".join(filter(None, (tip, why))))
        if off and isinstance(widget, QAbstractButton) and widget.isChecked():
            self._ask.segment.setChecked(True)

    def _say(self, *_: object) -> None:
        """Say what the chosen way of asking is not for."""
        about = {"ask": Capability.ASK, "describe": Capability.REGION}.get(self._ask.mode)
        lacks = about is not None and self._model.known.lacks(about)
        why = why_not(self._model.short_name, about) if about is not None and lacks else ""
        self.setText(why.replace("-", _UNBROKEN))
        self.setVisible(lacks)

    def _get_sam2(self) -> None:
        from napari_sa2va.zoo.sam2 import SAM2_NAME

        self._model.open_manager().get(SAM2_NAME)
