"""Which image, which channels, which part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from napari.layers import Image, Shapes
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QGridLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QSizePolicy,
    QWidget,
)
from superqt.utils import qdebounced

from napari_sa2va.errors import Sa2VAError
from napari_sa2va.viewer import snapshot
from napari_sa2va.viewer.rectangle import add_rectangle_layer
from napari_sa2va.widgets.objects_model import plain_tip
from napari_sa2va.widgets.thumbnail import Thumbnail

if TYPE_CHECKING:
    from napari_sa2va.viewer import LookAt

LOOK_AT: Final = (
    ("Whole plane", "whole", "All of the current slice"),
    ("On screen", "screen", "Zoom in, and small objects become large for the model"),
    ("Rectangle", "rectangle", "Draw one; the newest, or the selected one, counts"),
)


class SourcePanel(QWidget):
    """Image layer, channels, region, and a picture of what the model sees.

    Parameters
    ----------
    viewer : napari.Viewer
        Its image layers can be chosen.
    """

    changed = Signal()
    """What is looked at has changed, or how it is shown."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._rectangles: Shapes | None = None
        self._watched: list[Any] = []
        self.image = QComboBox()
        self.image.setAccessibleName("Image")
        self.image.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.channels = QListWidget()
        self.channels.setAccessibleName("Channels")
        self.channels.setToolTip(
            "Ticked channels are shown to the model together, in their colours"
        )
        self.channels.setMaximumHeight(76)
        self.channels_title = QLabel("Channels")
        self.look_at_choice = QComboBox()
        self.look_at_choice.setAccessibleName("Look at")
        self.look_at_choice.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        for text, data, tip in LOOK_AT:
            self.look_at_choice.addItem(text, data)
            row = self.look_at_choice.count() - 1
            self.look_at_choice.setItemData(row, tip, Qt.ItemDataRole.ToolTipRole)
        self.title = QLabel()
        self.title.setWordWrap(True)
        self.title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.thumbnail = Thumbnail()
        self._lay_out()
        self._connect()
        self.refresh_layers()

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(4)
        grid.addWidget(QLabel("Image"), 0, 0)
        grid.addWidget(self.image, 0, 1, 1, 2)
        grid.addWidget(self.channels_title, 1, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(self.channels, 1, 1, 1, 2)
        grid.addWidget(QLabel("Look at"), 2, 0)
        grid.addWidget(self.look_at_choice, 2, 1)
        grid.addWidget(self.title, 3, 0, 1, 2)
        grid.addWidget(self.thumbnail, 2, 2, 2, 1, Qt.AlignmentFlag.AlignTop)
        grid.setColumnStretch(1, 1)

    def _connect(self) -> None:
        layers, dims = self._viewer.layers.events, self._viewer.dims.events
        for event in (layers.inserted, layers.removed, layers.reordered):
            event.connect(self.refresh_layers)
        for event in (dims.point, dims.order, dims.ndisplay):
            event.connect(self._on_view)
        self._viewer.scene.camera.events.connect(self._on_camera)
        self.image.currentIndexChanged.connect(self._on_image_chosen)
        self.channels.itemChanged.connect(self._on_channels)
        self.look_at_choice.activated.connect(self._on_look_at)

    def close_connections(self) -> None:
        """Stop following the viewer."""
        layers, dims = self._viewer.layers.events, self._viewer.dims.events
        for event in (layers.inserted, layers.removed, layers.reordered):
            event.disconnect(self.refresh_layers)
        for event in (dims.point, dims.order, dims.ndisplay):
            event.disconnect(self._on_view)
        self._viewer.scene.camera.events.disconnect(self._on_camera)
        self._watch([])

    # --- what is chosen ---

    @property
    def images(self) -> tuple[Image, ...]:
        """The ticked layers, the chosen image first; none if there is no image."""
        chosen = self.image.currentData()
        if chosen is None:
            return ()
        ticked = [
            item.data(Qt.ItemDataRole.UserRole)
            for item in map(self.channels.item, range(self.channels.count()))
            if item.checkState() == Qt.CheckState.Checked
        ]
        others = [layer for layer in ticked if layer is not chosen]
        alone = not self.channels.count() or chosen in ticked
        return (chosen, *others) if alone else tuple(others)

    @property
    def look_at(self) -> LookAt:
        """Which part of the plane."""
        choice = self.look_at_choice.currentData()
        return self._rectangles if choice == "rectangle" and self._rectangles else choice

    # --- following the viewer ---

    def refresh_layers(self) -> None:
        """List the image layers anew; the choice stays while its layer is there."""
        if self._rectangles is not None and self._rectangles not in self._viewer.layers:
            self._rectangles = None
            if self.look_at_choice.currentData() == "rectangle":  # there is none any more
                self.look_at_choice.setCurrentIndex(0)
        images = [layer for layer in self._viewer.layers if isinstance(layer, Image)]
        chosen = self.image.currentData()
        if chosen not in images:
            # The newest one is what the user has just opened.
            chosen = images[-1] if images else None
        self.image.blockSignals(True)
        self.image.clear()
        for layer in images:
            self.image.addItem(_described(layer), layer)
        if not images:
            self.image.addItem("No image is open", None)
        self.image.setCurrentIndex(images.index(chosen) if chosen is not None else 0)
        self.image.setEnabled(bool(images))
        self.image.blockSignals(False)
        self._list_channels()

    def _on_image_chosen(self) -> None:
        self._list_channels(chosen_anew=True)

    def _list_channels(self, *, chosen_anew: bool = False) -> None:
        """List the channels of the chosen image; those that were listed keep their ticks."""
        chosen = self.image.currentData()
        self.image.setToolTip(plain_tip(self.image.currentText()))
        ticks = {
            item.data(Qt.ItemDataRole.UserRole): item.checkState() == Qt.CheckState.Checked
            for item in map(self.channels.item, range(self.channels.count()))
        }
        if chosen not in ticks:  # another image
            ticks = {}
        grid = _same_grid(self._viewer, chosen)
        self.channels.blockSignals(True)
        self.channels.clear()
        for layer in grid if len(grid) > 1 else []:
            on = ticks.get(layer, layer is chosen or _is_channel(layer))
            on = on or (chosen_anew and layer is chosen)
            item = QListWidgetItem(layer.name)
            item.setData(Qt.ItemDataRole.UserRole, layer)
            item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
            self.channels.addItem(item)
        self.channels.blockSignals(False)
        several = len(grid) > 1
        self.channels.setVisible(several)
        self.channels_title.setVisible(several)
        row_height = max(self.channels.sizeHintForRow(0), 1) if several else 1
        self.channels.setFixedHeight(min(len(grid), 4) * row_height + 6)
        self._on_channels()

    def _on_channels(self) -> None:
        self._watch(self.images)
        self._on_view()

    def _on_look_at(self) -> None:
        if self.look_at_choice.currentData() == "rectangle":
            if self._rectangles is None:
                self._rectangles = add_rectangle_layer(self._viewer, self.images)
                self._watch(self.images)
            elif not self._rectangles.data:
                self._viewer.layers.selection.active = self._rectangles
                self._rectangles.mode = "add_rectangle"
        self._on_view()

    def _watch(self, layers: tuple[Image, ...] | list[Image]) -> None:
        """Follow how layers are shown."""
        for event in self._watched:
            event.disconnect(self._on_view)
        self._watched = [
            event
            for layer in layers
            for event in (
                layer.events.contrast_limits,
                layer.events.gamma,
                layer.events.colormap,
                layer.events.data,
                layer.events.scale,
                layer.events.name,
            )
        ]
        if self._rectangles is not None:
            self._watched.append(self._rectangles.events.data)
        for event in self._watched:
            event.connect(self._on_view)

    def _on_camera(self) -> None:
        if self.look_at_choice.currentData() == "screen":
            self._on_view()

    def _on_view(self) -> None:
        self._redraw()

    @qdebounced(timeout=150)
    def _redraw(self) -> None:
        """Say and draw what the model would see now."""
        images = self.images
        if not images:
            self.title.setText("Open an image to begin.")
            self.thumbnail.show_snapshot(None)
        else:
            try:
                plane = snapshot(self._viewer, images, self.look_at)
            except Sa2VAError as error:
                self.title.setText(str(error))
                self.thumbnail.show_snapshot(None)
            else:
                self.title.setText(plane.title)
                self.thumbnail.show_snapshot(plane)
        self.changed.emit()


def _described(layer: Image) -> str:
    shape = layer.data[0].shape if layer.multiscale else layer.data.shape
    size = "×".join(str(n) for n in shape[: layer.ndim])  # noqa: RUF001 - the sign for sizes
    return f"{layer.name} · {size} · {'RGB' if layer.rgb else np.dtype(layer.dtype)}"


def _same_grid(viewer: Any, chosen: Image | None) -> list[Image]:
    """Return the layers that could be channels of the same image as the chosen one."""
    if chosen is None or chosen.rgb:
        return []
    return [
        layer
        for layer in viewer.layers
        if isinstance(layer, Image)
        and not layer.rgb
        and layer.multiscale == chosen.multiscale
        and layer.ndim == chosen.ndim
        and np.array_equal(layer.level_shapes, chosen.level_shapes)
        and np.allclose(layer.extent.world, chosen.extent.world)
    ]


def _is_channel(layer: Image) -> bool:
    """Whether a layer is shown together with others, as napari opens the channels of a file."""
    return bool(layer.visible) and str(layer.blending) == "additive"
