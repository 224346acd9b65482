"""What the buttons, the menus and the keys of the objects do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QObject, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QColorDialog

from napari_sa2va.errors import Sa2VAError
from napari_sa2va.viewer import object_actions
from napari_sa2va.viewer.highlighting import own_colour
from napari_sa2va.viewer.navigation import show_object
from napari_sa2va.widgets.messages import Message
from napari_sa2va.widgets.objects_model import Column
from napari_sa2va.widgets.review import review_order, tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sa2va.viewer.objects import LabelObjects
    from napari_sa2va.widgets.objects_table import ObjectsTable
    from napari_sa2va.widgets.review import Review

NAMES: Final = (
    "undo",
    "redo",
    "undo_object",
    "accept",
    "reject",
    "flag",
    "describe",
    "rerun",
    "rename",
    "note",
    "lock",
    "merge",
    "split",
    "delete",
    "delete_rejected",
    "adopt",
    "recolour",
    "layer_colour",
    "go_to",
    "review",
    "review_next",
    "review_previous",
)
"""Actions of the objects, as in `shortcuts.SHORTCUTS`."""


class ObjectActions(QObject):
    """Acts on the objects that are chosen in the table.

    Parameters
    ----------
    viewer : napari.Viewer
        Moved to objects.
    table : ObjectsTable
        Says which objects are chosen.
    walk : Review
        The review.
    """

    told = Signal(object)
    """A `Message`: why something was not done, or what came of it."""
    describe_clicked = Signal(object)
    """A list of labels to describe."""
    rerun_clicked = Signal(int)
    """The label whose phrase is to be asked for again."""

    def __init__(self, viewer: Any, table: ObjectsTable, walk: Review) -> None:
        super().__init__(table)
        self._viewer = viewer
        self._table = table
        self._walk = walk
        self.objects: LabelObjects | None = None
        walk.wanted.connect(self._look_at)
        walk.ended.connect(self._on_review_ended)

    @property
    def by_name(self) -> dict[str, Callable[[], None]]:
        """The methods to bind keys to."""
        return {name: getattr(self, name) for name in NAMES}

    @property
    def chosen(self) -> list[int]:
        """The labels that are chosen; first that of the row with the focus."""
        return self._table.chosen if self.objects is not None else []

    # --- the time-line ---

    def undo(self) -> None:
        """Take back the last step, of the plugin or of napari's brush."""
        if self.objects is not None and not self.objects.undo():
            self._tell("There is nothing to undo.", "info")

    def redo(self) -> None:
        """Make the step again that was taken back last."""
        if self.objects is not None and not self.objects.redo():
            self._tell("There is nothing to redo.", "info")

    def undo_object(self) -> None:
        """Take back what the last step did to the chosen objects alone."""
        for label in self._chosen():
            self._do(lambda objects, label=label: self._undo_one(objects, label))

    def _undo_one(self, objects: LabelObjects, label: int) -> None:
        if not objects.undo_object(label):
            self._tell(f"There is nothing to take back for object {label}.", "info")

    # --- judging ---

    def accept(self) -> None:
        """Accept the chosen objects, and go on in a review."""
        self._judge("accepted")

    def reject(self) -> None:
        """Reject the chosen objects, and go on in a review."""
        self._judge("rejected")

    def flag(self) -> None:
        """Flag the chosen objects, and go on in a review."""
        self._judge("flagged")

    def _judge(self, status: str) -> None:
        labels = self._chosen()
        if not labels or self.objects is None:
            return
        reviewed = labels == [self._walk.current]
        same = all(row.status == status for row in self.objects.rows() if row.label in labels)
        # A second time takes it back, but not in a review, where one goes back and forth.
        wanted = "proposed" if same and not reviewed else status
        self._do(lambda objects: object_actions.set_status(objects, labels, wanted))
        if reviewed:
            self._walk.go(1)

    # --- reviewing ---

    def review(self) -> None:
        """Begin a review, or end it."""
        if self._walk.active:
            self._walk.end()
        elif self.objects is not None:
            order = review_order(self.objects.rows())
            if not order:
                self._tell("There are no objects to review yet.", "info")
            self._walk.start(order)

    def review_next(self) -> None:
        """Go to the next object of the review; begin one if there is none."""
        if self._walk.active:
            self._walk.go(1)
        else:
            self.review()

    def review_previous(self) -> None:
        """Go back to the object before."""
        self._walk.go(-1)

    def _on_review_ended(self) -> None:
        if self.objects is not None and self._walk.labels:
            self._tell(tally(self.objects.rows(), self._walk.labels), "info")

    # --- the model ---

    def describe(self) -> None:
        """Ask the model for a description of the chosen objects."""
        if labels := self._chosen():
            self.describe_clicked.emit(labels)

    def rerun(self) -> None:
        """Ask for the phrase of the first chosen object again."""
        if labels := self._chosen():
            self.rerun_clicked.emit(labels[0])

    # --- rows ---

    def rename(self) -> None:
        """Write the phrase of the first chosen object, in the table."""
        self._write(Column.PHRASE)

    def note(self) -> None:
        """Write a note on the first chosen object, in the table."""
        self._write(Column.NOTE)

    def _write(self, column: Column) -> None:
        if not self._table.isVisible():
            self._tell("Unfold Objects in the dock to write there.", "info")
        elif labels := self._chosen():
            self._table.write(labels[0], column)

    def take_text(self, label: int, field: str, text: str) -> None:
        """Take what was written in the table."""
        act = object_actions.rename if field == "phrase" else object_actions.set_note
        self._do(lambda objects: act(objects, [label], text))

    def lock(self) -> None:
        """Lock the chosen objects; unlock them if all are locked."""
        if (labels := self._chosen()) and self.objects is not None:
            locked = all(self.objects.locked(label) for label in labels)
            self._do(lambda objects: object_actions.set_locked(objects, labels, not locked))

    def recolour(self) -> None:
        """Let the user choose a colour for the chosen objects."""
        if not (labels := self._chosen()) or self.objects is None:
            return
        initial = QColor.fromRgbF(*own_colour(self.objects.labels, labels[0]))
        colour = QColorDialog.getColor(initial, self._table, "Colour of the objects")
        if colour.isValid():
            self._do(lambda objects: object_actions.recolour(objects, labels, colour.name()))

    def layer_colour(self) -> None:
        """Give the chosen objects the layer's colours."""
        if labels := self._chosen():
            self._do(lambda objects: object_actions.recolour(objects, labels, ""))

    def go_to(self) -> None:
        """Bring the first chosen object to the middle of the canvas."""
        if labels := self._chosen():
            self._look_at(labels[0])

    # --- pixels ---

    def merge(self) -> None:
        """Give the pixels of the chosen objects to that with the focus."""
        if labels := self._chosen():
            self._do(lambda objects: self._select(object_actions.merge(objects, labels)))

    def split(self) -> None:
        """Split the first chosen object into its connected parts."""
        if labels := self._chosen():
            self._do(lambda objects: self._select(object_actions.split(objects, labels[0])[0]))

    def delete(self) -> None:
        """Erase the chosen objects."""
        if labels := self._chosen():
            self._do(lambda objects: object_actions.delete(objects, labels))

    def delete_rejected(self) -> None:
        """Erase all rejected objects that are not locked."""
        labels = [] if self.objects is None else object_actions.rejected(self.objects)
        if labels:
            self._do(lambda objects: object_actions.delete(objects, labels))
        else:
            self._tell("There are no rejected objects to delete.", "info")

    def adopt(self) -> None:
        """Give the labels of the plane in view that have no row one each."""
        self._do(object_actions.adopt)

    # --- helpers ---

    def _chosen(self) -> list[int]:
        labels = self.chosen
        if not labels:
            self._tell("Choose an object in the table, or pick one in the image, first.", "info")
        return labels

    def _do(self, act: Callable[[LabelObjects], object]) -> None:
        if self.objects is None:
            return
        try:
            act(self.objects)
        except Sa2VAError as error:
            self._tell(str(error), "warning")

    def _tell(self, text: str, level: Any) -> None:
        self.told.emit(Message(text, level))

    def _select(self, label: int) -> None:
        if self.objects is not None:
            self.objects.labels.selected_label = label

    def _look_at(self, label: int) -> None:
        if self.objects is not None and (point := self.objects.point(label)) is not None:
            show_object(self._viewer, self.objects.labels, label, point)
            self._table.choose(label)
