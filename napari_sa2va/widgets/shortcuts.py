"""The keys of all actions of the dock: one table, changeable in the plugin's settings.

The defaults are free on every layer type of napari 0.9, in its menus and on its viewer (a test
compares). napari itself gives single letters to what is done often, so the letters that it leaves
free go to reviewing and correcting. In a text field a letter is typed, as always.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence

from napari_sa2va.viewer.preferences import setting


@dataclass(frozen=True, slots=True)
class Shortcut:
    """An action and its key.

    Attributes
    ----------
    name : str
        Of its setting, ``keys.<name>``.
    default : str
        Key in Qt's spelling.
    title : str
        What the action does, as a heading in the settings.
    """

    name: str
    default: str
    title: str


SHORTCUTS: Final = {
    shortcut.name: shortcut
    for shortcut in (
        Shortcut("run", "Ctrl+Return", "Run"),
        Shortcut("cancel", "Ctrl+Shift+Return", "Cancel the run"),
        Shortcut("rerun", "Alt+Return", "Ask for the object's phrase again"),
        Shortcut("undo", "U", "Undo"),
        Shortcut("redo", "Shift+U", "Redo"),
        Shortcut("undo_object", "Alt+U", "Undo of this object"),
        # Reviewing: good, wrong, questionable, next.
        Shortcut("review", "Shift+R", "Review, worst score first"),
        Shortcut("review_next", "N", "Next object of the review"),
        Shortcut("review_previous", "Shift+N", "Previous object of the review"),
        Shortcut("accept", "G", "Accept (good)"),
        Shortcut("reject", "W", "Reject (wrong)"),
        Shortcut("flag", "Q", "Flag (questionable)"),
        # Objects.
        Shortcut("go_to", "Shift+G", "Go to the object"),
        Shortcut("describe", "Shift+D", "Describe the object"),
        Shortcut("rename", "F2", "Rename the object"),
        Shortcut("note", "F4", "Write a note on the object"),
        Shortcut("lock", "Shift+K", "Lock or unlock the object"),
        Shortcut("merge", "Shift+M", "Merge the objects"),
        Shortcut("split", "Shift+S", "Split into connected parts"),
        Shortcut("recolour", "Shift+C", "Choose the object's colour"),
        Shortcut("layer_colour", "Alt+K", "Give the object the layer's colour"),
        Shortcut("delete", "Shift+X", "Delete the objects"),
        Shortcut("delete_rejected", "Alt+X", "Delete rejected objects"),
        Shortcut("adopt", "Alt+A", "Add labels without a row to the table"),
        Shortcut("copy_measured", "Alt+Y", "Copy the measurements"),
        Shortcut("export", "Alt+E", "Export the objects"),
        # Corrections: adjust, keep; digits go on where napari's tools end.
        Shortcut("correct", "J", "Correct (adjust) objects on the canvas"),
        Shortcut("positive", "8", "Correct: clicks belong to the object"),
        Shortcut("negative", "9", "Correct: clicks do not belong to it"),
        Shortcut("box", "0", "Correct: drag a box"),
        Shortcut("scribble", "Shift+I", "Correct: scribble (ink)"),
        Shortcut("use_paint", "Shift+T", "Correct: take what was painted"),
        Shortcut("accept_correction", "K", "Keep the correction"),
        Shortcut("reject_correction", "Shift+J", "Throw the correction away"),
        Shortcut("undo_click", "Shift+Z", "Take back the last click"),
        Shortcut("next_candidate", "H", "Next candidate mask"),
        Shortcut("previous_candidate", "Shift+H", "Previous candidate mask"),
        Shortcut("propagate_forward", "Shift+F", "Propagate forward"),
        Shortcut("propagate_backward", "Shift+B", "Propagate backward"),
        Shortcut("propagate_both", "Shift+E", "Propagate both ways (everywhere)"),
        Shortcut("new_object", "Shift+O", "New object by clicks"),
        # Regions.
        Shortcut("follow_region", "Alt+R", "Follow the region"),
        Shortcut("new_regions", "Alt+N", "New layer to paint regions in"),
    )
}
"""By name."""


def key(name: str) -> str:
    """Return the key of an action in Qt's spelling; empty if the user wants none.

    What is no key at all in the settings counts as the default.

    Parameters
    ----------
    name : str
        One of `SHORTCUTS`.
    """
    default = SHORTCUTS[name].default
    wanted = setting("keys", name, default).strip()
    return wanted if not wanted or _is_one_key(wanted) else default


def shown(name: str) -> str:
    """Return the key of an action as people write it on this system, for a button or a tooltip."""
    native: str = QKeySequence(key(name)).toString(QKeySequence.SequenceFormat.NativeText)
    return native.replace("Return", "Enter")


def with_key(text: str, name: str) -> str:
    """Return a tooltip or a menu's text with the action's key behind it.

    Examples
    --------
    >>> with_key("Next object", "review_next")
    'Next object (N)'
    """
    there = shown(name)
    return f"{text} ({there})" if there else text


def clashes() -> str:
    """Say which actions have the same key in the settings: in the dock none of them would work.

    Empty if there are none such.
    """
    users: dict[str, list[str]] = {}
    for name in SHORTCUTS:
        if there := shown(name):
            users.setdefault(there, []).append(name)
    said = (
        f"{there} is the key of {' and of '.join(f'“{SHORTCUTS[name].title}”' for name in names)}"
        for there, names in users.items()
        if len(names) > 1
    )
    text = "; ".join(said)
    return f"{text}. Change one under File ▸ Preferences ▸ Sa2VA ▸ Keys." if text else ""


def _is_one_key(text: str) -> bool:
    sequence = QKeySequence(text)
    return sequence.count() == 1 and sequence[0].key() != Qt.Key.Key_unknown
