"""The objects of the labels layer: table, buttons, menu, review."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QHBoxLayout, QPushButton, QToolButton, QVBoxLayout, QWidget

from napari_sa2va.viewer.navigation import next_flagged, show_object
from napari_sa2va.widgets.measured_panel import MeasuredPanel
from napari_sa2va.widgets.object_actions import ObjectActions
from napari_sa2va.widgets.objects_menu import ObjectsMenu
from napari_sa2va.widgets.objects_model import Column, ObjectsModel, plain_tip
from napari_sa2va.widgets.objects_table import ObjectsTable
from napari_sa2va.widgets.replaying import Replaying
from napari_sa2va.widgets.review import Review
from napari_sa2va.widgets.section import Section
from napari_sa2va.widgets.shortcuts import shown, with_key

if TYPE_CHECKING:
    from napari_sa2va.viewer.objects import LabelObjects
    from napari_sa2va.widgets.exchange import Exchange


class ObjectsPanel(QWidget):
    """One row an object: a click selects its label and goes there.

    A click on its planes goes to the next one that is flagged, a double click on phrase or note
    edits it. `commands` has what can be done, for buttons, menus and keys.

    Parameters
    ----------
    viewer : napari.Viewer
        Moved to the object that is clicked.
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._objects: LabelObjects | None = None
        self._following = False
        self.model = ObjectsModel(self)
        self.table = ObjectsTable(self.model)
        self.review = Review()
        self.commands = ObjectActions(viewer, self.table, self.review)
        self.menu = ObjectsMenu(self.commands, self)
        self.numbers = MeasuredPanel(viewer)
        self.measured = Section("Measured", self.numbers)
        self.measured.add_corner(self.numbers.corner)
        self.measured.toggled.connect(self.numbers.corner.setVisible)
        self.told = self.commands.told
        self.describe_clicked = self.commands.describe_clicked
        self.rerun_clicked = self.commands.rerun_clicked
        self.accept = _button("Accept", "accept", "The object is right (again: undecided)")
        self.reject = _button("Reject", "reject", "The object is wrong; its pixels stay")
        self.describe = _button("Describe", "describe", "Ask the model to describe the object")
        self.start = _button("Review", "review", "Go through the objects, worst score first")
        self.undo = _button("Undo", "undo", "")
        self.redo = _button("Redo", "redo", "")
        self._acting = (self.accept, self.reject, self.describe, self.start)
        self._replaying = Replaying(self)
        self.more = QToolButton()
        self.more.setText("⋯")
        self.more.setAccessibleName("More actions")
        self.more.setToolTip("More that can be done with the chosen objects")
        self.more.setMenu(self.menu)
        self.more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.more.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        self._lay_out()
        self._connect()
        self.show_objects(None)

    def _lay_out(self) -> None:
        layout = self._column = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.table, stretch=1)
        layout.addWidget(self.review)
        for row in (
            (self.accept, self.reject, self.describe, self.more),
            (self.start, self.undo, self.redo),
        ):
            line = QHBoxLayout()
            line.setSpacing(4)
            for button in row:
                line.addWidget(button, stretch=int(button is not self.more))
            layout.addLayout(line)
        layout.addWidget(self.measured)

    def _connect(self) -> None:
        for button, name in (
            (self.accept, "accept"),
            (self.reject, "reject"),
            (self.describe, "describe"),
            (self.start, "review"),
            (self.undo, "undo"),
            (self.redo, "redo"),
        ):
            button.clicked.connect(self.commands.by_name[name])
        self.model.edited.connect(self.commands.take_text)
        self.table.selectionModel().currentRowChanged.connect(self._go_to)
        self.table.selectionModel().selectionChanged.connect(self._on_choice)
        self.numbers.told.connect(self.told)
        self.table.clicked.connect(self._on_click)
        self.table.customContextMenuRequested.connect(
            lambda at: self.menu.popup(self.table.viewport().mapToGlobal(at))
        )

    @property
    def objects(self) -> LabelObjects | None:
        """Whose rows are shown."""
        return self._objects

    def place_exchange(self, exchange: Exchange) -> None:
        """Show below the buttons how far an export or import is; told of as of all else here."""
        below = self._column.indexOf(self.measured)
        self._column.insertWidget(below, exchange.progress)
        exchange.told.connect(self.told)

    def close_tasks(self) -> None:
        """Measure nothing any more, and let no undo be half done: the window goes."""
        self.numbers.close_task()
        objects, self._objects = self._objects, None
        if objects is not None:
            for signal, slot in self._wires(objects):  # the widgets may be gone already
                signal.disconnect(slot)
            objects.replay_in_pieces(None)

    def show_objects(self, objects: LabelObjects | None) -> None:
        """Show the rows of a layer, and follow them."""
        if self._objects is not objects:
            self.review.end()
            for old, connect in ((self._objects, False), (objects, True)):
                for signal, slot in [] if old is None else self._wires(old):
                    (signal.connect if connect else signal.disconnect)(slot)
            if self._objects is not None:
                self._objects.replay_in_pieces(None)
            if objects is not None:
                self._replaying.follow(objects)
        self._objects = self.commands.objects = objects
        self.refresh()

    def _wires(self, objects: LabelObjects) -> list[tuple[Any, Any]]:
        return [
            (objects.changed, self.refresh),
            (objects.replay_moved, self._on_replay),
            (objects.labels.events.selected_label, self._on_label),
            (objects.labels.events.colormap, self.model.repaint),
        ]

    def refresh(self) -> None:
        """Read the rows anew; what the user is writing meanwhile stays as it is."""
        self._following = True
        self.model.set_objects(self._objects)
        self._following = False
        if not self.table.editing:
            self.table.show_columns()
        self._on_label()
        self._show_undo()
        self.numbers.show_objects(self._objects)
        self._on_choice()
        if self.review.active and self._objects is not None:
            self.review.keep(row.label for row in self._objects.rows())

    def _show_undo(self) -> None:
        """Say on the buttons what they would do."""
        objects = self._objects
        for button, name, text in (
            (self.undo, "undo", "" if objects is None else objects.undo_text),
            (self.redo, "redo", "" if objects is None else objects.redo_text),
        ):
            title = name.capitalize()
            button.setText(f"{title} {shown(name)}".rstrip())
            button.setEnabled(bool(text))
            tip = with_key(f"{title}: {text}" if text else f"Nothing to {name}", name)
            button.setToolTip(plain_tip(tip))  # with phrases, as they were written
        there = objects is not None and self.model.rowCount() > 0
        for button in self._acting:
            button.setEnabled(there)
        self.more.setEnabled(objects is not None)

    def _on_replay(self, done: int, total: int) -> None:
        """Say how far an undo or redo over many planes is; nothing else is done meanwhile."""
        if self._objects is None or not self._objects.replaying:
            self._show_undo()
            return
        for button in (*self._acting, self.undo, self.redo):
            button.setEnabled(False)
        self.undo.setText(f"{done * 100 // total} %")
        self.undo.setToolTip(f"{done} of {total} planes are written. Editing waits until then.")

    def _on_click(self, index: Any) -> None:
        """Go to the object, or from a click on its planes to the next flagged one."""
        self._go_to(index, flagged=index.column() == Column.PLANES)

    def _go_to(self, index: Any, *_: Any, flagged: bool = False) -> None:
        """Go to the object of a row that the user chose."""
        if self._following or self._objects is None or not index.isValid():
            return
        label = self.model.label_at(index.row())
        entry, point = self._objects.entry(label), None
        if entry is not None and flagged:
            point = next_flagged(self._viewer, self._objects.labels, entry)
        point = point or self._objects.point(label)
        if point is not None:
            self._following = True
            try:
                show_object(self._viewer, self._objects.labels, label, point)
            finally:
                self._following = False

    def _on_choice(self, *_: Any) -> None:
        """Measure what is chosen."""
        self.numbers.choose(self.table.chosen if self._objects is not None else [])

    def _on_label(self) -> None:
        """Mark the row of the layer's selected label; a selection that has it stays."""
        if self._following or self._objects is None or self.table.editing:
            return
        label = int(self._objects.labels.selected_label)
        if self.table.current_label == label:
            return
        self._following = True
        self.table.choose(label)
        self._following = False


def _button(text: str, name: str, tip: str) -> QPushButton:
    button = QPushButton(f"{text} {shown(name)}".rstrip())
    button.setAccessibleName(text)
    button.setToolTip(tip)
    return button
