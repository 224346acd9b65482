"""What is corrected next: the selected object, or a new one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_sa2va.errors import InvalidInput

if TYPE_CHECKING:
    from napari_sa2va.frames import PlaneIndex
    from napari_sa2va.viewer.objects import LabelObjects
    from napari_sa2va.widgets.open_correction import Found, OpenCorrection


@dataclass(frozen=True, slots=True, eq=False)
class Accepted:
    """The last correction that was accepted: where one can go on from."""

    objects: LabelObjects
    label: int
    opened: OpenCorrection
    found: Found

    @property
    def plane(self) -> PlaneIndex:
        """The plane that it was in."""
        return self.opened.place.placement.index


class CorrectTarget:
    """Follows which object is selected, and whether the next one is new.

    Attributes
    ----------
    objects : LabelObjects or None
        Whose objects are corrected; None while there are none.
    new : bool
        Whether the next mark begins a new object, whatever is selected.
    phrase : str
        What that one is called.
    last : Accepted or None
    held : bool
        A correction is open: to select another object chooses it for later only.
    """

    changed = Signal()
    """Another object is selected, or rows have changed."""

    def __init__(self) -> None:
        self.objects: LabelObjects | None = None
        self.new = False
        self.phrase = ""
        self.last: Accepted | None = None
        self.held = False
        self._selecting = False

    def follow(self, objects: LabelObjects | None) -> None:
        """Correct objects of this layer; None while there is none."""
        if objects is self.objects:
            return
        if self.objects is not None:
            self.objects.labels.events.selected_label.disconnect(self._on_selected)
            self.objects.changed.disconnect(self.changed.emit)
        if objects is not None:
            objects.labels.events.selected_label.connect(self._on_selected)
            objects.changed.connect(self.changed.emit)
        self.objects = objects
        self.changed.emit()

    def forget(self, objects: LabelObjects) -> None:
        """Take note that a layer is gone."""
        if self.last is not None and self.last.objects is objects:
            self.last = None
        if self.objects is objects:
            self.follow(None)

    @property
    def selected(self) -> int | None:
        """The selected label, if it is an object."""
        if self.objects is None:
            return None
        label = int(self.objects.labels.selected_label)
        return label if self.objects.entry(label) is not None else None

    @property
    def selected_phrase(self) -> str:
        """What the selected object is called."""
        label = self.selected
        entry = None if label is None or self.objects is None else self.objects.entry(label)
        return "" if entry is None else entry.record.phrase

    @property
    def label(self) -> int | None:
        """Of the object that the next mark is on; None for a new one."""
        return None if self.new else self.selected

    @property
    def propagates(self) -> int | None:
        """The object that would be propagated: the one accepted last, or the selected one."""
        last = self._last_here
        return last.label if self.new and last is not None else self.selected

    @property
    def to_propagate(self) -> tuple[LabelObjects, int, PlaneIndex | None]:
        """That object, and where it was corrected last.

        Raises
        ------
        InvalidInput
            There is none.
        """
        label, last = self.propagates, self._last_here
        if last is not None and last.label == label:
            return last.objects, last.label, last.plane
        if label is None or self.objects is None:
            raise InvalidInput("Select the object to propagate, in the table or by a click.")
        return self.objects, label, None

    @property
    def _last_here(self) -> Accepted | None:
        """What was accepted last, if it is one of `objects`: others have the same labels."""
        last = self.last
        return last if last is not None and last.objects is self.objects else None

    def accept(self, accepted: Accepted) -> None:
        """Select the object that was accepted; after a new one comes the next new one."""
        self.last = accepted
        self.follow(accepted.objects)
        self.new = self.new or accepted.opened.label is None
        self._selecting = True
        accepted.objects.labels.selected_label = accepted.label
        self._selecting = False

    def _on_selected(self) -> None:
        if not self._selecting and not self.held:
            self.new = False
        self.changed.emit()
