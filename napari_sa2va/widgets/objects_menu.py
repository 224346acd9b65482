"""The menu of the objects: all that can be done with those that are chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtWidgets import QMenu, QWidget

from napari_sa2va.viewer.object_actions import rejected
from napari_sa2va.widgets.shortcuts import shown

if TYPE_CHECKING:
    from napari_sa2va.widgets.object_actions import ObjectActions

# Name of the action, text, how many objects must be chosen; None for a line between.
_ITEMS: Final = (
    ("accept", "Accept", 1),
    ("reject", "Reject", 1),
    ("flag", "Flag", 1),
    None,
    ("go_to", "Go to", 1),
    ("describe", "Describe", 1),
    ("rerun", "Ask for its phrase again", 1),
    None,
    ("rename", "Rename", 1),
    ("note", "Note", 1),
    ("lock", "Lock", 1),
    ("recolour", "Colour…", 1),
    ("layer_colour", "The layer's colour", 1),
    None,
    ("merge", "Merge", 2),
    ("split", "Split into connected parts", 1),
    ("undo_object", "Undo for this object", 1),
    None,
    ("delete", "Delete", 1),
    ("delete_rejected", "Delete rejected", 0),
    None,
    ("adopt", "Add labels without a row", 0),
)


class ObjectsMenu(QMenu):
    """Filled anew whenever it opens."""

    def __init__(self, actions: ObjectActions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._actions = actions
        self.aboutToShow.connect(self.fill)

    def fill(self) -> None:
        """Offer what can be done with the chosen objects."""
        self.clear()
        actions, objects = self._actions, self._actions.objects
        chosen = actions.chosen
        rows = {} if objects is None else {row.label: row for row in objects.rows()}
        picked = [rows[label] for label in chosen if label in rows]
        for item in _ITEMS:
            if item is None:
                self.addSeparator()
                continue
            name, text, least = item
            enabled = len(picked) >= least
            if name == "lock" and picked and all(row.locked for row in picked):
                text = "Unlock"
            elif name == "merge" and len(picked) > 1:
                text = f"Merge into {chosen[0]}"
            elif name == "layer_colour":
                enabled = any(row.color for row in picked)
            elif name == "delete_rejected":
                count = 0 if objects is None else len(rejected(objects))
                text, enabled = f"Delete rejected ({count})", count > 0
            elif name == "adopt":
                enabled = objects is not None
            # After a tab Qt writes a key and binds none: the dock has bound it.
            key = shown(name)
            action = self.addAction(f"{text}\t{key}" if key else text)
            action.setObjectName(name)
            action.setEnabled(enabled)
            action.triggered.connect(lambda _=False, name=name: getattr(actions, name)())
